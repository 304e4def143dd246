import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { seconds } from './measure.mjs';
import { run } from './programs.mjs';
import { slots } from './server.mjs';

/**
 * Seconds that `xargs -P2` takes to run a command once for each folder below `shards`, told its shard and its own
 * output folder by the environment variables of a task. The output folders are there before the clock starts.
 */
export async function xargsSeconds(shards, outputs, command, { cwd, env } = {}) {
  const names = (await readdir(shards)).sort();
  await rm(outputs, { recursive: true, force: true });
  for (const name of names) await mkdir(join(outputs, name), { recursive: true });
  const told = ['env', `LABSCALE_INPUT=${shards}/{}`, `LABSCALE_OUTPUT=${outputs}/{}`];
  return seconds(() =>
    run('xargs', ['-P', String(slots), '-I', '{}', ...told, ...command], { cwd, env, input: `${names.join('\n')}\n` })
  );
}
