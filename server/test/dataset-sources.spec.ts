import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Dataset, DatasetVersion, Run, Shard } from '@labscale/schema';
import { askSigned } from '../src/objects/signed-request.js';
import { describeWithMinio, startMinio, type MinioServer } from './minio-server.js';
import { makeCommandAnalysis, makeSet, promote, runIn, tasksOf } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

/** Objects that somebody puts beside those of the server, and a look at both. */
interface Place {
  environment: Record<string, string>;
  uploads: boolean;
  put: (key: string, text: string) => Promise<void>;
  remove: (key: string) => Promise<void>;
  /** Text that changes when an object is written, be it with the same bytes. */
  mark: (key: string) => Promise<string>;
  isMarked: (key: string, mark: string) => Promise<boolean>;
}

let server: TestServer;
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const file = (path: string) => join(server.project, 'data', path);
const write = (files: Record<string, string>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(file(path)), { recursive: true });
    writeFileSync(file(path), text);
  }
};

async function settled(versionId: string): Promise<DatasetVersion> {
  for (;;) {
    const version = await server.call('getDatasetVersion', { params: { versionId } });
    if (version.indexing.state !== 'digesting') return version;
    await new Promise(setImmediate);
  }
}

async function register(source: object, name = 'data'): Promise<Dataset> {
  const { id, latestVersion } = await server.call('createDataset', { body: { name, source } });
  const { indexing } = await settled(latestVersion.id);
  expect(indexing).toMatchObject({ state: 'ready' });
  return server.call('getDataset', { params: { datasetId: id } });
}

const folder = (more: object = {}) => ({ kind: 'folder', path: 'data', layout: 'file-per-shard', ...more });
const prefix = (of: string, more: object = {}) => ({ kind: 'bucket', prefix: of, layout: 'file-per-shard', ...more });
const refusal = (source: object) => server.problem('createDataset', { body: { name: 'refused', source } });
const shardsOf = async ({ latestVersion }: Dataset): Promise<Shard[]> =>
  (await server.call('listShards', { params: { versionId: latestVersion.id }, query: { limit: 1000 } })).items;
const keysOf = async (dataset: Dataset) => (await shardsOf(dataset)).map(({ key }) => key);
const check = async ({ id }: Dataset) => server.call('checkDataset', { params: { datasetId: id } });
const next = async ({ id }: Dataset) => {
  const { id: versionId } = await server.call('createDatasetVersion', { params: { datasetId: id } });
  return settled(versionId);
};
const textOf = async ({ latestVersion }: Dataset, shard: string, path: string, range?: string) =>
  (
    await server.inject('getObject', {
      params: { versionId: latestVersion.id },
      query: { shard, path },
      headers: range === undefined ? {} : { range }
    })
  ).body;
const codeOf = async (dataset: Dataset, shard: string, path: string) =>
  (JSON.parse(await textOf(dataset, shard, path)) as { code: string }).code;
const uploaded = (dataset: Dataset, text: string) => `datasets/${dataset.id}/objects/${sha256(text)}`;

/** As if the server had been killed before it had taken in any object. */
async function unread({ latestVersion }: Dataset): Promise<void> {
  const { database } = server.metadata;
  for (const { index, objectsJson } of await database.selectFrom('shard').selectAll().execute()) {
    const objects = (JSON.parse(objectsJson) as { at: string; from?: string }[]).map(({ from, ...object }) => ({
      ...object,
      digest: '',
      at: from ?? object.at
    }));
    const change = { digest: '', objectsJson: JSON.stringify(objects) };
    await database.updateTable('shard').set(change).where('index', '=', index).execute();
  }
  const change = { indexingState: 'digesting', indexingDone: 0, digest: null } as const;
  await database.updateTable('datasetVersion').set(change).where('id', '=', latestVersion.id).execute();
}

