import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { say } from './progress.mjs';
import { run } from './programs.mjs';
import { benchFolder, python } from './repository.mjs';

/** Peers phone home by default or look for newer versions; nothing here may leave the machine. */
export const quietPeers = { MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' };

/**
 * The folder of the peers' programs (`python`, `papermill`, `mlflow`), in a venv outside the checkout, named after
 * bench/requirements.txt and made on first use.
 */
export async function peerPrograms() {
  const requirements = join(benchFolder, 'requirements.txt');
  const pins = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex')
    .slice(0, 12);
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  const folder = join(cache, 'labscale', `bench-venv-${pins}`);
  const programs = join(folder, 'bin');
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return programs;
  say(`installing the peers into ${folder} (once; about 1 GB)`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(cache, 'labscale'), { recursive: true });
  await run('nice', ['-n', '15', python, '-m', 'venv', folder], { loud: true });
  const install = [join(programs, 'python'), '-m', 'pip', 'install', '--quiet', '--requirement', requirements];
  await run('nice', ['-n', '15', ...install], { loud: true });
  await writeFile(complete, '');
  return programs;
}
