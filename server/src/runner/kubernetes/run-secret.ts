import type { InputPrefix } from '../../objects/run-policy.js';
import type { IssuedCredentials } from '../../objects/run-credentials.js';
import type { Cluster } from './kubernetes-client.js';
import { labelsOf, secretName } from './job-manifest.js';

/** Where what a run reads lies. */
export interface RunInputs {
  prefixes: InputPrefix[];
}

/** Gives out keys that open no more than one run, and takes them back. */
export interface RunCredentials {
  issue(runId: string, inputs: RunInputs): Promise<IssuedCredentials>;
  /** All that were given out for a run; no error where there are none. */
  revoke(runId: string): Promise<void>;
}

/** Writes the keys of a run where only its pods see them; returns when they are to be written anew, in milliseconds. */
export async function writeRunSecret(
  cluster: Cluster,
  credentials: RunCredentials,
  runId: string,
  inputs: RunInputs
): Promise<number> {
  const issued = await credentials.issue(runId, inputs);
  await cluster.putSecret({
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name: secretName(runId), labels: labelsOf(runId) },
    stringData: { credentials: JSON.stringify(issued) }
  });
  // A kubelet brings a changed Secret to its pods within a minute or two.
  return Math.max(60_000, (Date.parse(issued.expiresAt) - Date.now()) / 2);
}

/** The folders that hold objects; of the store's own bucket those of a dataset or of a run, of others what all lie below. */
export function inputsOf(objects: Iterable<{ key?: string; bucket?: string }>): RunInputs {
  const own = new Set<string>();
  const others = new Map<string, string>();
  for (const { key, bucket } of objects) {
    if (key === undefined) continue;
    if (bucket === undefined) own.add(`${key.split('/').slice(0, 2).join('/')}/`);
    else others.set(bucket, commonFolder(others.get(bucket) ?? key, key));
  }
  return {
    prefixes: [
      ...[...own].sort().map((prefix) => ({ bucket: undefined, prefix })),
      ...[...others].map(([bucket, prefix]) => ({ bucket, prefix }))
    ]
  };
}

export function joinInputs(all: readonly RunInputs[]): RunInputs {
  const prefixes = all.flatMap((inputs) => inputs.prefixes);
  return inputsOf(prefixes.map(({ bucket, prefix }) => ({ key: prefix, ...(bucket === undefined ? {} : { bucket }) })));
}

function commonFolder(a: string, b: string): string {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return a.slice(0, a.lastIndexOf('/', length - 1) + 1);
}
