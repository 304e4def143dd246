// Runs a command with the test cluster behind it: `node scripts/with-cluster.mjs npm test --workspace ui-tests -- cluster`
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run, runMain } from './child.mjs';
import { clusterEnvironment } from './cluster-environment.mjs';
import { setup } from './setup.mjs';

const [program, ...args] = process.argv.slice(2);
if (!program) {
  console.error('Usage: node scripts/with-cluster.mjs COMMAND [ARGUMENT...]');
  process.exit(2);
}
await runMain(async () => {
  await setup();
  const folder = mkdtempSync(join(tmpdir(), 'labscale-with-cluster-'));
  try {
    const env = { ...process.env, ...clusterEnvironment(folder, { runner: 'kubernetes', objects: 'minio' }) };
    return (await run(program, args, { env, show: true, mayFail: true })).code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
