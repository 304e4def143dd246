import type { DatasetVersion } from '@labscale/schema';

/** How much is done, from 0 to 1: by bytes where they are told, as a shard may be a thousand times another. */
export function indexedPart({ done, total, doneBytes, totalBytes }: DatasetVersion['indexing']): number {
  if (doneBytes !== undefined && totalBytes) return doneBytes / totalBytes;
  return total > 0 ? done / total : 0;
}
