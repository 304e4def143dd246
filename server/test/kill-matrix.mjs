// Kills the server at every fault point, 20 times each (or as often as the first argument says), as kill.spec.ts does twice.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const rounds = process.argv[2] ?? '20';
const jest = fileURLToPath(import.meta.resolve('jest/bin/jest'));
const child = spawn(process.execPath, ['--experimental-vm-modules', jest, 'test/kill.spec.ts'], {
  cwd: fileURLToPath(new URL('..', import.meta.url)),
  env: { ...process.env, LABSCALE_KILL_ROUNDS: rounds },
  stdio: 'inherit'
});
child.on('exit', (code) => process.exit(code ?? 1));
