// cluster.json: all that a test, a bench or a person needs to use the cluster.
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { description } from './places.mjs';

export function readDescription() {
  return existsSync(description) ? JSON.parse(readFileSync(description, 'utf8')) : undefined;
}

export function writeDescription(content) {
  writeFileSync(`${description}.making`, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${description}.making`, description);
}

export const removeDescription = () => rmSync(description, { force: true });
