import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Checks that a run published, for every shard, the very bytes that the peer left in its folder of that shard: two
 * arms that do not give the same result must not be compared. Raises an error at the first difference.
 */
export async function checkSameResults(server, run, peerOutputs, file) {
  let cursor;
  let compared = 0;
  do {
    const query = { limit: 1_000, ...(cursor && { cursor }) };
    const derivatives = await server.call('listDerivatives', { params: { runId: run.id }, query });
    for (const { shardKey, objects } of derivatives.items) {
      const bytes = await readFile(join(peerOutputs, shardKey, file));
      const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
      if (objects.find((object) => object.path === file)?.digest !== digest) {
        throw new Error(`${file} of ${shardKey} is not what the peer made of it`);
      }
      compared += 1;
    }
    cursor = derivatives.nextCursor ?? undefined;
  } while (cursor);
  if (compared !== run.taskCount) throw new Error(`the run published ${compared} of ${run.taskCount} shards`);
}
