import { argon2Sync, createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { buffer } from 'node:stream/consumers';

// What a test, or the start of a test cluster, asks of a MinIO as its administrator: raw signed requests, buckets, users
// and policies. Nothing beyond Node is used, so that it runs before anything is installed.

const sha256 = (data) => createHash('sha256').update(data).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
/** As Signature Version 4 spells names: encodeURIComponent leaves five characters that it does not. */
const escaped = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * One request, signed with Signature Version 4 for a service (`s3` or `sts`); `path` is not yet escaped, and whatever the
 * status is, it is answered. Raises where there is no answer.
 */
export async function askMinio(access, { method, path, query = {}, headers = {}, body = '', service = 's3', at }) {
  const { protocol, hostname, port, host } = new URL(access.endpoint);
  const region = access.region ?? 'us-east-1';
  const time = (at ?? new Date()).toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/${service}/aws4_request`;
  const escapedPath = path.split('/').map(escaped).join('/');
  const escapedQuery = Object.entries(query)
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .sort()
    .join('&');
  const sent = {
    host,
    'x-amz-date': time,
    'x-amz-content-sha256': sha256(body),
    ...(access.sessionToken === undefined ? {} : { 'x-amz-security-token': access.sessionToken }),
    ...Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  };
  const names = Object.keys(sent).sort();
  const canonical = [
    method,
    escapedPath,
    escapedQuery,
    ...names.map((name) => `${name}:${sent[name]?.trim()}`),
    '',
    names.join(';'),
    sent['x-amz-content-sha256']
  ].join('\n');
  const key = [time.slice(0, 8), region, service, 'aws4_request'].reduce(
    (above, part) => hmac(above, part),
    `AWS4${access.secretKey}`
  );
  const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(canonical)}`).toString('hex');
  sent['authorization'] =
    `AWS4-HMAC-SHA256 Credential=${access.accessKey}/${scope}, SignedHeaders=${names.join(';')}, Signature=${signature}`;
  sent['content-length'] = String(Buffer.byteLength(body));
  return new Promise((give, fail) => {
    const ask = (protocol === 'https:' ? requestHttps : requestHttp)(
      {
        hostname,
        port,
        method,
        path: escapedPath + (escapedQuery === '' ? '' : `?${escapedQuery}`),
        headers: sent,
        agent: false,
        ...(access.ca === undefined ? {} : { ca: access.ca })
      },
      (answer) => {
        buffer(answer).then(
          (bytes) => give({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
          fail
        );
      }
    );
    ask.on('error', fail);
    ask.end(body);
  });
}

async function done(asked, what) {
  const { status, body } = await asked;
  if (status >= 300) throw new Error(`${what}: MinIO answered ${status} ${body.toString().slice(0, 500)}`);
}

/**
 * The payload of an administrator's request as MinIO wants it: Argon2id over the secret key, AES-256-GCM in pieces of
 * 16 KiB, each with its number in the nonce and a mark on the last.
 */
function encrypted(secretKey, data) {
  const piece = 16_384;
  const salt = randomBytes(32);
  const noncePrefix = randomBytes(8);
  const key = argon2Sync('argon2id', {
    message: secretKey,
    nonce: salt,
    parallelism: 4,
    tagLength: 32,
    memory: 65_536,
    passes: 1
  });
  const seal = (number, plain, bound) => {
    const nonce = Buffer.alloc(12);
    noncePrefix.copy(nonce);
    nonce.writeUInt32LE(number, 8);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(bound);
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  };
  const bound = seal(0, Buffer.alloc(0), Buffer.alloc(0));
  const sealed = [];
  const pieces = Math.max(1, Math.ceil(data.length / piece));
  for (let number = 1; number <= pieces; number++) {
    const mark = Buffer.from([number === pieces ? 0x80 : 0x00]);
    sealed.push(seal(number, data.subarray((number - 1) * piece, number * piece), Buffer.concat([mark, bound])));
  }
  return Buffer.concat([salt, Buffer.from([0x00]), noncePrefix, ...sealed]);
}

/**
 * Creates a bucket; one that is there stays.
 */
export async function createBucket(root, bucket) {
  const answer = await askMinio(root, { method: 'PUT', path: `/${bucket}` });
  if (answer.status === 409 && answer.body.includes('BucketAlreadyOwnedByYou')) return;
  await done(Promise.resolve(answer), `the bucket ${bucket}`);
}

/**
 * Creates or changes a user, and gives it a policy of its own and no other.
 */
export async function createUser(root, { accessKey, secretKey, policy }) {
  const admin = '/minio/admin/v3';
  await done(
    askMinio(root, {
      method: 'PUT',
      path: `${admin}/add-user`,
      query: { accessKey },
      body: encrypted(root.secretKey, Buffer.from(JSON.stringify({ secretKey, status: 'enabled' })))
    }),
    `the user ${accessKey}`
  );
  const name = `of-${accessKey}`;
  await done(
    askMinio(root, {
      method: 'PUT',
      path: `${admin}/add-canned-policy`,
      query: { name },
      body: JSON.stringify(policy)
    }),
    `the policy ${name}`
  );
  await done(
    askMinio(root, {
      method: 'PUT',
      path: `${admin}/set-user-or-group-policy`,
      query: { policyName: name, userOrGroup: accessKey, isGroup: 'false' }
    }),
    `the policy of ${accessKey}`
  );
}

/**
 * All that the labscale server's own user may do: everything with objects of its bucket, reading in the buckets that
 * datasets are registered from. It may not change buckets, policies or users; the credentials of runs it gets by
 * AssumeRole, which needs no right, and they can never do more than this.
 */
export function serverPolicy(bucket, dataBuckets = []) {
  const of = (names, rest) => names.map((name) => `arn:aws:s3:::${name}${rest}`);
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Action: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject', 's3:AbortMultipartUpload'],
        Resource: of([bucket], '/*')
      },
      {
        Effect: 'Allow',
        Action: ['s3:ListBucket', 's3:GetBucketLocation', 's3:ListBucketMultipartUploads'],
        Resource: of([bucket], '')
      },
      ...(dataBuckets.length === 0
        ? []
        : [
            { Effect: 'Allow', Action: ['s3:GetObject'], Resource: of(dataBuckets, '/*') },
            { Effect: 'Allow', Action: ['s3:ListBucket', 's3:GetBucketLocation'], Resource: of(dataBuckets, '') }
          ])
    ]
  };
}
