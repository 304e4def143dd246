import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Dataset, DatasetVersion, ServerEvent, Shard } from '@labscale/schema';
import { startTestServer, type Input, testOnDisk, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const file = (path: string) => join(server.project, 'data', path);
const write = (files: Record<string, string>) => {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(file(path)), { recursive: true });
    writeFileSync(file(path), text);
  }
};
const sha256 = (text: string) => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** The version once it is no longer digesting. */
async function settled(versionId: string): Promise<DatasetVersion> {
  for (;;) {
    const version = await server.call('getDatasetVersion', { params: { versionId } });
    if (version.indexing.state !== 'digesting') return version;
    await new Promise(setImmediate);
  }
}

const body = (source: Record<string, unknown> = {}, name = 'data') => ({
  name,
  source: { kind: 'folder', path: 'data', layout: 'file-per-shard', ...source }
});

async function register(source: Record<string, unknown> = {}, name = 'data'): Promise<Dataset> {
  const { id, latestVersion } = await server.call('createDataset', { body: body(source, name) });
  await settled(latestVersion.id);
  return server.call('getDataset', { params: { datasetId: id } });
}

const refusal = async (source: Record<string, unknown> = {}) => {
  const problem = await server.problem('createDataset', { body: body(source) });
  // Nothing is left of what was refused.
  expect((await server.call('listDatasets')).items).toEqual([]);
  expect(await server.metadata.database.selectFrom('shard').selectAll().execute()).toEqual([]);
  return problem;
};

const shardsOf = async (dataset: Dataset, query: Input['query'] = {}): Promise<Shard[]> =>
  (await server.call('listShards', { params: { versionId: dataset.latestVersion.id }, query })).items;
const keysOf = async (dataset: Dataset, filter: string) => (await shardsOf(dataset, { filter })).map(({ key }) => key);

