// Requests to an S3 store, signed (AWS Signature Version 4), as many as setting up a bucket and a user takes.
import { createHash, createHmac } from 'node:crypto';

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
const escaped = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The headers of a signed request. `store` is {endpoint, accessKey, secretKey, region}, `query` an object, `body` bytes.
 * `now` is a Date.
 */
export function signedHeaders(store, method, path, query, body, now) {
  const time = now.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${store.region}/s3/aws4_request`;
  const headers = { host: new URL(store.endpoint).host, 'x-amz-content-sha256': sha256(body), 'x-amz-date': time };
  const names = Object.keys(headers).sort();
  const request = [
    method,
    path.split('/').map(escaped).join('/'),
    queryText(query),
    ...names.map((name) => `${name}:${headers[name]}`),
    '',
    names.join(';'),
    headers['x-amz-content-sha256']
  ].join('\n');
  const key = ['aws4_request', 's3', store.region, time.slice(0, 8)].reduceRight(hmac, `AWS4${store.secretKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n')).toString('hex');
  return {
    ...headers,
    authorization: `AWS4-HMAC-SHA256 Credential=${store.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`
  };
}

const queryText = (query) =>
  Object.keys(query)
    .sort()
    .map((name) => `${escaped(name)}=${escaped(query[name])}`)
    .join('&');

/** Send a request. Gives {status, text}. */
export async function send(store, method, path, { query = {}, body = Buffer.alloc(0) } = {}) {
  const { host: _, ...headers } = signedHeaders(store, method, path, query, body, new Date());
  const url = new URL(`${path.split('/').map(escaped).join('/')}?${queryText(query)}`, store.endpoint);
  const sent = body.length > 0 ? body : undefined;
  const answer = await fetch(url, { method, headers, body: sent, signal: AbortSignal.timeout(30_000) });
  return { status: answer.status, text: await answer.text() };
}

/** Make a bucket where it is not there; rejects with what the store said where it may not. */
export async function ensureBucket(store, bucket) {
  if ((await send(store, 'HEAD', `/${bucket}`)).status === 200) return;
  const { status, text } = await send(store, 'PUT', `/${bucket}`);
  if (status !== 200 && !text.includes('BucketAlreadyOwnedByYou'))
    throw new Error(`The bucket ${bucket} is not at ${store.endpoint} and cannot be made there: ${status} ${text}`);
}
