// A layer of an image: an archive of files, made once for what it is made from.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { inState, layerCache } from './places.mjs';

/** A short name for everything that something is made from. */
export const keyOf = (...parts) => createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16);

function digesting() {
  const hash = createHash('sha256');
  let size = 0;
  const stream = new PassThrough();
  stream.on('data', (bytes) => {
    hash.update(bytes);
    size += bytes.length;
  });
  return { stream, result: () => ({ digest: `sha256:${hash.digest('hex')}`, size }) };
}

/**
 * Archive the `paths` below `root` into `file`, compressed; the same files give the same bytes whenever and by whomever they
 * were written. Gives {digest, size, diffId}: of the file, and the digest of what is in it before the compression.
 */
export async function archive(file, root, paths, exclude = []) {
  const tar = spawn(
    'tar',
    [
      ...['--create', '--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'],
      ...exclude.map((pattern) => `--exclude=${pattern}`),
      ...['--directory', root, '--', ...paths]
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] }
  );
  let said = '';
  tar.stderr.on('data', (text) => (said += text));
  const ended = new Promise((resolve, reject) => {
    tar.on('error', reject);
    tar.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`tar ended with code ${code}: ${said.trim()}`))
    );
  });
  const plain = digesting();
  const packed = digesting();
  await Promise.all([
    ended,
    pipeline(tar.stdout, plain.stream, createGzip({ level: 1 }), packed.stream, createWriteStream(file))
  ]);
  return { ...packed.result(), diffId: plain.result().digest };
}

/**
 * Give the layer {digest, size, diffId, file} that is made from what `key` names; where it is not there yet, `collect` gives
 * what to archive: {root, paths, exclude?}. What takes long to make outlives `reset`.
 */
export async function layer(name, key, collect, { takesLong = false } = {}) {
  const folder = takesLong ? layerCache : inState('layers');
  const file = join(folder, `${name}-${key}.tar.gz`);
  const facts = `${file}.json`;
  if (!existsSync(facts)) {
    mkdirSync(folder, { recursive: true });
    const { root, paths, exclude } = await collect();
    const made = await archive(`${file}.making`, root, paths, exclude);
    renameSync(`${file}.making`, file);
    writeFileSync(`${facts}.making`, JSON.stringify(made));
    renameSync(`${facts}.making`, facts);
  }
  return { ...JSON.parse(readFileSync(facts, 'utf8')), file };
}