describe('registering', () => {
  test('a file per shard, with entities by their names and digests of what is in them', async () => {
    write({ 'digit-0_batch-01.npy': 'zero', 'digit-1_batch-01.npy': 'one', '.hidden': 'x', 'deep/er/a.txt': 'a' });
    write({
      '.labscale/x': 'x',
      '.ipynb_checkpoints/y.ipynb': 'y',
      'README.md': 'about',
      'dataset_description.json': '{}'
    });
    const dataset = await register();
    expect(dataset).toMatchObject({
      name: 'data',
      owner: 'ana',
      versionCount: 1,
      derivativeCount: 0,
      source: { path: 'data' }
    });
    expect(dataset.latestVersion).toMatchObject({
      number: 1,
      shardCount: 3,
      sizeBytes: 8,
      entityNames: ['digit', 'batch', 'extension'],
      changes: null,
      indexing: { state: 'ready', done: 3, total: 3 }
    });
    expect(await shardsOf(dataset)).toMatchObject([
      { index: 0, key: 'deep/er/a.txt', entities: {}, objects: [{ path: 'a.txt', mediaType: 'text/plain' }] },
      { index: 1, key: 'digit-0_batch-01.npy', entities: { digit: '0', batch: '01', extension: '.npy' } },
      { index: 2, objects: [{ path: 'digit-1_batch-01.npy', sizeBytes: 3, digest: sha256('one') }] }
    ]);
  });

  test('a folder per shard', async () => {
    write({ 'window-1/history.csv': 'a', 'window-1/future.csv': 'b', 'window-2/history.csv': 'c', 'top.csv': 'x' });
    const [first, second, ...others] = await shardsOf(await register({ layout: 'folder-per-shard' }));
    expect(others).toEqual([]);
    expect(first).toMatchObject({ key: 'window-1', entities: { window: '1' }, sizeBytes: 2 });
    expect(first?.objects.map(({ path }) => path)).toEqual(['future.csv', 'history.csv']);
    expect(second?.key).toBe('window-2');
  });

  test('a pattern', async () => {
    write({ 'sub-01/anat/sub-01_T1w.nii': 'a', 'sub-02/anat/sub-02_T1w.nii': 'b', 'sub-02/notes.txt': 'c' });
    const dataset = await register({ layout: 'pattern', pattern: 'sub-{sub}/anat/sub-{sub}_{suffix}.nii' });
    expect((await shardsOf(dataset)).map(({ entities }) => entities)).toEqual([
      { sub: '01', suffix: 'T1w' },
      { sub: '02', suffix: 'T1w' }
    ]);
  });

  test('metadata from participants.tsv and shards.csv, by type', async () => {
    write({ 'sub-01.txt': 'a', 'sub-02.txt': 'b', 'c.txt': 'c' });
    write({
      'participants.tsv': 'participant_id\tage\tsite\nsub-01\t61\tA\nsub-02\tn/a\tB\nsub-09\t1.5\tC\n',
      'shards.csv': 'key,code,good,site\nc.txt,01,true,"D, E"\nsub-01.txt,7,false,\n'
    });
    const dataset = await register();
    expect(dataset.latestVersion.metadataNames).toEqual(['code', 'good', 'site', 'age']);
    expect((await shardsOf(dataset)).map(({ key, metadata }) => [key, metadata])).toEqual([
      ['c.txt', { code: '01', good: true, site: 'D, E' }],
      ['sub-01.txt', { age: 61, site: 'A', code: '7', good: false }],
      ['sub-02.txt', { site: 'B' }]
    ]);
  });

  test('links to files within are files; links to folders within, pipes and the server’s own folder are passed over', async () => {
    write({ 'real/a.txt': 'a' });
    symlinkSync('real/a.txt', file('link.txt'));
    symlinkSync('real', file('folder'));
    execFileSync('mkfifo', [file('pipe')]);
    const dataset = await register();
    expect((await shardsOf(dataset)).map(({ key }) => key)).toEqual(['link.txt', 'real/a.txt']);
    const whole = await register({ path: '.' }, 'project');
    expect((await shardsOf(whole)).map(({ key }) => key)).toEqual(['data/link.txt', 'data/real/a.txt']);
  });

  testOnDisk(
    'the manifest lies in the store under its digest, and is the same for the same data elsewhere',
    async () => {
      write({ 'a.txt': 'a', 'b.txt': 'b' });
      const { id, latestVersion } = await register();
      const [hex] = readdirSync(join(server.config.dataFolder, 'objects/datasets', id, 'versions'));
      const manifest = readFileSync(
        join(server.config.dataFolder, 'objects/datasets', id, 'versions', hex ?? ''),
        'utf8'
      );
      expect(`sha256:${hex?.replace('.json', '')}`).toBe(latestVersion.digest);
      expect(sha256(manifest)).toBe(latestVersion.digest);
      expect(JSON.parse(manifest)).toMatchObject({ version: 1, shards: [{ key: 'a.txt' }, { key: 'b.txt' }] });
      mkdirSync(join(server.project, 'copy'));
      for (const name of ['b.txt', 'a.txt']) writeFileSync(join(server.project, 'copy', name), name[0]!);
      expect((await register({ path: join(server.project, 'copy') }, 'copy')).latestVersion.digest).toBe(
        latestVersion.digest
      );
    }
  );

  test('what happens is told as events', async () => {
    write({ 'a.txt': 'a' });
    const events: ServerEvent[] = [];
    const end = server.services.events.listen(({ event }) => events.push(event));
    const { id, latestVersion } = await register();
    end();
    expect(events[0]).toEqual({ type: 'changed', noun: 'dataset', id });
    expect(events).toContainEqual({ type: 'indexing', datasetId: id, version: latestVersion });
  });
});

