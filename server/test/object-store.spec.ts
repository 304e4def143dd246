import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import type { ObjectStore } from '../src/objects/object-store.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { ProblemError } from '../src/problem-error.js';
import { hasMinio, settingsOf, startMinio, type MinioServer } from './minio-server.js';

interface Implementation {
  name: string;
  /** An empty store. */
  open: () => { store: ObjectStore; close: () => void | Promise<void> };
}

let minio: MinioServer | undefined;
beforeAll(async () => {
  if (hasMinio) minio = await startMinio();
});
afterAll(() => minio?.stop());

const implementations: Implementation[] = [
  {
    name: 'local',
    open: () => {
      const root = mkdtempSync(join(tmpdir(), 'labscale-objects-'));
      return { store: new LocalObjectStore(join(root, 'objects')), close: () => rmSync(root, { recursive: true }) };
    }
  },
  {
    name: 'MinIO',
    open: () => {
      const store = new S3ObjectStore(settingsOf(minio!));
      const close = async () => {
        for (const { key } of (await store.list('')).objects) await store.delete(key);
      };
      return { store, close };
    }
  }
].filter(({ name }) => name === 'local' || hasMinio);

const codeOf = async (act: Promise<unknown>) => {
  try {
    await act;
  } catch (error) {
    return error instanceof ProblemError ? error.code : error;
  }
  return undefined;
};

