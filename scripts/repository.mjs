// Where things are in this checkout.
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const cache = join(root, '.cache');
export const venv = join(root, '.venv');
export const venvProgram = (name) => join(venv, 'bin', name);
export const nodeProgram = (name) => join(root, 'node_modules', '.bin', name);
