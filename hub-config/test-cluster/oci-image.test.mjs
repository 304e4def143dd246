import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { renderImage, writeImage } from './oci-image.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-image-'));
after(() => rmSync(folder, { recursive: true }));

const digestOf = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function layer(text) {
  const file = join(folder, text);
  writeFileSync(file, text);
  return { file, digest: digestOf(text), size: text.length, diffId: digestOf(`${text} unpacked`) };
}

test('every blob of an image is named by what is in it, and everything that a document names is there', () => {
  const layers = [layer('below'), layer('above')];
  const image = renderImage(layers, { User: '1000:1000' });
  const target = join(folder, 'image');
  writeImage(target, image, layers);
  const blobs = readdirSync(join(target, 'blobs/sha256')).map((name) => `sha256:${name}`);
  const read = (digest) => readFileSync(join(target, 'blobs/sha256', digest.slice(7)));
  for (const digest of blobs) assert.equal(digestOf(read(digest)), digest);

  const [{ digest, size }] = JSON.parse(readFileSync(join(target, 'index.json'), 'utf8')).manifests;
  assert.equal(read(digest).length, size);
  const manifest = JSON.parse(read(digest).toString());
  assert.deepEqual(
    manifest.layers.map(({ digest, size }) => ({ digest, size })),
    layers.map(({ digest, size }) => ({ digest, size }))
  );
  const config = JSON.parse(read(manifest.config.digest).toString());
  assert.deepEqual(
    config.rootfs.diff_ids,
    layers.map(({ diffId }) => diffId)
  );
  assert.equal(config.config.User, '1000:1000');
  assert.deepEqual(blobs.length, 4);
});

test('the same image has the same name, and a changed one another', () => {
  const layers = [layer('same')];
  const name = (settings) => renderImage(layers, settings).manifest.digest;
  assert.equal(name({ User: '1000' }), name({ User: '1000' }));
  assert.notEqual(name({ User: '1000' }), name({ User: '1001' }));
});