describe('what cannot be registered', () => {
  test('a folder that is not there, is a file, or is empty', async () => {
    expect(await refusal()).toMatchObject({ code: 'FOLDER_NOT_FOUND', field: 'body/source/path' });
    writeFileSync(join(server.project, 'data'), 'x');
    expect(await refusal()).toMatchObject({ code: 'FOLDER_NOT_FOUND' });
    expect(await refusal({ path: 'data/deeper' })).toMatchObject({ code: 'FOLDER_NOT_FOUND' });
    expect(await refusal({ path: 'da\0ta' })).toMatchObject({ code: 'PATH_INVALID' });
    unlinkSync(join(server.project, 'data'));
    mkdirSync(join(server.project, 'data'));
    expect(await refusal()).toMatchObject({ code: 'FOLDER_EMPTY', field: 'body/source/path' });
    write({ '.hidden': 'x', 'README.md': 'x' });
    expect(await refusal()).toMatchObject({ code: 'FOLDER_EMPTY' });
    write({ 'a.txt': 'x' });
    expect(await refusal({ layout: 'folder-per-shard' })).toMatchObject({ code: 'FOLDER_EMPTY' });
  });

  test('a pattern that matches nothing, twice, or is none', async () => {
    write({ 'x_y_z.nii': 'x' });
    const field = 'body/source/pattern';
    expect(await refusal({ layout: 'pattern', pattern: 'sub-{sub}.nii' })).toMatchObject({
      code: 'PATTERN_NO_MATCH',
      field
    });
    expect(await refusal({ layout: 'pattern', pattern: '{a}_{b}.nii' })).toMatchObject({
      code: 'PATTERN_AMBIGUOUS',
      field
    });
    expect(await refusal({ layout: 'pattern', pattern: '{a' })).toMatchObject({ code: 'PATTERN_INVALID', field });
    expect(await refusal({ layout: 'pattern' })).toMatchObject({ code: 'PATTERN_INVALID', field });
    expect(await refusal({ pattern: '{a}' })).toMatchObject({ code: 'PATTERN_INVALID', field });
  });

  test.each(['.labscale', '.labscale/objects', 'data/.labscale', 'link'])(
    'a folder of the server’s own: %s',
    async (path) => {
      write({ '.labscale/x.txt': 'x' });
      symlinkSync('.labscale/objects', join(server.project, 'link'));
      mkdirSync(join(server.config.dataFolder, 'objects'), { recursive: true });
      expect(await refusal({ path })).toMatchObject({ code: 'PATH_INVALID', field: 'body/source/path' });
    }
  );

  test('links that lead out or nowhere', async () => {
    write({ 'a.txt': 'a' });
    writeFileSync(join(server.project, 'secret'), 'x');
    symlinkSync('../secret', file('out.txt'));
    expect(await refusal()).toMatchObject({ code: 'PATH_INVALID', detail: expect.stringContaining('out.txt') });
    unlinkSync(file('out.txt'));
    symlinkSync(tmpdir(), file('out'));
    expect(await refusal()).toMatchObject({ code: 'PATH_INVALID' });
    unlinkSync(file('out'));
    symlinkSync('nowhere', file('gone.txt'));
    expect(await refusal()).toMatchObject({ code: 'PATH_INVALID' });
  });

  test('names that cannot be keys', async () => {
    write({ 'a\nb.txt': 'a' });
    expect(await refusal()).toMatchObject({ code: 'PATH_INVALID' });
    unlinkSync(file('a\nb.txt'));
    writeFileSync(Buffer.concat([Buffer.from(file('x')), Buffer.from([0xff])]), 'x');
    expect(await refusal()).toMatchObject({ code: 'PATH_INVALID' });
  });

  test.each([
    ['without its key', 'shards.csv', 'name\na.txt\n'],
    ['with a row too short', 'shards.csv', 'key,x\na.txt\n'],
    ['with a key twice', 'shards.csv', 'key,x\na.txt,1\na.txt,2\n'],
    ['of no participants', 'participants.tsv', 'id\n1\n'],
    ['with a value too long', 'shards.tsv', `key\tx\na.txt\t${'y'.repeat(4_001)}\n`]
  ])('a table %s', async (_, name, text) => {
    write({ 'a.txt': 'a', [name]: text });
    expect(await refusal()).toMatchObject({ code: 'METADATA_INVALID', detail: expect.stringContaining(name) });
  });

  test('two tables of one kind', async () => {
    write({ 'a.txt': 'a', 'shards.csv': 'key\n', 'shards.tsv': 'key\n' });
    expect(await refusal()).toMatchObject({ code: 'METADATA_INVALID' });
  });

  test('a name that is taken, also by one who registers at the same time', async () => {
    write({ 'a.txt': 'a' });
    const answers = await Promise.all([1, 2, 3].map(() => server.inject('createDataset', { body: body() })));
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409, 409]);
    expect(await server.problem('createDataset', { body: body() })).toMatchObject({
      code: 'NAME_TAKEN',
      field: 'body/name'
    });
    const versions = await server.metadata.database.selectFrom('shard').select('versionId').distinct().execute();
    expect(versions).toHaveLength(1);
    await server.call('createDataset', { body: body(), as: 'ben' });
  });

  test('one idempotency key gives one dataset', async () => {
    write({ 'a.txt': 'a' });
    const headers = { 'idempotency-key': 'k' };
    const [first, second] = await Promise.all(
      [1, 2].map(() => server.call('createDataset', { body: body(), headers }))
    );
    expect((first as Dataset).id).toBe((second as Dataset).id);
    expect(await server.problem('createDataset', { body: body({}, 'other'), headers })).toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT'
    });
  });
});

