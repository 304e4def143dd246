// Packs lib/ and style/ into the prebuilt labextension. The builder is called directly: `jupyter labextension build` would
// run jlpm, which turns this npm workspace into Yarn Plug'n'Play and deletes node_modules.
import { spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, symlinkSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const extension = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const root = resolve(extension, '..');
const venvPython =
  process.platform === 'win32' ? join(root, '.venv', 'Scripts', 'python.exe') : join(root, '.venv', 'bin', 'python');
const python = existsSync(venvPython) ? venvPython : 'python3';

const found = spawnSync(
  python,
  ['-c', 'import importlib.util as u, os; print(os.path.dirname(u.find_spec("jupyterlab").origin))'],
  { encoding: 'utf8' }
);
if (found.status !== 0) {
  console.error(`JupyterLab is not installed for ${python}; run \`npm run setup\` first.\n${found.stderr ?? ''}`);
  process.exit(1);
}
const corePath = join(found.stdout.trim(), 'staging');
const builder = join(root, 'node_modules', '@jupyterlab', 'builder', 'lib', 'build-labextension.js');
const built = spawnSync(process.execPath, [builder, '--core-path', corePath, ...process.argv.slice(2), extension], {
  stdio: 'inherit',
  cwd: extension
});
if (built.status !== 0) process.exit(built.status ?? 1);

// The repository's own JupyterLab takes the extension from where it was built.
if (existsSync(venvPython)) {
  const link = join(root, '.venv', 'share', 'jupyter', 'labextensions', 'jupyterlab-labscale');
  mkdirSync(dirname(link), { recursive: true });
  if (!lstatSync(link, { throwIfNoEntry: false })) {
    symlinkSync(join(extension, 'jupyterlab_labscale', 'labextension'), link, 'junction');
  }
}