function bodies(place: () => Place): void {
  beforeEach(async () => {
    server = await startTestServer({ PATH: process.env['PATH'] ?? '', ...place().environment });
  });
  afterEach(() => server.close());

  test('a folder is uploaded where its files are not seen by tasks, and else where it is asked for', async () => {
    write({ 'a.txt': 'a' });
    const { source } = await register(folder());
    expect(source).toEqual(folder({ upload: place().uploads }));
    const other = await register(folder({ upload: !place().uploads }), 'other');
    expect(other.source).toEqual(folder({ upload: !place().uploads }));
  });

  describe('an uploaded folder', () => {
    test('is read from the store, part by part, although the folder has gone', async () => {
      const large = 'x'.repeat(9_000_000);
      write({ 'sub-1/é b.txt': 'a', 'sub-2/é b.txt': 'bb', 'sub-3/é b.txt': large, 'sub-4/nothing.txt': '' });
      const dataset = await register(folder({ upload: true, layout: 'folder-per-shard' }));
      expect(dataset.latestVersion.sizeBytes).toBe(9_000_003);
      rmSync(file(''), { recursive: true });
      expect(await textOf(dataset, 'sub-2', 'é b.txt')).toBe('bb');
      expect(await textOf(dataset, 'sub-3', 'é b.txt', 'bytes=8999998-')).toBe('xx');
      expect(await textOf(dataset, 'sub-4', 'nothing.txt')).toBe('');
      expect((await shardsOf(dataset))[2]).toMatchObject({
        objects: [{ path: 'é b.txt', sizeBytes: 9_000_000, digest: `sha256:${sha256(large)}` }]
      });
    });

    test('has the digest that it has where it is', async () => {
      write({ 'a.txt': 'a', 'participants.tsv': 'participant_id\tage\n1\t3\n', 'sub-1_b.txt': 'b' });
      const there = await register(folder({ upload: false }), 'there');
      const dataset = await register(folder({ upload: true }));
      expect(dataset.latestVersion.digest).toBe(there.latestVersion.digest);
    });

    test('is compared with its folder; a next version sends only what changed', async () => {
      write({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
      const dataset = await register(folder({ upload: true }));
      expect(await check(dataset)).toEqual({
        current: true,
        changes: { added: 0, removed: 0, modified: 0, unchanged: 3 }
      });
      expect((await next(dataset)).id).toBe(dataset.latestVersion.id);
      const before = await place().mark(uploaded(dataset, 'a'));
      write({ 'b.txt': 'other', 'd.txt': 'd' });
      unlinkSync(file('c.txt'));
      const changes = { added: 1, removed: 1, modified: 1, unchanged: 1 };
      expect(await check(dataset)).toEqual({ current: false, changes });
      expect(await next(dataset)).toMatchObject({ number: 2, changes, indexing: { state: 'ready' } });
      const now = await server.call('getDataset', { params: { datasetId: dataset.id } });
      expect(await textOf(now, 'b.txt', 'b.txt')).toBe('other');
      expect(await textOf(now, 'a.txt', 'a.txt')).toBe('a');
      // The version before has what it had.
      expect(await textOf(dataset, 'b.txt', 'b.txt')).toBe('b');
      expect(await textOf(dataset, 'c.txt', 'c.txt')).toBe('c');
      expect(await place().isMarked(uploaded(dataset, 'a'), before)).toBe(true);
      expect(await check(now)).toMatchObject({ current: true });
    });

    test('goes on after a restart, and does not send again what is there', async () => {
      const files = Array.from({ length: 60 }, (_, n) => [`${n}.txt`, String(n)]);
      write(Object.fromEntries(files));
      const dataset = await register(folder({ upload: true }));
      await unread(dataset);
      const before = await place().mark(uploaded(dataset, '7'));
      await place().remove(uploaded(dataset, '8'));
      await server.restart();
      expect(await settled(dataset.latestVersion.id)).toEqual(dataset.latestVersion);
      expect(await place().isMarked(uploaded(dataset, '7'), before)).toBe(true);
      expect(await textOf(dataset, '8.txt', '8.txt')).toBe('8');
    });

    test('loses nothing to a server that is stopped while it sends', async () => {
      write(Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`${n}.txt`, String(n)])));
      const { latestVersion } = await server.call('createDataset', {
        body: { name: 'data', source: folder({ upload: true }) }
      });
      await server.restart();
      expect(await settled(latestVersion.id)).toMatchObject({ indexing: { state: 'ready', done: 250 } });
    });

    test('tells the bytes of a large file as they go, and goes on with it after a restart', async () => {
      write({ 'large.bin': '' });
      truncateSync(file('large.bin'), 150_000_000);
      const { latestVersion } = await server.call('createDataset', {
        body: { name: 'data', source: folder({ upload: true }) }
      });
      const params = { versionId: latestVersion.id };
      let { indexing } = latestVersion;
      while (indexing.state === 'digesting' && !indexing.doneBytes) {
        ({ indexing } = await server.call('getDatasetVersion', { params }));
        await new Promise(setImmediate);
      }
      expect(indexing).toMatchObject({ state: 'digesting', done: 0, totalBytes: 150_000_000 });
      await server.restart();
      expect((await server.call('getDatasetVersion', { params })).indexing.state).toBe('digesting');
      expect(await settled(latestVersion.id)).toMatchObject({
        sizeBytes: 150_000_000,
        indexing: { state: 'ready', done: 1 }
      });
    });

    test('that lost a file says so; the next version goes on with the others', async () => {
      write({ 'a.txt': 'a', 'b.txt': 'b' });
      const dataset = await register(folder({ upload: true }));
      await unread(dataset);
      unlinkSync(file('b.txt'));
      await server.restart();
      expect((await settled(dataset.latestVersion.id)).indexing).toMatchObject({
        state: 'failed',
        detail: 'b.txt cannot be read: it has gone.'
      });
      expect(await next(dataset)).toMatchObject({ number: 2, shardCount: 1, indexing: { state: 'ready' } });
    });

    test('leaves nothing in the store where its dataset is removed while it is uploaded', async () => {
      write(Object.fromEntries(Array.from({ length: 20 }, (_, n) => [`${n}.txt`, String(n)])));
      write({ 'large.bin': '' });
      truncateSync(file('large.bin'), 60_000_000);
      const dataset = await server.call('createDataset', {
        body: { name: 'data', source: folder({ upload: true }) }
      });
      const params = { versionId: dataset.latestVersion.id };
      let { indexing } = dataset.latestVersion;
      while (indexing.state === 'digesting' && !indexing.doneBytes) {
        ({ indexing } = await server.call('getDatasetVersion', { params }));
        await new Promise(setImmediate);
      }
      await server.call('deleteDataset', { params: { datasetId: dataset.id } });
      await server.restart();
      for (let n = 0; n < 20; n++) expect(await place().isMarked(uploaded(dataset, String(n)), '')).toBe(false);
    });

    test('is removed from the store with its dataset; the folder stays', async () => {
      write({ 'a.txt': 'a' });
      const dataset = await register(folder({ upload: true }));
      await server.call('deleteDataset', { params: { datasetId: dataset.id } });
      expect(await place().isMarked(uploaded(dataset, 'a'), '')).toBe(false);
      expect(readFileSync(file('a.txt'), 'utf8')).toBe('a');
    });
  });

  describe('a prefix', () => {
    const { put, remove } = {
      put: async (objects: Record<string, string>) => {
        for (const [key, text] of Object.entries(objects)) await place().put(key, text);
      },
      remove: (key: string) => place().remove(key)
    };

    test('is registered where it is, with entities and metadata, and nothing of it is copied', async () => {
      await put({
        'study/sub-01_é b.txt': 'a',
        'study/deep/er/sub-02_x.txt': 'bb',
        'study/.hidden/x': 'x',
        'study/README.md': 'about',
        'study/participants.tsv': 'participant_id\tage\nsub-02\t61\n',
        'study2/x.txt': 'x'
      });
      const dataset = await register(prefix('study'));
      expect(dataset.source).toMatchObject({ kind: 'bucket', prefix: 'study/' });
      expect(await shardsOf(dataset)).toMatchObject([
        { key: 'deep/er/sub-02_x.txt', metadata: { age: 61 }, objects: [{ path: 'sub-02_x.txt', sizeBytes: 2 }] },
        { key: 'sub-01_é b.txt', objects: [{ digest: `sha256:${sha256('a')}` }] }
      ]);
      expect(await textOf(dataset, 'deep/er/sub-02_x.txt', 'sub-02_x.txt', 'bytes=1-')).toBe('b');
      const { folders } = await server.call('browseBucket');
      expect(folders).toEqual(['study/', 'study2/']);
      expect(await place().isMarked(uploaded(dataset, 'a'), '')).toBe(false);
    });

    test('has the digest that the same data have in a folder', async () => {
      await put({ 'ds1/sub-1/a.txt': 'a', 'ds1/sub-2/a.txt': 'b', 'ds10/sub-3/a.txt': 'c' });
      write({ 'sub-1/a.txt': 'a', 'sub-2/a.txt': 'b' });
      const pattern = { layout: 'pattern', pattern: 'sub-{sub}/a.txt' };
      const inPlace = await register(prefix('ds1', pattern), 'in place');
      expect(await keysOf(inPlace)).toHaveLength(2);
      const { latestVersion } = await register(folder(pattern));
      expect(inPlace.latestVersion.digest).toBe(latestVersion.digest);
    });

    test('is compared by keys, sizes and ETags; a next version reads what changed', async () => {
      await put({ 'ds/a.txt': 'a', 'ds/b.txt': 'b', 'ds/c.txt': 'c' });
      const dataset = await register(prefix('ds/'));
      expect(await check(dataset)).toMatchObject({ current: true });
      await put({ 'ds/b.txt': 'B', 'ds/d.txt': 'd' });
      await remove('ds/c.txt');
      const changes = { added: 1, removed: 1, modified: 1, unchanged: 1 };
      expect(await check(dataset)).toEqual({ current: false, changes });
      expect(await next(dataset)).toMatchObject({ number: 2, changes, indexing: { state: 'ready' } });
    });

    test('is read only as it was registered', async () => {
      await put({ 'ds/a.txt': 'same', 'ds/b.txt': 'b', 'ds/c.txt': 'c', 'ds/d.txt': 'd' });
      const dataset = await register(prefix('ds'));
      await put({ 'ds/a.txt': 'same', 'ds/b.txt': 'B', 'ds/c.txt': 'longer' });
      await remove('ds/d.txt');
      expect(await textOf(dataset, 'a.txt', 'a.txt')).toBe('same');
      for (const name of ['b.txt', 'c.txt', 'd.txt']) {
        expect([name, await codeOf(dataset, name, name)]).toEqual([name, 'DATASET_CHANGED']);
      }
    });

    test('that lost an object while it is read says so', async () => {
      await put({ 'ds/a.txt': 'a', 'ds/b.txt': 'b' });
      const dataset = await register(prefix('ds'));
      await unread(dataset);
      await remove('ds/b.txt');
      await server.restart();
      expect((await settled(dataset.latestVersion.id)).indexing).toMatchObject({
        state: 'failed',
        detail: 'ds/b.txt cannot be read: it has gone.'
      });
      expect(await next(dataset)).toMatchObject({ number: 2, shardCount: 1, indexing: { state: 'ready' } });
    });

    test('that changed while the server was away is what it is now', async () => {
      await put({ 'ds/a.txt': 'a' });
      const dataset = await register(prefix('ds'));
      await unread(dataset);
      await put({ 'ds/a.txt': 'other' });
      await server.restart();
      await settled(dataset.latestVersion.id);
      expect((await shardsOf(dataset))[0]).toMatchObject({ sizeBytes: 5, digest: expect.any(String) });
      expect(await textOf(dataset, 'a.txt', 'a.txt')).toBe('other');
    });

    test.each(['runs', 'runs/run-1/', 'datasets/', 'analyses/x', 'thumbnails', ''])(
      'of the server’s own is refused: "%s"',
      async (own) => {
        await put({ 'runs/run-1/a': 'a', 'runsx/a': 'a' });
        expect(await refusal(prefix(own))).toMatchObject({ code: 'PATH_INVALID', field: 'body/source/prefix' });
        await register(prefix('runsx'));
      }
    );

    test('that is none, or has nothing below it, is refused', async () => {
      const field = 'body/source/prefix';
      for (const none of ['/ds', '../ds', 'a//b', 'a/./b', 'x'.repeat(300)])
        expect(await refusal(prefix(none))).toMatchObject({ code: 'PATH_INVALID', field });
      expect(await refusal(prefix('nothing'))).toMatchObject({ code: 'FOLDER_EMPTY', field });
      await put({ 'ds/a.txt': 'a', 'ds/shards.csv': 'name\na.txt\n' });
      expect(await refusal(prefix('ds'))).toMatchObject({
        code: 'METADATA_INVALID',
        field
      });
      expect(await refusal(prefix('ds', { bucket: 'other' }))).toMatchObject({
        code: 'PATH_INVALID',
        field: 'body/source/bucket'
      });
      expect((await server.call('listDatasets')).total).toBe(0);
    });

    test('can be browsed a page at a time, without the folders of the server', async () => {
      await put({ 'runs/run-1/a': 'a', 'top.txt': 'x' });
      for (let n = 0; n < 5; n++) await put({ [`ds/f${n}/x`]: 'x', [`ds/o${n}`]: 'xx' });
      expect(await server.call('browseBucket')).toMatchObject({
        prefix: '',
        folders: ['ds/'],
        objects: [{ key: 'top.txt', sizeBytes: 1 }],
        nextCursor: null
      });
      const seen = [];
      for (let cursor: string | null = null; ;) {
        const query: Record<string, string | number> = {
          prefix: 'ds',
          limit: 3,
          ...(cursor === null ? {} : { cursor })
        };
        const page = await server.call('browseBucket', { query });
        seen.push(...page.folders, ...page.objects.map(({ key }) => key));
        cursor = page.nextCursor;
        if (cursor === null) break;
      }
      expect(seen).toEqual([0, 1, 2, 3, 4].map((n) => `ds/f${n}/`).concat([0, 1, 2, 3, 4].map((n) => `ds/o${n}`)));
      expect(await server.problem('browseBucket', { query: { prefix: 'runs/run-1' } })).toMatchObject({
        code: 'PATH_INVALID',
        field: 'query/prefix'
      });
      expect(await server.problem('browseBucket', { query: { cursor: 'x' } })).toMatchObject({
        code: 'CURSOR_INVALID'
      });
    });
  });

  test('a run reads objects where they are, and none that is no longer what was registered', async () => {
    write({ 'a.txt': 'same' });
    for (const at of ['ds/a b.txt', 'other/b.txt']) await place().put(at, 'same');
    const analysisVersionId = await makeCommandAnalysis(server, undefined, {
      outputs: [{ path: 'copy.txt', required: true }]
    });
    const set = await makeSet(server, analysisVersionId);
    const run = async (dataset: Dataset, ...states: Run['state'][]) => {
      const datasetVersionId = dataset.latestVersion.id;
      const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId, reuse: false };
      const { id } = await promote(server, promotion);
      return runIn(server, id, ...states);
    };
    for (const upload of [true, false]) {
      const { derivatives } = await run(await register(folder({ upload }), `folder ${upload}`), 'succeeded');
      const made = { latestVersion: { id: derivatives!.datasetVersionId } } as Dataset;
      expect(await textOf(made, 'a.txt', 'copy.txt')).toBe('same');
    }
    const inPlace = await register(prefix('ds'));
    const { derivatives } = await run(inPlace, 'succeeded');
    const made = { latestVersion: { id: derivatives!.datasetVersionId } } as Dataset;
    expect(await textOf(made, 'a b.txt', 'copy.txt')).toBe('same');
    await place().put('ds/a b.txt', 'SAME');
    const failed = await run(inPlace, 'failed');
    const [task] = await tasksOf(server, failed.id);
    expect(task).toMatchObject({ state: 'failed', exitKind: 'shard-changed' });
  });

  test('a snippet names the files that are on the disk of the server, and leaves the others out', async () => {
    write({ 'a.txt': 'a' });
    await place().put('ds/a.txt', 'a');
    for (const source of [folder({ upload: true }), prefix('ds')]) {
      const dataset = await register(source, source.kind);
      const { id } = await server.call('createSnippet', { body: { datasetVersionId: dataset.latestVersion.id } });
      const { shards } = await server.call('getSnippetFiles', { params: { snippetId: id } });
      const [object] = shards[0]!.objects;
      expect(object!.path).toBe('a.txt');
      if (place().uploads) expect(object!.file).toBeUndefined();
      else expect(readFileSync(object!.file!, 'utf8')).toBe('a');
    }
  });
}

