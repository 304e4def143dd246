import { ProblemError } from '../problem-error.js';

/** A folder that the shards of a run lie in; `bucket` undefined: that of the store. */
export interface InputPrefix {
  bucket: string | undefined;
  prefix: string;
}

/** MinIO and AWS take no longer policy with temporary credentials. */
const longestPolicy = 2_048;

/**
 * What the pods of a run may do, and nothing else: read what the run is made from, write what it makes. Raises PATH_INVALID
 * for a name that would mean more than itself in a policy, and RUNNER_UNSUITED where it would be too long.
 */
export function runPolicy(bucket: string, runId: string, inputs: readonly InputPrefix[]): string {
  const run = `${bucket}/runs/${runId}`;
  const folders = inputs.map((input) => {
    if (input.prefix !== '' && !input.prefix.endsWith('/')) throw unfit(input.prefix, 'does not end with "/"');
    // All of the store's own bucket: every run and dataset.
    if (input.prefix === '' && (input.bucket ?? bucket) === bucket)
      throw unfit('', 'is all of the bucket of this server');
    return `${input.bucket ?? bucket}/${input.bucket === undefined ? derivativesOf(input.prefix) : input.prefix}`;
  });
  const read = [`${run}/`, ...new Set(folders)].map((folder) => `${named(folder)}*`);
  const written = ['attempts/*', 'claims/*', 'waves/*/pods/*'].map((below) => `${named(run)}/${below}`);
  const policy = {
    Version: '2012-10-17',
    Statement: [
      { Effect: 'Allow', Action: ['s3:GetObject'], Resource: read.map(arn) },
      { Effect: 'Allow', Action: ['s3:AbortMultipartUpload', 's3:PutObject'], Resource: written.map(arn) }
    ]
  };
  const text = JSON.stringify(policy);
  if (lengthAtStore(text) > longestPolicy) {
    throw new ProblemError(
      'RUNNER_UNSUITED',
      `The shards lie in ${folders.length} folders of the object store, more than the credentials of one run can name.`,
      { mend: 'Choose shards of fewer datasets or runs, or copy them into one dataset.' }
    );
  }
  return text;
}

/** Of another run only what it made is an input, and not its claims, its plan or the journals of its pods. */
const derivativesOf = (prefix: string) => (/^runs\/[^/]+\/$/.test(prefix) ? `${prefix}attempts/` : prefix);
const arn = (resource: string) => `arn:aws:s3:::${resource}`;

/** The store measures the policy as Go writes it, in which some characters take six. */
function lengthAtStore(text: string): number {
  return Buffer.byteLength(text.replace(/[<>&\u2028\u2029]/g, '\\u0000'));
}

/** In a policy `*` and `?` stand for any text and `${` begins a variable; there is no spelling that takes that from them. */
function named(folder: string): string {
  if (/[*?]|\$\{/.test(folder)) throw unfit(folder, 'has one of * ? ${, which credentials of a run cannot name');
  return folder;
}

function unfit(prefix: string, why: string): ProblemError {
  return new ProblemError('PATH_INVALID', `The folder "${prefix}" in the object store ${why}.`, {
    mend: 'Put the data into a folder of another name and register that.'
  });
}
