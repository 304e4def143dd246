import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { S3Settings } from '../objects/s3-settings.js';

/**
 * What `labscale.transfer local` is told of the object store. The keys lie in a file that only this user can read: a
 * worker outlives this server, and what stands in the environment of a process is inherited by what it starts.
 */
export function transferEnvironment(s3: S3Settings, dataFolder: string): Record<string, string> {
  const credentials = join(dataFolder, 'object-store.json');
  write(credentials, JSON.stringify({ accessKey: s3.accessKey, secretKey: s3.secretKey.reveal() }));
  const authority = join(dataFolder, 'object-store.pem');
  if (s3.ca !== undefined) write(authority, s3.ca);
  return {
    LABSCALE_S3_ENDPOINT: s3.endpoint,
    LABSCALE_S3_BUCKET: s3.bucket,
    LABSCALE_S3_REGION: s3.region,
    LABSCALE_S3_PATH_STYLE: String(s3.pathStyle),
    LABSCALE_S3_CREDENTIALS_FILE: credentials,
    ...(s3.ca === undefined ? {} : { LABSCALE_S3_CA_FILE: authority })
  };
}

/** As a whole: a worker of an earlier server may be reading it. */
function write(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
