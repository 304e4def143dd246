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

export async function manifestDigest(shards: AsyncIterable<StoredShard>): Promise<string> {
  const digest = createHash('sha256');
  for await (const piece of manifestOf(shards)) digest.update(piece);
  return `sha256:${digest.digest('hex')}`;
}

export function manifestKey(datasetId: string, digest: string): string {
  return `datasets/${datasetId}/versions/${digest.slice('sha256:'.length)}.json`;
}