describe('versions', () => {
  const next = async (dataset: Dataset) => {
    const { id } = await server.call('createDatasetVersion', { params: { datasetId: dataset.id } });
    return settled(id);
  };

  test('the same folder is the same version; a changed one is a new one that says what changed', async () => {
    write({ 'a.txt': 'a', 'b.txt': 'b', 'c.txt': 'c' });
    const dataset = await register();
    const params = { datasetId: dataset.id };
    expect(await server.call('checkDataset', { params })).toEqual({
      current: true,
      changes: { added: 0, removed: 0, modified: 0, unchanged: 3 }
    });
    expect((await next(dataset)).id).toBe(dataset.latestVersion.id);

    write({ 'b.txt': 'other', 'a2.txt': 'new', 'z.txt': 'new' });
    unlinkSync(file('c.txt'));
    const changes = { added: 2, removed: 1, modified: 1, unchanged: 1 };
    expect(await server.call('checkDataset', { params })).toEqual({ current: false, changes });
    const version = await next(dataset);
    expect(version).toMatchObject({ number: 2, shardCount: 4, sizeBytes: 12, changes, indexing: { state: 'ready' } });

    const listed = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const query: Record<string, string | number> = cursor === '' ? { limit: 2 } : { limit: 2, cursor };
      const page = await server.call('listShardChanges', { params: { versionId: version.id }, query });
      expect(page.total).toBe(4);
      listed.push(...page.items);
      cursor = page.nextCursor;
    }
    expect(listed.map(({ key, change }) => [key, change])).toEqual([
      ['a2.txt', 'added'],
      ['b.txt', 'modified'],
      ['c.txt', 'removed'],
      ['z.txt', 'added']
    ]);
    const versions = await server.call('listDatasetVersions', { params });
    expect(versions.items.map(({ number }) => number)).toEqual([2, 1]);
    // The version before is as it was.
    expect((await shardsOf(dataset)).map(({ key }) => key)).toEqual(['a.txt', 'b.txt', 'c.txt']);
  });

  test('files of the same name, size and time are not read again', async () => {
    write({ 'a.txt': 'first', 'b.txt': 'b' });
    const dataset = await register();
    const { atime, mtime } = statSync(file('a.txt'));
    writeFileSync(file('a.txt'), 'other');
    // To the nanosecond, as rsync and git-annex keep it; utimes takes no more than microseconds.
    execFileSync('touch', ['-d', mtime.toISOString(), file('a.txt')]);
    utimesSync(file('b.txt'), atime, new Date(0));
    const before = (await shardsOf(dataset))[1]!;
    const version = await next(dataset);
    const after = (await server.call('listShards', { params: { versionId: version.id } })).items;
    expect(after[1]!.digest).toBe(before.digest);
    expect(version.changes?.modified).toBe(1);
  });

  test('a change of metadata alone is a change of the shards that have it', async () => {
    write({ 'sub-1.txt': 'a', 'sub-2.txt': 'b', 'participants.tsv': 'participant_id\tage\nsub-1\t1\nsub-2\t2\n' });
    const dataset = await register();
    write({ 'participants.tsv': 'participant_id\tage\nsub-1\t1\nsub-2\t3\n' });
    expect(await next(dataset)).toMatchObject({ changes: { modified: 1, unchanged: 1 } });
  });

  test('many who ask at once get one new version', async () => {
    write({ 'a.txt': 'a' });
    const dataset = await register();
    write({ 'b.txt': 'b' });
    const answers = await Promise.all(
      [1, 2, 3, 4].map(() => server.inject('createDatasetVersion', { params: { datasetId: dataset.id } }))
    );
    await settled((await server.call('getDataset', { params: { datasetId: dataset.id } })).latestVersion.id);
    for (const { statusCode } of answers) expect([200, 409]).toContain(statusCode);
    expect((await server.call('getDataset', { params: { datasetId: dataset.id } })).versionCount).toBe(2);
  });

  test('a folder that has gone is said', async () => {
    write({ 'a.txt': 'a' });
    const dataset = await register();
    rmSync(join(server.project, 'data'), { recursive: true });
    const params = { datasetId: dataset.id };
    expect(await server.problem('checkDataset', { params })).toMatchObject({ code: 'FOLDER_NOT_FOUND' });
    expect(await server.problem('createDatasetVersion', { params })).toMatchObject({ code: 'FOLDER_NOT_FOUND' });
  });
});

