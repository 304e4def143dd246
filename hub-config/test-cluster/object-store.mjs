// The buckets of the cluster and the server's user there; or another S3 store, as the variables say.
import { existsSync, readFileSync } from 'node:fs';
import { ensureUser } from './minio-admin.mjs';
import { minioRoot } from './minio.mjs';
import { onBridge, onLoopback } from './places.mjs';
import { ensureBucket } from './s3-request.mjs';
import { secrets } from './secrets.mjs';

const bucket = 'labscale';
/** A bucket that the server may only read: datasets are registered from it in place. */
const dataBucket = 'labscale-data';
const arn = (name) => `arn:aws:s3:::${name}`;

/** What the server may do with the store: no administration, and nothing outside of these buckets. */
export const serverPolicy = {
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Action: ['s3:GetBucketLocation', 's3:ListBucket', 's3:ListBucketMultipartUploads'],
      Resource: [arn(bucket)]
    },
    {
      Effect: 'Allow',
      Action: [
        ...['s3:GetObject', 's3:PutObject', 's3:DeleteObject'],
        ...['s3:AbortMultipartUpload', 's3:ListMultipartUploadParts']
      ],
      Resource: [arn(`${bucket}/*`)]
    },
    { Effect: 'Allow', Action: ['s3:GetBucketLocation', 's3:ListBucket'], Resource: [arn(dataBucket)] },
    { Effect: 'Allow', Action: ['s3:GetObject'], Resource: [arn(`${dataBucket}/*`)] }
  ]
};

/** The endpoint of another store than ours; undefined where the environment names none, or our own. */
export const otherEndpoint = (env) =>
  [undefined, '', `http://${onLoopback('minio')}`].includes(env.LABSCALE_S3_ENDPOINT)
    ? undefined
    : env.LABSCALE_S3_ENDPOINT;

/** Make buckets and user in our MinIO. Gives what the description of the cluster says about the store. */
export async function prepareMinio() {
  const root = minioRoot();
  const user = { accessKey: 'labscale-server', secretKey: secrets().minioServer };
  for (const name of [bucket, dataBucket]) await ensureBucket(root, name);
  await ensureUser(root, { ...user, policyName: 'labscale-server', policy: serverPolicy });
  return {
    ...{ endpoint: root.endpoint, podEndpoint: `http://${onBridge('minio')}`, bucket, dataBucket, region: root.region },
    ...{ ...user, rootUser: root.accessKey, rootPassword: root.secretKey }
  };
}

/** The same for the store that the variables name; undefined where they name none. */
export async function prepareOtherStore(env = process.env) {
  const endpoint = otherEndpoint(env);
  if (!endpoint) return undefined;
  const keys = env.LABSCALE_S3_CREDENTIALS_FILE
    ? JSON.parse(readFileSync(existingFile(env.LABSCALE_S3_CREDENTIALS_FILE), 'utf8'))
    : { accessKey: env.LABSCALE_S3_ACCESS_KEY, secretKey: env.LABSCALE_S3_SECRET_KEY };
  if (!keys.accessKey || !keys.secretKey) {
    throw new Error(
      'LABSCALE_S3_ENDPOINT is set: set LABSCALE_S3_ACCESS_KEY and LABSCALE_S3_SECRET_KEY too, or LABSCALE_S3_CREDENTIALS_FILE.'
    );
  }
  const store = {
    endpoint,
    podEndpoint: env.LABSCALE_S3_POD_ENDPOINT || endpoint,
    bucket: env.LABSCALE_S3_BUCKET || bucket,
    region: env.LABSCALE_S3_REGION || 'us-east-1',
    accessKey: keys.accessKey,
    secretKey: keys.secretKey
  };
  await ensureBucket(store, store.bucket);
  return store;
}

function existingFile(file) {
  if (!existsSync(file)) throw new Error(`LABSCALE_S3_CREDENTIALS_FILE names ${file}, which is not there.`);
  return file;
}