describe('datasets on local objects', () => {
  const at = (key: string) => join(server.config.dataFolder, 'objects', key);
  const markOf = (key: string) => {
    const found = statSync(at(key), { throwIfNoEntry: false });
    return found === undefined ? undefined : `${found.ino} ${found.mtimeMs}`;
  };
  bodies(() => ({
    environment: { LABSCALE_OBJECTS: 'local' },
    uploads: false,
    put: async (key, text) => {
      // Another file each time, as the number of a file that was removed is soon taken again.
      mkdirSync(dirname(at(key)), { recursive: true });
      writeFileSync(at(key), text);
    },
    remove: async (key) => unlinkSync(at(key)),
    mark: async (key) => markOf(key)!,
    isMarked: async (key, mark) => (mark === '' ? markOf(key) !== undefined : markOf(key) === mark)
  }));

  test('what is half written is no data', async () => {
    writeFileSync(at('.incoming/part'), 'half');
    expect(await refusal(prefix('.incoming'))).toMatchObject({ code: 'FOLDER_EMPTY' });
  });

  test('a name that is no key is refused', async () => {
    mkdirSync(at('ds'), { recursive: true });
    writeFileSync(at('ds/a\nb.txt'), 'a');
    expect(await refusal(prefix('ds'))).toMatchObject({
      code: 'PATH_INVALID',
      detail: expect.stringContaining('a\nb.txt')
    });
  });
});