describe('a restart', () => {
  /** As if the server had been killed before it had read any file. */
  const unread = async (dataset: Dataset) => {
    const { database } = server.metadata;
    const rows = await database.selectFrom('shard').selectAll().execute();
    for (const { index, objectsJson } of rows) {
      const objects = (JSON.parse(objectsJson) as object[]).map((object) => ({ ...object, digest: '' }));
      await database
        .updateTable('shard')
        .set({ digest: '', objectsJson: JSON.stringify(objects) })
        .where('index', '=', index)
        .execute();
    }
    await database
      .updateTable('datasetVersion')
      .set({ indexingState: 'digesting', indexingDone: 0, digest: null })
      .where('id', '=', dataset.latestVersion.id)
      .execute();
  };

  testOnDisk('goes on with the reading of files', async () => {
    write(Object.fromEntries(Array.from({ length: 450 }, (_, n) => [`${n}.txt`, String(n)])));
    const dataset = await register();
    await unread(dataset);
    const params = { versionId: dataset.latestVersion.id };
    for (const [id, query] of [
      ['listShards', {}],
      ['getShard', { key: '1.txt' }],
      ['getObject', { shard: '1.txt', path: '1.txt' }]
    ] as const) {
      expect(await server.problem(id, { params, query })).toMatchObject({ code: 'DATASET_INDEXING' });
    }
    expect(await server.problem('createDatasetVersion', { params: { datasetId: dataset.id } })).toMatchObject({
      code: 'DATASET_INDEXING'
    });
    await server.restart();
    expect(await settled(dataset.latestVersion.id)).toEqual(dataset.latestVersion);
  });

  test('a server that is stopped while it reads loses nothing', async () => {
    write(Object.fromEntries(Array.from({ length: 900 }, (_, n) => [`${n}.txt`, String(n)])));
    const { latestVersion } = await server.call('createDataset', { body: body() });
    await server.restart();
    expect(await settled(latestVersion.id)).toMatchObject({ shardCount: 900, indexing: { state: 'ready', done: 900 } });
  });

  testOnDisk('a file that has gone fails the version, which says so; the next version mends it', async () => {
    write({ 'a.txt': 'a', 'b.txt': 'b' });
    const dataset = await register();
    await unread(dataset);
    unlinkSync(file('b.txt'));
    await server.restart();
    const failed = await settled(dataset.latestVersion.id);
    expect(failed.indexing).toMatchObject({ state: 'failed', detail: 'b.txt cannot be read: it has gone.' });
    expect(await server.problem('listShards', { params: { versionId: failed.id } })).toMatchObject({
      code: 'DATASET_INDEXING'
    });
    const mended = await server.call('createDatasetVersion', { params: { datasetId: dataset.id } });
    expect(await settled(mended.id)).toMatchObject({
      number: 2,
      shardCount: 1,
      indexing: { state: 'ready' },
      changes: null
    });
  });

  test('shards of a registration that was never finished are removed', async () => {
    write({ 'a.txt': 'a' });
    const dataset = await register();
    const { database } = server.metadata;
    const row = await database.selectFrom('shard').selectAll().executeTakeFirstOrThrow();
    await database
      .insertInto('shard')
      .values({ ...row, versionId: 'dv-orphan' })
      .execute();
    await server.restart();
    const versions = await database
      .selectFrom('shard')
      .select('versionId')
      .execute()
      .catch(() => undefined);
    expect(versions).toBeUndefined();
    const left = await server.metadata.database.selectFrom('shard').select('versionId').execute();
    expect(left.map(({ versionId }) => versionId)).toEqual([dataset.latestVersion.id]);
  });
});

