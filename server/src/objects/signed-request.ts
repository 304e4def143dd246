import { createHash, createHmac, type BinaryLike } from 'node:crypto';
import { request as requestHttp, type IncomingHttpHeaders } from 'node:http';
import { request as requestHttps } from 'node:https';
import { buffer } from 'node:stream/consumers';

/** Whose request it is, and to where. */
export interface Signer {
  endpoint: string;
  region: string;
  ca?: string | undefined;
  accessKey: string;
  secretKey: string;
  sessionToken?: string;
}

export interface SignedRequest {
  method: string;
  /** Not yet percent-encoded. */
  path: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: string | Buffer;
  service?: 's3' | 'sts';
  /** When it is said to be signed. */
  at?: Date;
}

export interface SignedAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

const silentForMs = 60_000;

const sha256 = (data: BinaryLike) => createHash('sha256').update(data).digest('hex');
const hmac = (key: BinaryLike, data: string) => createHmac('sha256', key).update(data).digest();

/** As the signature spells it: encodeURIComponent leaves five characters that it does not. */
export const percentEncoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * One request with Signature Version 4, whatever its answer: for what the client of S3 does not know, which is the token
 * service and MinIO's own interface. Raises only where there is no answer.
 */
export async function askSigned(signer: Signer, request: SignedRequest): Promise<SignedAnswer> {
  const { method, query = {}, body = '', service = 's3', at = new Date() } = request;
  const { protocol, hostname, port, host } = new URL(signer.endpoint);
  const time = at.toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${signer.region}/${service}/aws4_request`;
  const path = request.path.split('/').map(percentEncoded).join('/');
  const search = Object.entries(query)
    .map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`)
    .sort()
    .join('&');
  const headers = new Map([
    ['host', host],
    ['x-amz-content-sha256', sha256(body)],
    ['x-amz-date', time],
    ...Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const),
    ...(signer.sessionToken === undefined ? [] : [['x-amz-security-token', signer.sessionToken] as const])
  ]);
  const names = [...headers.keys()].sort();
  const signed = names.join(';');
  const canonical = [
    ...[method, path, search, ...names.map((name) => `${name}:${headers.get(name)!.trim()}`), '', signed],
    headers.get('x-amz-content-sha256')
  ].join('\n');
  const parts = [time.slice(0, 8), signer.region, service, 'aws4_request'];
  const key = parts.reduce<BinaryLike>((above, part) => hmac(above, part), `AWS4${signer.secretKey}`);
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
  headers.set(
    'authorization',
    `AWS4-HMAC-SHA256 Credential=${signer.accessKey}/${scope}, SignedHeaders=${signed}, Signature=${signature}`
  );
  headers.set('content-length', String(Buffer.byteLength(body)));
  return new Promise((give, fail) => {
    const asked = (protocol === 'https:' ? requestHttps : requestHttp)(
      {
        ...{ hostname, port, method, headers: Object.fromEntries(headers), timeout: silentForMs },
        path: search === '' ? path : `${path}?${search}`,
        // Seldom asked: a connection that is kept would only be found closed the next time.
        agent: false,
        ...(signer.ca === undefined ? {} : { ca: signer.ca })
      },
      (answer) => {
        buffer(answer).then(
          (bytes) => give({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
          fail
        );
      }
    );
    asked.on('timeout', () => {
      asked.destroy(Object.assign(new Error('the object store is silent'), { code: 'ETIMEDOUT' }));
    });
    asked.on('error', fail);
    asked.end(body);
  });
}
