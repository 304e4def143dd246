// Plays 500 fault scripts (or as many as the first argument says, from the seed that the second says) on this machine and on the
// test cluster, as fault-parity.spec.ts does with a few.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const [scripts = '500', seed = '1'] = process.argv.slice(2);
const jest = fileURLToPath(import.meta.resolve('jest/bin/jest'));
const child = spawn(process.execPath, ['--experimental-vm-modules', jest, 'test/fault-parity.spec.ts'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  env: {
    ...process.env,
    LABSCALE_TEST_CLUSTER_REQUIRED: '1',
    LABSCALE_FAULT_SCRIPTS: scripts,
    LABSCALE_FAULT_SEED: seed
  },
  stdio: 'inherit'
});
child.on('exit', (code) => process.exit(code ?? 1));
