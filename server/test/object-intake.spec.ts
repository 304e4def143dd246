import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileUnsteady } from '../src/datasets/file-digest.js';
import { readBucket, uploadFiles } from '../src/datasets/object-intake.js';
import type { StoredObject } from '../src/datasets/stored-shard.js';
import { LocalObjectStore } from '../src/objects/local-object-store.js';

let folder: string;
let store: LocalObjectStore;
const data = (name: string) => join(folder, 'data', name);
const sha256 = (bytes: Buffer) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const bytesOf = (text: string) => Buffer.alloc(3_000_000, text);
const undigested = (at: string): StoredObject => ({
  ...{ path: at, at, sizeBytes: 3_000_000, digest: '', mediaType: 'text/plain' }
});
const keys = async () => (await store.list('')).objects.map(({ key }) => key);
const { signal } = new AbortController();

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'labscale-intake-')));
  mkdirSync(join(folder, 'data'));
  store = new LocalObjectStore(join(folder, 'objects'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a file that is written while it is uploaded is never stored under the digest of another content', async () => {
  writeFileSync(data('a'), bytesOf('a'));
  const object = undigested('a');
  let changed = false;
  const count = () => {
    if (!changed) writeFileSync(data('a'), bytesOf('b'));
    changed = true;
  };
  await uploadFiles(join(folder, 'data'), store, 'up/')(object, { signal, count });
  const digest = sha256(bytesOf('b'));
  const key = `up/${digest.slice('sha256:'.length)}`;
  expect(object).toMatchObject({ digest, at: key, from: 'a' });
  expect(await keys()).toEqual([key]);
  expect((await store.get(key))?.equals(bytesOf('b'))).toBe(true);
});

test('a file that is written each time it is uploaded is given up', async () => {
  writeFileSync(data('a'), bytesOf('a'));
  let round = 0;
  const count = () => writeFileSync(data('a'), bytesOf(String(round++)));
  const upload = uploadFiles(join(folder, 'data'), store, 'up/')(undigested('a'), { signal, count });
  await expect(upload).rejects.toThrow(FileUnsteady);
  expect(await keys()).toEqual([]);
});

test('a link that leads out of the folder is not uploaded', async () => {
  writeFileSync(join(folder, 'secret'), 'secret');
  symlinkSync('../secret', data('a'));
  const upload = uploadFiles(join(folder, 'data'), store, 'up/')(undigested('a'), { signal, count: () => {} });
  await expect(upload).rejects.toThrow('leads out of the folder');
  expect(await keys()).toEqual([]);
});

test('an upload that is broken off leaves nothing', async () => {
  writeFileSync(data('a'), bytesOf('a'));
  const stop = new AbortController();
  const watch = { signal: stop.signal, count: () => stop.abort(new Error('enough')) };
  await expect(uploadFiles(join(folder, 'data'), store, 'up/')(undigested('a'), watch)).rejects.toThrow('enough');
  expect(await keys()).toEqual([]);
});

test('an object that is replaced while it is read is read again', async () => {
  await store.put('ds/a', bytesOf('a'));
  const object = undigested('ds/a');
  Object.assign(object, { etag: (await store.head('ds/a'))?.etag });
  writeFileSync(join(folder, 'other'), bytesOf('b'));
  let replaced = false;
  const count = () => {
    // The stream goes on with what it began to read: only the ETag tells.
    if (!replaced) renameSync(join(folder, 'other'), store.fileOf('ds/a'));
    replaced = true;
  };
  await readBucket(store)(object, { signal, count });
  expect(object).toMatchObject({ digest: sha256(bytesOf('b')), etag: (await store.head('ds/a'))?.etag });
});
