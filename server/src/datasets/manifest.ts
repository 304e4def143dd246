import { createHash } from 'node:crypto';
import { canonicalJson } from '../metadata/canonical-json.js';
import { toShard, type StoredShard } from './stored-shard.js';

/**
 * The manifest of a version as canonical JSON, a piece at a time: `{"shards":[...],"version":1}`. It says what the data are
 * and not where they lie, so the same data have the same digest wherever they are.
 */
export async function* manifestOf(shards: AsyncIterable<StoredShard>): AsyncGenerator<Buffer> {
  let text = '{"shards":[';
  let first = true;
  for await (const stored of shards) {
    const { index: _index, ...shard } = toShard(stored);
    text += `${first ? '' : ','}\n${canonicalJson(shard)}`;
    first = false;
    if (text.length > 65_536) {
      yield Buffer.from(text);
      text = '';
    }
  }
  yield Buffer.from(`${text}\n],"version":1}`);
}

const keptBytes = 4 * 1_048_576;

/** Digest of the manifest, the size of all that it names, and the manifest itself where it is small enough to keep. */
export async function digestManifest(
  shards: AsyncIterable<StoredShard>
): Promise<{ digest: string; sizeBytes: number; manifest: Buffer | undefined }> {
  const digest = createHash('sha256');
  let sizeBytes = 0;
  const counted = async function* () {
    for await (const shard of shards) {
      sizeBytes += shard.sizeBytes;
      yield shard;
    }
  };
  let kept: Buffer[] | undefined = [];
  let length = 0;
  for await (const piece of manifestOf(counted())) {
    digest.update(piece);
    length += piece.length;
    if (length > keptBytes) kept = undefined;
    kept?.push(piece);
  }
  return { digest: `sha256:${digest.digest('hex')}`, sizeBytes, manifest: kept && Buffer.concat(kept) };
}

export function manifestKey(datasetId: string, digest: string): string {
  return `datasets/${datasetId}/versions/${digest.slice('sha256:'.length)}.json`;
}
