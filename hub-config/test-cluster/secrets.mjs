// Passwords of the cluster's stores: made once, kept until `reset`.
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { inState, state } from './places.mjs';

const file = inState('secrets.json');

/** {minioRoot, minioServer, postgres}: texts of 40 letters and digits. */
export function secrets() {
  if (!existsSync(file)) {
    mkdirSync(state, { recursive: true, mode: 0o700 });
    const made = Object.fromEntries(
      ['minioRoot', 'minioServer', 'postgres'].map((name) => [name, randomBytes(20).toString('hex')])
    );
    writeFileSync(file, JSON.stringify(made), { mode: 0o600 });
  }
  return JSON.parse(readFileSync(file, 'utf8'));
}
