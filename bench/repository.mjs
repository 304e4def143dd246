import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where things lie in this checkout. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const benchFolder = join(root, 'bench');
export const serverBundle = join(root, 'server', 'dist', 'labscale-server.mjs');
export const helpersFolder = join(root, 'kernels-helpers', 'python', 'src');
export const extensionFolder = join(root, 'extension');
export const node = join(root, 'node_modules', 'node', 'bin', 'node');
export const venv = join(root, '.venv');
export const python = join(venv, 'bin', 'python');
