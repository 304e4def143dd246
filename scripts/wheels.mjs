// `npm run wheels`: builds the two wheels, with everything in them that a machine without Node needs.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, runMain } from './child.mjs';
import { root, venvProgram } from './repository.mjs';
import { setup } from './setup.mjs';

/** Build both wheels into `folder` and give their paths. */
export async function buildWheels(folder) {
  mkdirSync(folder, { recursive: true });
  for (const name of readdirSync(folder)) if (name.endsWith('.whl')) rmSync(join(folder, name));
  for (const source of ['kernels-helpers/python', 'extension']) {
    // What builds them is pinned in scripts/requirements.txt; an isolated build would fetch something newer.
    await run(venvProgram('python'), [
      '-m',
      'build',
      '--wheel',
      '--no-isolation',
      '--outdir',
      folder,
      join(root, source)
    ]);
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.whl'))
    .sort()
    .map((name) => join(folder, name));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await runMain(async () => {
    await setup();
    console.log((await buildWheels(join(root, 'dist'))).join('\n'));
  });
}
