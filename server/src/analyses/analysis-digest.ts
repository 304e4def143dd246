import { createHash } from 'node:crypto';
import type { Contract } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';
import type { Kernel, NotebookContent } from './notebook-content.js';

export interface AnalysisContent {
  kind: 'notebook' | 'command';
  cells: NotebookContent['cells'] | null;
  kernel: Kernel | null;
  command: readonly string[] | null;
  files: readonly { path: string; text: string }[];
  contract: Contract;
}

/**
 * Digest of all that decides what an analysis makes of a shard and values, and of nothing else: derivatives are reused by
 * it. So it leaves out outputs and counts of cells, and of the contract resources, defaults, ranges and words of help.
 */
export function analysisDigest({ kind, cells, kernel, command, files, contract }: AnalysisContent): string {
  const deciding = {
    kind,
    cells,
    kernel,
    command,
    files: [...files]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(({ path, text }) => ({ path, digest: createHash('sha256').update(text).digest('hex') })),
    contract: {
      parameters: Object.fromEntries(contract.parameters.map(({ name, type }) => [name, type])),
      outputs: contract.outputs.map(({ path, required }) => canonicalJson({ path, required })).sort(),
      warm: contract.warm
    }
  };
  return `sha256:${createHash('sha256').update(canonicalJson(deciding)).digest('hex')}`;
}