describe('shards', () => {
  let dataset: Dataset;
  beforeEach(async () => {
    write({
      'sub-01_run-1.txt': 'a',
      'sub-01_run-02.txt': 'bb',
      'sub-02_run-1.txt': 'ccc',
      '100%_a.txt': 'd',
      '100x_a.txt': 'e',
      'participants.tsv': 'participant_id\tage\tborn\tsite\nsub-01\t61\t1960-05-01\tA B\nsub-02\t7\t2015-01-01\tb"c\n'
    });
    dataset = await register();
  });

  test.each<[string, string[]]>([
    ['', ['100%_a.txt', '100x_a.txt', 'sub-01_run-02.txt', 'sub-01_run-1.txt', 'sub-02_run-1.txt']],
    ['RUN-1', ['sub-01_run-1.txt', 'sub-02_run-1.txt']],
    ['100%', ['100%_a.txt']],
    ['0_a', []],
    ['sub=01', ['sub-01_run-02.txt', 'sub-01_run-1.txt']],
    ['sub=1', ['sub-01_run-02.txt', 'sub-01_run-1.txt']],
    ['sub="1"', []],
    ['run=2', ['sub-01_run-02.txt']],
    ['sub=01,02 run=1', ['sub-01_run-1.txt', 'sub-02_run-1.txt']],
    ['sub!=01', ['100%_a.txt', '100x_a.txt', 'sub-02_run-1.txt']],
    ['age>60', ['sub-01_run-02.txt', 'sub-01_run-1.txt']],
    ['age>=7 age<61', ['sub-02_run-1.txt']],
    ['born>2000', []],
    ['born>"2000"', ['sub-02_run-1.txt']],
    ['site="A B"', ['sub-01_run-02.txt', 'sub-01_run-1.txt']],
    ['site="b\\"c"', ['sub-02_run-1.txt']],
    ['size>1', ['sub-01_run-02.txt', 'sub-02_run-1.txt']],
    ['key=sub-01_run-1.txt', ['sub-01_run-1.txt']],
    ['key!=sub-01_run-1.txt sub=1', ['sub-01_run-02.txt']],
    ['nothing=1', []],
    [`site="x') or 1=1 --"`, []],
    [`"sub') or 1=1 --"=1`, []],
    ["run-1') or ('a'='a", []]
  ])('filter %s', async (filter, keys) => {
    expect(await keysOf(dataset, filter)).toEqual(keys);
    const { total } = await server.call('listShards', {
      params: { versionId: dataset.latestVersion.id },
      query: { filter, limit: 1 }
    });
    expect(total).toBe(keys.length);
  });

  test('a filter that cannot be read is refused', async () => {
    const problem = await server.problem('listShards', {
      params: { versionId: dataset.latestVersion.id },
      query: { filter: 'age>' }
    });
    expect(problem).toMatchObject({ code: 'FILTER_INVALID', field: 'filter' });
  });

  test('pages by cursor come to an end and repeat nothing; a cursor fits its own list only', async () => {
    const params = { versionId: dataset.latestVersion.id };
    const keys = [];
    let cursor: string | null = '';
    let first = '';
    while (cursor !== null) {
      const query: Record<string, string | number> = cursor === '' ? { limit: 2 } : { limit: 2, cursor };
      const page = await server.call('listShards', { params, query });
      keys.push(...page.items.map(({ key }) => key));
      cursor = page.nextCursor;
      first ||= cursor ?? '';
    }
    expect(keys).toEqual(await keysOf(dataset, ''));
    const wrong: Record<string, string>[] = [
      { cursor: 'x' },
      { cursor: first, filter: 'sub=01' },
      { cursor: first.slice(1) }
    ];
    for (const query of wrong) {
      expect(await server.problem('listShards', { params, query })).toMatchObject({ code: 'CURSOR_INVALID' });
    }
    expect(await server.problem('listShardChanges', { params, query: { cursor: first } })).toMatchObject({
      code: 'CURSOR_INVALID'
    });
  });

  test('one by its key', async () => {
    const params = { versionId: dataset.latestVersion.id };
    expect(await server.call('getShard', { params, query: { key: '100%_a.txt' } })).toMatchObject({ sizeBytes: 1 });
    expect(await server.problem('getShard', { params, query: { key: '../x' } })).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('objects', () => {
  let dataset: Dataset;
  const get = (headers: Record<string, string> = {}, path = 'a.svg') =>
    server.inject('getObject', {
      params: { versionId: dataset.latestVersion.id },
      query: { shard: 'it’s (1)', path },
      headers
    });
  beforeEach(async () => {
    write({ 'it’s (1)/a.svg': '0123456789', 'it’s (1)/nothing.txt': '' });
    dataset = await register({ layout: 'folder-per-shard' });
  });

  test('whole, with what keeps a browser from showing it as a page', async () => {
    const response = await get();
    expect(response.body).toBe('0123456789');
    expect(response.headers).toMatchObject({
      'content-type': 'image/svg+xml',
      'content-length': '10',
      etag: `"${sha256('0123456789')}"`,
      'accept-ranges': 'bytes',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'content-disposition': "attachment; filename*=UTF-8''a.svg"
    });
    const empty = await get({}, 'nothing.txt');
    expect([empty.statusCode, empty.body, empty.headers['content-length']]).toEqual([200, '', '0']);
  });

  test('in part, and only where it is another one than the client has', async () => {
    const part = await get({ range: 'bytes=2-4' });
    expect([part.statusCode, part.body, part.headers['content-range']]).toEqual([206, '234', 'bytes 2-4/10']);
    const beyond = await get({ range: 'bytes=10-' });
    expect([beyond.statusCode, beyond.headers['content-range']]).toEqual([416, 'bytes */10']);
    const etag = String((await get()).headers['etag']);
    const same = await get({ 'if-none-match': etag });
    expect([same.statusCode, same.body]).toEqual([304, '']);
    expect((await get({ range: 'bytes=2-4', 'if-range': '"other"' })).body).toBe('0123456789');
    expect((await get({ range: 'bytes=2-4', 'if-range': etag })).body).toBe('234');
  });

  testOnDisk('only as they were registered', async () => {
    const changed = async () => JSON.parse((await get()).body) as { code: string };
    const path = file('it’s (1)/a.svg');
    utimesSync(path, 0, 0);
    expect((await get()).body).toBe('0123456789');
    writeFileSync(path, '012345678X');
    expect(await changed()).toMatchObject({ code: 'DATASET_CHANGED' });
    writeFileSync(path, '01234567890');
    expect(await changed()).toMatchObject({ code: 'DATASET_CHANGED' });
    unlinkSync(path);
    expect(await changed()).toMatchObject({ code: 'DATASET_CHANGED' });
    execFileSync('mkfifo', [path]);
    expect(await changed()).toMatchObject({ code: 'DATASET_CHANGED' });
  });

  testOnDisk('a link put in the place of a file or folder since then leads nowhere', async () => {
    const outside = join(server.project, 'outside');
    renameSync(file('it’s (1)'), outside);
    symlinkSync(outside, file('it’s (1)'));
    expect(JSON.parse((await get()).body)).toMatchObject({
      code: 'DATASET_CHANGED',
      detail: expect.stringContaining('link')
    });
  });

  test('there is none by another path', async () => {
    for (const path of ['../a.svg', 'x', '/etc/passwd', '../../.labscale/server.json']) {
      expect(JSON.parse((await get({}, path)).body)).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});

describe('a dataset', () => {
  test('is found by words, newest first, a page at a time', async () => {
    write({ 'a.txt': 'a' });
    for (const [name, description] of [
      ['first', '100% of it'],
      ['second', 'The Digits'],
      ['third', '']
    ]) {
      await server.call('createDataset', { body: { ...body({}, name), description } });
    }
    const names = async (query: Input['query']) =>
      (await server.call('listDatasets', { query })).items.map(({ name }) => name);
    expect(await names({})).toEqual(['third', 'second', 'first']);
    expect(await names({ search: 'digits SECOND' })).toEqual(['second']);
    expect(await names({ search: '100%' })).toEqual(['first']);
    expect(await names({ search: '_' })).toEqual([]);
    const page = await server.call('listDatasets', { query: { limit: 2 } });
    expect(page).toMatchObject({ total: 3, items: [{ name: 'third' }, { name: 'second' }] });
    expect(await names({ limit: 2, cursor: page.nextCursor! })).toEqual(['first']);
    expect(await server.problem('listDatasets', { query: { cursor: 'x' } })).toMatchObject({ code: 'CURSOR_INVALID' });
  });

  test('can be renamed and described', async () => {
    write({ 'a.txt': 'a' });
    const { id } = await register();
    await register({}, 'other');
    const params = { datasetId: id };
    const change = { name: 'new', description: 'about', metadata: { license: ['CC0'] } };
    expect(await server.call('updateDataset', { params, body: change })).toMatchObject(change);
    expect(await server.call('updateDataset', { params, body: { name: 'new' } })).toMatchObject(change);
    expect(await server.problem('updateDataset', { params, body: { name: 'other' } })).toMatchObject({
      code: 'NAME_TAKEN'
    });
    const defaultParameterSetVersionId = 'pv-00000000000000000000';
    expect(await server.problem('updateDataset', { params, body: { defaultParameterSetVersionId } })).toMatchObject({
      code: 'NOT_FOUND'
    });
    expect(await server.call('updateDataset', { params, body: { defaultParameterSetVersionId: null } })).toMatchObject(
      change
    );
  });

  testOnDisk('can be forgotten, with its shards, queries and manifest; the data stay', async () => {
    write({ 'sub-1.txt': 'a' });
    const dataset = await register();
    await server.call('createQuery', { params: { datasetId: dataset.id }, body: { name: 'q', filter: 'sub=1' } });
    await server.call('createSnippet', { body: { datasetVersionId: dataset.latestVersion.id } });
    await server.call('deleteDataset', { params: { datasetId: dataset.id } });
    for (const table of [
      'dataset',
      'datasetVersion',
      'shard',
      'shardField',
      'shardFieldName',
      'query',
      'snippet'
    ] as const) {
      expect(await server.metadata.database.selectFrom(table).selectAll().execute()).toEqual([]);
    }
    expect(readdirSync(join(server.config.dataFolder, 'objects/datasets'))).toEqual([]);
    expect(readFileSync(file('sub-1.txt'), 'utf8')).toBe('a');
    expect(await server.problem('getDataset', { params: { datasetId: dataset.id } })).toMatchObject({
      code: 'NOT_FOUND'
    });
  });

  test('has queries by name', async () => {
    write({ 'a.txt': 'a' });
    const { id } = await register();
    const params = { datasetId: id };
    const query = await server.call('createQuery', { params, body: { name: 'old', filter: 'age>60' } });
    expect(await server.problem('createQuery', { params, body: { name: 'old', filter: '' } })).toMatchObject({
      code: 'NAME_TAKEN'
    });
    expect(await server.problem('createQuery', { params, body: { name: 'bad', filter: '>1' } })).toMatchObject({
      code: 'FILTER_INVALID'
    });
    await server.call('createQuery', { params, body: { name: 'young', filter: 'age<6' } });
    const page = await server.call('listQueries', { params, query: { limit: 1 } });
    expect(page).toMatchObject({ items: [query], total: 2 });
    const rest = await server.call('listQueries', { params, query: { cursor: page.nextCursor! } });
    expect(rest).toMatchObject({ items: [{ name: 'young' }], nextCursor: null });
    await server.call('deleteQuery', { params: { queryId: query.id } });
    expect((await server.call('listQueries', { params })).total).toBe(1);
  });
});