describe.each(implementations)('$name object store', ({ open }) => {
  let store: ObjectStore;
  let close: () => void | Promise<void>;
  beforeEach(() => ({ store, close } = open()));
  afterEach(() => close());

  const all = async (prefix: string, limit: number) => {
    const keys: string[] = [];
    let cursor: string | undefined;
    for (;;) {
      const page = await store.list(prefix, { limit, ...(cursor === undefined ? {} : { cursor }) });
      expect(page.objects.length).toBeLessThanOrEqual(limit);
      keys.push(...page.objects.map(({ key }) => key));
      if (page.nextCursor === null) return keys;
      cursor = page.nextCursor;
    }
  };

  test('puts, replaces as a whole, and gives back', async () => {
    expect(await store.get('a/b')).toBeUndefined();
    expect(await store.head('a/b')).toBeUndefined();
    expect(await store.put('a/b', Buffer.from('one'))).toEqual({ key: 'a/b', sizeBytes: 3 });
    expect(await store.put('a/b', Readable.from([Buffer.from('tw'), Buffer.from('ice')]))).toEqual({
      key: 'a/b',
      sizeBytes: 5
    });
    expect((await store.get('a/b'))?.toString()).toBe('twice');
    const { etag, ...info } = (await store.head('a/b'))!;
    expect(info).toEqual({ key: 'a/b', sizeBytes: 5 });
    expect((await store.list('a/')).objects).toEqual([{ ...info, etag }]);
    await store.put('a/b', Buffer.from('other'));
    expect((await store.head('a/b'))?.etag).not.toBe(etag);
    await store.delete('a/b');
    await store.delete('a/b');
    expect(await store.get('a/b')).toBeUndefined();
    expect(await codeOf(store.read('a/b'))).toBe('NOT_FOUND');
  });

  test('a body that breaks off leaves what was there', async () => {
    await store.put('a', Buffer.from('whole'));
    const broken = Readable.from(
      (function* () {
        yield Buffer.from('ha');
        throw new Error('broken off');
      })()
    );
    await expect(store.put('a', broken)).rejects.toThrow('broken off');
    expect((await store.get('a'))?.toString()).toBe('whole');
    expect(await all('', 10)).toEqual(['a']);
  });

  test('ranges', async () => {
    await store.put('bytes', Buffer.from('0123456789'));
    expect(await text(await store.read('bytes'))).toBe('0123456789');
    expect(await text(await store.read('bytes', { start: 3, end: 5 }))).toBe('345');
    expect(await text(await store.read('bytes', { start: 7 }))).toBe('789');
    expect(await text(await store.read('bytes', { start: 9, end: 100 }))).toBe('9');
    for (const range of [{ start: 10 }, { start: 5, end: 4 }, { start: -1 }]) {
      expect(await codeOf(store.read('bytes', range))).toBe('RANGE_INVALID');
    }
    await store.put('nothing', Buffer.alloc(0));
    expect(await text(await store.read('nothing'))).toBe('');
    expect(await codeOf(store.read('nothing', { start: 0 }))).toBe('RANGE_INVALID');
    const large = Buffer.alloc(3_000_000, 'abc');
    await store.put('large', large);
    expect((await buffer(await store.read('large'))).equals(large)).toBe(true);
  });

  test('of many that create one key at once, exactly one does', async () => {
    const won = await Promise.all(
      Array.from({ length: 20 }, (_, n) => store.putIfAbsent('claims/1', Buffer.from(String(n))))
    );
    expect(won.filter(Boolean)).toHaveLength(1);
    expect((await store.get('claims/1'))?.toString()).toBe(String(won.indexOf(true)));
    expect(await store.putIfAbsent('claims/1', Buffer.from('late'))).toBe(false);
  });

  test('lists in the order of UTF-8 bytes, a page at a time', async () => {
    const keys = ['a-b', 'a/b', 'a/b-c', 'a/b/c', 'a0', 'b/z/z', 'b/é', 'b/\u{1F600}', 'b/\uFF5E', 'c'];
    const sorted = [...keys].sort((x, y) => Buffer.compare(Buffer.from(x), Buffer.from(y)));
    // A folder of the local store cannot have the name of an object: that pair is not put.
    for (const key of keys.filter((key) => key !== 'a/b')) await store.put(key, Buffer.from(key));
    const there = sorted.filter((key) => key !== 'a/b');
    for (const limit of [1, 2, 3, 100]) expect(await all('', limit)).toEqual(there);
    expect(await all('b/', 2)).toEqual(there.filter((key) => key.startsWith('b/')));
    expect(await all('a/b', 1)).toEqual(['a/b-c', 'a/b/c']);
    expect(await all('nothing/here', 5)).toEqual([]);
  });

  test('gives keys back as they were put, whatever they look like', async () => {
    const keys = ['007', '1e3', ' a ', 'a+b %2B', '<Key>&amp;"\'', 'a b/ö(1)!*', 'true', 'e\u0301', '\u00e9', 'n.ull'];
    for (const key of keys) await store.put(key, Buffer.from(key));
    expect((await all('', 3)).sort()).toEqual([...keys].sort());
    for (const key of keys) expect((await store.get(key))?.toString()).toBe(key);
    expect(await all(' ', 3)).toEqual([' a ']);
  });

  test('lists one level, a page at a time, without what is below', async () => {
    const keys = ['data/a b/x', 'data/a b/y', 'data/a b-c', 'data/é/1', 'data/z', 'data/\u{1F600}/1', 'data1/x', 'top'];
    for (const key of keys) await store.put(key, Buffer.from(key));
    for (const limit of [1, 2, 3, 100]) {
      const seen: string[] = [];
      for (let cursor: string | null = null; ;) {
        const page = await store.listLevel('data/', { limit, ...(cursor === null ? {} : { cursor }) });
        expect(page.objects.length + page.folders.length).toBeLessThanOrEqual(limit);
        seen.push(...page.folders, ...page.objects.map(({ key }) => key));
        cursor = page.nextCursor;
        if (cursor === null) break;
      }
      expect(seen.sort()).toEqual(['data/a b-c', 'data/a b/', 'data/z', 'data/é/', 'data/\u{1F600}/'].sort());
    }
    expect(await store.listLevel('')).toMatchObject({ folders: ['data/', 'data1/'], objects: [{ key: 'top' }] });
    expect(await store.listLevel('nothing/')).toEqual({ folders: [], objects: [], nextCursor: null });
  });

  test('a prefix takes no sibling with it', async () => {
    for (const key of ['runs/run-1/x', 'runs/run-1/y/z', 'runs/run-10/x', 'runs/run-1.json'])
      await store.put(key, Buffer.from(key));
    expect(await codeOf(store.deletePrefix('runs/run-1'))).toBe('PATH_INVALID');
    await store.deletePrefix('runs/run-1/');
    expect(await all('', 10)).toEqual(['runs/run-1.json', 'runs/run-10/x']);
    await store.deletePrefix('runs/run-1/');
  });

  test.each([
    '',
    '/a',
    'a/',
    'a//b',
    '.',
    '..',
    '../a',
    'a/../b',
    'a/./b',
    'a/..',
    'a\0b',
    'a\nb',
    '\ud800',
    'x'.repeat(256),
    `${'x/'.repeat(600)}x`
  ])('refuses the key %j', async (key) => {
    for (const act of [
      () => store.put(key, Buffer.from('x')),
      () => store.putIfAbsent(key, Buffer.from('x')),
      () => store.get(key),
      () => store.head(key),
      () => store.read(key),
      () => store.delete(key),
      () => store.deletePrefix(`${key}/`)
    ]) {
      expect(await codeOf(act())).toBe('PATH_INVALID');
    }
  });
  test('refuses a list that starts outside', async () => {
    for (const prefix of ['../', '/', 'a/../../', './']) expect(await codeOf(store.list(prefix))).toBe('PATH_INVALID');
  });

  test('sync returns', async () => {
    await store.put('a/b/c', Buffer.from('x'));
    await store.sync();
  });
});

