import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { archive } from './layer.mjs';

const folder = mkdtempSync(join(tmpdir(), 'labscale-layer-'));
after(() => rmSync(folder, { recursive: true }));
const sha256 = (bytes) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

function tree(name, files, seconds) {
  const root = join(folder, name);
  mkdirSync(join(root, 'opt/tests'), { recursive: true });
  for (const file of files) writeFileSync(join(root, 'opt', file), file);
  for (const file of files) utimesSync(join(root, 'opt', file), seconds, seconds);
  return root;
}

test('the same files give the same layer, whenever and in whatever order they were written', async () => {
  const one = await archive(join(folder, 'one'), tree('first', ['a', 'b', 'c'], 1_000), ['opt']);
  const two = await archive(join(folder, 'two'), tree('second', ['c', 'a', 'b'], 2_000), ['opt']);
  assert.deepEqual(one, two);
});

test('the digests and the size are those of the file and of what is in it; what is excluded is not in it', async () => {
  const file = join(folder, 'layer');
  const root = tree('third', ['a', 'tests/b'], 1_000);
  const { digest, size, diffId } = await archive(file, root, ['opt'], ['*/tests']);
  const bytes = readFileSync(file);
  assert.deepEqual(
    { digest, size, diffId },
    { digest: sha256(bytes), size: bytes.length, diffId: sha256(gunzipSync(bytes)) }
  );
  assert.equal(execFileSync('tar', ['tzf', file], { encoding: 'utf8' }), 'opt/\nopt/a\n');
});

test('a folder that is not there is an error, and no layer', async () => {
  await assert.rejects(archive(join(folder, 'none'), folder, ['not-there']), /tar ended with code 2: .*not-there/s);
});