describeWithMinio('datasets on MinIO', () => {
  let minio: MinioServer;
  const ask = (method: string, path: string, more: { headers?: Record<string, string>; body?: string } = {}) =>
    askSigned(minio.root, { method, path, ...more });
  const put = async (bucket: string, key: string, body: string, headers: Record<string, string> = {}) => {
    expect((await ask('PUT', `/${bucket}/${key}`, { body, headers })).status).toBe(200);
  };
  beforeEach(async () => {
    minio = await startMinio({ dataBuckets: ['scans'] });
  });
  afterEach(() => minio.stop());

  bodies(() => ({
    environment: minio.environment,
    uploads: true,
    put: (key, text) => put(minio.bucket, key, text),
    remove: async (key) => {
      await ask('DELETE', `/${minio.bucket}/${key}`);
    },
    mark: async (key) => {
      const { body } = await ask('GET', `/${minio.bucket}/${key}`);
      await put(minio.bucket, key, body.toString(), { 'x-amz-meta-mark': 'marked' });
      return 'marked';
    },
    isMarked: async (key, mark) => {
      const { status, headers } = await ask('HEAD', `/${minio.bucket}/${key}`);
      return status === 200 && (mark === '' || headers['x-amz-meta-mark'] === mark);
    }
  }));

  test('a bucket that the administrator allows is registered, as a whole too', async () => {
    await put('scans', 'sub-1/a.txt', 'a');
    await put('scans', 'runs/a.txt', 'b');
    await put('scans', 'sub-2/', '');
    const dataset = await register(prefix('', { bucket: 'scans' }));
    expect(dataset.source).toEqual(prefix('', { bucket: 'scans' }));
    expect(await keysOf(dataset)).toEqual(['runs/a.txt', 'sub-1/a.txt']);
    expect(await textOf(dataset, 'sub-1/a.txt', 'a.txt')).toBe('a');
    const browsed = await server.call('browseBucket', { query: { bucket: 'scans' } });
    expect(browsed).toMatchObject({ buckets: ['labscale', 'scans'], folders: ['runs/', 'sub-1/', 'sub-2/'] });
    expect((await server.call('browseBucket', { query: { bucket: 'scans', prefix: 'sub-2' } })).objects).toEqual([]);
    const analysisVersionId = await makeCommandAnalysis(server);
    const { id } = await promote(server, {
      analysisVersionId,
      parameterSetVersionIds: [await makeSet(server, analysisVersionId)],
      datasetVersionId: dataset.latestVersion.id
    });
    expect((await runIn(server, id, 'succeeded')).counts).toMatchObject({ succeeded: 2 });
  });

  test('a key that cannot be that of a shard is refused with its name', async () => {
    await put('scans', 'ds/fine.txt', 'x');
    await put('scans', 'ds/a\u0001.txt', 'a');
    expect(await refusal(prefix('ds', { bucket: 'scans' }))).toMatchObject({
      code: 'PATH_INVALID',
      detail: expect.stringContaining('ds/a\u0001.txt'),
      mend: 'Rename the object, or choose a prefix without it.'
    });
  });

  test('a key of 1,024 bytes is registered and read', async () => {
    const name = ['ds', ...Array.from({ length: 5 }, () => 'é'.repeat(85)), 'x'.repeat(166)].join('/');
    expect(Buffer.byteLength(name)).toBe(1_024);
    await put('scans', name, 'far');
    const dataset = await register(prefix('ds', { bucket: 'scans' }));
    const [shard] = await shardsOf(dataset);
    expect(await textOf(dataset, shard!.key, shard!.objects[0]!.path)).toBe('far');
  });

  test('an upload fails clearly while the store is away, and can be tried again', async () => {
    write({ 'a.txt': 'a', 'b.txt': 'b' });
    await minio.kill('SIGKILL');
    const { id, latestVersion } = await server.call('createDataset', { body: { name: 'data', source: folder() } });
    const { indexing } = await settled(latestVersion.id);
    expect(indexing).toMatchObject({ state: 'failed', detail: expect.stringContaining('cannot be reached') });
    await minio.start();
    const { id: versionId } = await server.call('createDatasetVersion', { params: { datasetId: id } });
    expect(await settled(versionId)).toMatchObject({ number: 2, shardCount: 2, indexing: { state: 'ready' } });
  });
});