describe('local', () => {
  let outside: string;
  let root: string;
  let store: LocalObjectStore;
  beforeEach(() => {
    outside = mkdtempSync(join(tmpdir(), 'labscale-outside-'));
    root = join(outside, 'objects');
    store = new LocalObjectStore(root);
    writeFileSync(join(outside, 'secret'), 'secret');
    mkdirSync(join(outside, 'objects-sibling'));
    symlinkSync('..', join(root, 'up'));
    symlinkSync('../secret', join(root, 'link'));
    mkdirSync(join(root, 'folder'));
    symlinkSync('../../objects-sibling', join(root, 'folder', 'sideways'));
  });
  afterEach(() => rmSync(outside, { recursive: true }));

  test('follows no link, neither out nor within', async () => {
    for (const key of ['up/secret', 'link', 'folder/sideways/x', 'up/objects/link']) {
      expect(await store.get(key)).toBeUndefined();
      expect(await store.head(key)).toBeUndefined();
      expect(await codeOf(store.read(key))).toBe('NOT_FOUND');
    }
    for (const key of ['up/new', 'folder/sideways/x', 'folder/sideways/deep/x', 'link']) {
      expect(await codeOf(store.put(key, Buffer.from('x')))).toBe('PATH_INVALID');
    }
    expect(await codeOf(store.putIfAbsent('up/new', Buffer.from('x')))).toBe('PATH_INVALID');
    expect(await store.putIfAbsent('link', Buffer.from('x'))).toBe(false);
    await store.delete('up/secret');
    await store.deletePrefix('folder/sideways/');
    await store.deletePrefix('up/objects-sibling/');
    await store.deletePrefix('up/');
    expect((await store.list('')).objects).toEqual([]);
    expect((await store.list('up/')).objects).toEqual([]);
    expect(readdirSync(outside).sort()).toEqual(['objects', 'objects-sibling', 'secret']);
    expect(readdirSync(join(outside, 'objects-sibling'))).toEqual([]);
  });

  test('what is half written is no object, cannot be named, and goes when it is old', async () => {
    const part = join(root, '.incoming', 'part');
    writeFileSync(part, 'half');
    expect((await store.list('')).objects).toEqual([]);
    expect(await codeOf(store.get('.incoming/part'))).toBe('PATH_INVALID');
    await store.sweep();
    expect(existsSync(part)).toBe(true);
    utimesSync(part, 0, 0);
    await store.sweep();
    expect(existsSync(part)).toBe(false);
  });

  test('a named pipe in the way is nothing, and waits for nobody', async () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    expect(await store.get('pipe')).toBeUndefined();
    expect((await store.list('')).objects).toEqual([]);
  });

  test('an object in the way of a folder is said', async () => {
    await store.put('a', Buffer.from('x'));
    expect(await codeOf(store.put('a/b', Buffer.from('x')))).toBe('PATH_INVALID');
    expect(await codeOf(store.put('folder', Buffer.from('x')))).toBe('PATH_INVALID');
    expect(await store.get('a/b')).toBeUndefined();
    expect(readdirSync(join(root, '.incoming'))).toEqual([]);
  });

  test('without the program sync, every file and folder is written by itself', async () => {
    const path = process.env['PATH'];
    process.env['PATH'] = '/nowhere';
    try {
      await store.put('a/b', Buffer.from('x'));
      await store.sync();
    } finally {
      process.env['PATH'] = path;
    }
  });
});
