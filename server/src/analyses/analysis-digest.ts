import { createHash } from 'node:crypto';
import type { Adapter, AnalysisKind, ContainerImage, Contract } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';
import type { Kernel, NotebookContent } from './notebook-content.js';

export interface AnalysisContent {
  kind: AnalysisKind;
  cells: NotebookContent['cells'] | null;
  kernel: Kernel | null;
  command: readonly string[] | null;
  image: ContainerImage | null;
  adapter: Adapter | null;
  files: readonly { path: string; text: string }[];
  contract: Contract;
}

/**
 * Digest of all that decides what an analysis makes of a shard and values, and of nothing else: derivatives are reused by
 * it. So it leaves out outputs and counts of cells, and of the contract resources, defaults, ranges and words of help.
 */
export function analysisDigest(content: AnalysisContent): string {
  const { kind, cells, kernel, command, image, adapter, files, contract } = content;
  const deciding = {
    kind,
    cells,
    kernel,
    command,
    // Its digest and not its reference: the same image in another registry, or under another tag, does the same.
    ...(image === null ? {} : { image: image.digest, adapter }),
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
