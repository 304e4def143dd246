import { encrypt } from '../../hub-config/test-cluster/minio-admin.mjs';
import { askSigned, type SignedAnswer, type Signer } from '../src/objects/signed-request.js';

const admin = '/minio/admin/v3';

async function done(asked: Promise<SignedAnswer>, what: string): Promise<void> {
  const { status, body } = await asked;
  if (status >= 300) throw new Error(`${what}: MinIO answered ${status} ${body.toString().slice(0, 500)}`);
}

export async function createBucket(root: Signer, bucket: string): Promise<void> {
  await done(askSigned(root, { method: 'PUT', path: `/${bucket}` }), `the bucket ${bucket}`);
}

/** A user with a policy of its own and no other. */
export async function createUser(
  root: Signer,
  user: { accessKey: string; secretKey: string; policy: object }
): Promise<void> {
  const { accessKey, secretKey, policy } = user;
  const put = (call: string, query: Record<string, string>, body: string | Buffer = '') =>
    done(askSigned(root, { method: 'PUT', path: `${admin}/${call}`, query, body }), `${call} for ${accessKey}`);
  await put('add-user', { accessKey }, encrypt(root.secretKey, JSON.stringify({ secretKey, status: 'enabled' })));
  await put('add-canned-policy', { name: accessKey }, JSON.stringify(policy));
  await put('set-user-or-group-policy', { policyName: accessKey, userOrGroup: accessKey, isGroup: 'false' });
}

/** All that the server's user may do: everything with objects of its bucket, reading in the buckets of datasets. */
export function serverPolicy(bucket: string, dataBuckets: readonly string[] = []): object {
  const allow = (actions: string[], buckets: readonly string[], rest: string) => ({
    Effect: 'Allow',
    Action: actions.map((action) => `s3:${action}`),
    Resource: buckets.map((name) => `arn:aws:s3:::${name}${rest}`)
  });
  const data = [allow(['GetObject'], dataBuckets, '/*'), allow(['ListBucket'], dataBuckets, '')];
  return {
    Version: '2012-10-17',
    Statement: [
      allow(['GetObject', 'PutObject', 'DeleteObject', 'AbortMultipartUpload'], [bucket], '/*'),
      allow(['ListBucket'], [bucket], ''),
      ...(dataBuckets.length === 0 ? [] : data)
    ]
  };
}
