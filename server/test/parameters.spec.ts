import type { Analysis, Operations, ParameterSet } from '@labscale/schema';
import { notebookOf } from './notebooks.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
let analysis: Analysis;
beforeEach(async () => {
  server = await startTestServer();
  analysis = await register();
});
afterEach(() => server.close());

const cell = [
  'sigma = 2.0  # min 0, max 10',
  'n = 3',
  "mode = 'a'",
  'flag = False',
  'window = [1, 2]',
  'extra = None'
].join('\n');
const values = { sigma: 1.5, n: 4, mode: 'b', flag: true, window: [3], extra: { deep: [1, 'x', null] } };
const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.from('picture')]);

const register = (source = cell, path = 'nb/smooth.ipynb') =>
  server.call('createAnalysis', { body: { kind: 'notebook', path, notebook: notebookOf(source) } });
type Given = Partial<Operations['createParameterSet']['body']> & Record<string, unknown>;
const bodyOf = (given: Given) => ({
  name: 'first',
  analysisVersionId: analysis.latestVersion.id,
  values: {},
  ...given
});
const save = (given: Given = {}) => server.call('createParameterSet', { body: bodyOf(given) });
const refused = (given: Given) => server.problem('createParameterSet', { body: bodyOf(given) });

describe('values', () => {
  test('keep their exact JSON types, and what is left out is written from the defaults', async () => {
    const set = await save({ values });
    expect(set.latestVersion.values).toEqual(values);
    expect(Object.keys(set.latestVersion.values)).toEqual(['sigma', 'n', 'mode', 'flag', 'window', 'extra']);
    const whole = await save({ name: 'whole', values: { sigma: 3 } });
    expect(whole.latestVersion.values).toEqual({ sigma: 3, n: 3, mode: 'a', flag: false, window: [1, 2], extra: null });
    const shuffled = await save({ name: 'shuffled', values: { extra: null, n: 3, sigma: 3 } });
    expect(shuffled.latestVersion.digest).toBe(whole.latestVersion.digest);
    expect(shuffled.latestVersion.digest).not.toBe(set.latestVersion.digest);
  });

  test.each([
    ['PARAMETER_UNKNOWN', { sgima: 1 }, 'sgima'],
    ['PARAMETER_UNKNOWN', { class: 1 }, 'class'],
    ['PARAMETER_UNKNOWN', { constructor: 1 }, 'constructor'],
    ['PARAMETER_UNKNOWN', { toString: 1 }, 'toString'],
    ['PARAMETER_INVALID', { sigma: '1.5' }, 'sigma'],
    ['PARAMETER_INVALID', { sigma: 'NaN' }, 'sigma'],
    ['PARAMETER_INVALID', { sigma: '-Infinity' }, 'sigma'],
    ['PARAMETER_INVALID', { sigma: null }, 'sigma'],
    ['PARAMETER_INVALID', { sigma: 10.5 }, 'sigma'],
    ['PARAMETER_INVALID', { sigma: -1 }, 'sigma'],
    ['PARAMETER_INVALID', { n: 1.5 }, 'n'],
    ['PARAMETER_INVALID', { n: true }, 'n'],
    ['PARAMETER_INVALID', { n: 9007199254740992 }, 'n'],
    ['PARAMETER_INVALID', { flag: 'true' }, 'flag'],
    ['PARAMETER_INVALID', { flag: 0 }, 'flag'],
    ['PARAMETER_INVALID', { mode: 1 }, 'mode'],
    ['PARAMETER_INVALID', { window: { 0: 1 } }, 'window'],
    ['PARAMETER_INVALID', { extra: { a: [{ constructor: 1 }] } }, 'extra']
  ])('%s: %j', async (code, given, name) => {
    const problem = await refused({ values: given as never });
    expect(problem).toMatchObject({ code, field: `body/values/${name}` });
    expect(problem.detail).toContain(name);
    expect(problem.mend).toBeTruthy();
    expect((await server.call('listParameterSets')).total).toBe(0);
  });

  test('NaN and infinity are named where they stand for a number', async () => {
    expect((await refused({ values: { sigma: 'nan' } })).detail).toContain('NaN and infinity');
    // JSON has no infinity, but 1e999 is read as one.
    const body = JSON.stringify(bodyOf({ values: { sigma: 1 } })).replace('{"sigma":1}', '{"sigma":1e999}');
    expect(await server.problem('createParameterSet', { body })).toMatchObject({
      code: 'BODY_INVALID',
      field: 'body/values/sigma'
    });
  });

  test('a key __proto__ is refused at any depth', async () => {
    for (const given of ['{"__proto__":{"x":1}}', '{"extra":{"a":[{"__proto__":1}]}}']) {
      const body = JSON.stringify(bodyOf({})).replace('"values":{}', `"values":${given}`);
      const problem = await server.problem('createParameterSet', { body });
      expect(problem.code).toBe('BODY_INVALID');
      expect(problem.field).toMatch(/^body\/values\/.*__proto__$/);
      expect(problem.mend).toBeTruthy();
    }
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  test('10 MB are refused by name; one value may have 1 MiB, all together 2', async () => {
    const problem = await refused({ values: { mode: 'x'.repeat(10_000_000) } });
    expect(problem).toMatchObject({ code: 'TOO_LARGE', field: 'body/values/mode' });
    const most = 'x'.repeat(1_048_574);
    expect((await save({ values: { mode: most } })).latestVersion.values['mode']).toHaveLength(1_048_574);
    expect((await refused({ name: 'b', values: { mode: `${most}x` } })).code).toBe('TOO_LARGE');
    const together = await refused({ name: 'c', values: { mode: most, extra: most, window: [most.slice(4)] } });
    expect(together).toMatchObject({ code: 'TOO_LARGE' });
    expect(together.detail).toContain('together');
  });

  test('a parameter without a default must be given', async () => {
    analysis = await register('seed = make()\nn: int');
    expect(await refused({ values: { n: 1 } })).toMatchObject({ code: 'PARAMETER_MISSING', field: 'body/values/seed' });
    expect((await save({ values: { seed: 'any', n: 1 } })).latestVersion.values).toEqual({ seed: 'any', n: 1 });
  });

  test('an enum is held to, by value and type', async () => {
    analysis = await register("mode: Literal['a', 'b'] = 'a'", 'enum.ipynb');
    expect((await save({ values: { mode: 'b' } })).latestVersion.values).toEqual({ mode: 'b' });
    expect((await refused({ name: 'c', values: { mode: 'c' } })).detail).toContain('"a", "b"');
  });

  test('metrics are finite numbers with usable names', async () => {
    expect((await save({ metrics: { snr: 1.5, 'acc/val': -2 } })).latestVersion.metrics).toEqual({
      snr: 1.5,
      'acc/val': -2
    });
    expect((await refused({ metrics: { constructor: 1 } })).field).toBe('body/metrics');
    expect((await refused({ metrics: { 'a\nb': 1 } })).field).toBe('body/metrics');
    expect((await refused({ metrics: { snr: 'high' } as never })).code).toBe('BODY_INVALID');
    const many = Object.fromEntries(Array.from({ length: 1_001 }, (_, n) => [`m${n}`, n]));
    expect((await refused({ metrics: many })).code).toBe('BODY_INVALID');
  });
});

describe('names', () => {
  test('of many creates at once with one name one wins, the others are told', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => server.inject('createParameterSet', { body: bodyOf({ values: { n } }) }))
    );
    expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([201, ...Array.from({ length: 9 }, () => 409)]);
    const problem = JSON.parse(answers.find(({ statusCode }) => statusCode === 409)!.body) as {
      code: string;
      mend: string;
    };
    const { items, total } = await server.call('listParameterSets');
    expect(problem).toMatchObject({ code: 'NAME_TAKEN', field: 'body/name' });
    expect(problem.mend).toContain(items[0]!.id);
    expect(total).toBe(1);
  });

  test('are free for another analysis and another user, and taken for a rename and a fork', async () => {
    const set = await save();
    const other = await save({ name: 'other' });
    const params = { parameterSetId: other.id };
    expect((await server.problem('updateParameterSet', { params, body: { name: 'first' } })).code).toBe('NAME_TAKEN');
    expect((await server.problem('forkParameterSet', { params, body: { name: 'first' } })).code).toBe('NAME_TAKEN');
    expect((await server.call('updateParameterSet', { params, body: { name: 'other' } })).name).toBe('other');
    analysis = await register(cell, 'nb/another.ipynb');
    expect((await save()).name).toBe(set.name);
  });
});

describe('versions, forks and comparison', () => {
  test('a version says what changed from the one before', async () => {
    const set = await save({ values: { sigma: 1 }, note: 'kept', tags: ['t'] });
    expect(set).toMatchObject({ versionCount: 1, changedFromParent: [], parent: null, note: 'kept', tags: ['t'] });
    const params = { parameterSetId: set.id };
    const second = await server.call('createParameterSetVersion', {
      params,
      body: { analysisVersionId: analysis.latestVersion.id, values: { sigma: 1, n: 9 }, metrics: { snr: 2 } }
    });
    expect(second).toMatchObject({
      versionCount: 2,
      changedFromParent: ['n'],
      note: 'kept',
      latestVersion: { number: 2, metrics: { snr: 2 } }
    });
    const list = await server.call('listParameterSetVersions', { params, query: { limit: 1 } });
    expect(list).toMatchObject({ total: 2, items: [second.latestVersion] });
    const rest = await server.call('listParameterSetVersions', { params, query: { cursor: list.nextCursor! } });
    expect(rest).toMatchObject({ items: [set.latestVersion], nextCursor: null });
    const versionId = set.latestVersion.id;
    expect(await server.call('getParameterSetVersion', { params: { versionId } })).toEqual(set.latestVersion);
    // Search sees the latest version only.
    expect((await server.call('listParameterSets', { query: { filter: 'n=3' } })).total).toBe(0);
    expect((await server.call('listParameterSets', { query: { filter: 'n=9 snr=2' } })).total).toBe(1);
    const foreign = await register(cell, 'nb/another.ipynb');
    const problem = await server.problem('createParameterSetVersion', {
      params,
      body: { analysisVersionId: foreign.latestVersion.id, values: {} }
    });
    expect(problem).toMatchObject({ code: 'BODY_INVALID', field: 'body/analysisVersionId' });
  });

  test('versions saved at once are numbered without a gap', async () => {
    const { id } = await save();
    await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        server.call('createParameterSetVersion', {
          params: { parameterSetId: id },
          body: { analysisVersionId: analysis.latestVersion.id, values: { n } }
        })
      )
    );
    const { items } = await server.call('listParameterSetVersions', { params: { parameterSetId: id } });
    expect(items.map(({ number }) => number)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  test('a fork goes back to the version it came from, whatever follows', async () => {
    const set = await save({ values: { sigma: 1, n: 5 }, metrics: { snr: 2 } });
    const params = { parameterSetId: set.id };
    await server.call('createParameterSetVersion', {
      params,
      body: { analysisVersionId: analysis.latestVersion.id, values: { sigma: 2 } }
    });
    const body = { name: 'fork', versionId: set.latestVersion.id, values: { sigma: 3 }, tags: ['x'] };
    const fork = await server.call('forkParameterSet', { params, body });
    expect(fork).toMatchObject({
      parent: { parameterSetId: set.id, parameterSetVersionId: set.latestVersion.id, name: 'first', number: 1 },
      changedFromParent: ['sigma'],
      versionCount: 1,
      tags: ['x'],
      latestVersion: { values: { sigma: 3, n: 5 }, metrics: {} }
    });
    const next = await server.call('createParameterSetVersion', {
      params: { parameterSetId: fork.id },
      body: { analysisVersionId: analysis.latestVersion.id, values: { sigma: 1, n: 6 } }
    });
    expect(next.changedFromParent).toEqual(['n']);
    const plain = await server.call('forkParameterSet', {
      params,
      body: { name: 'plain', versionId: set.latestVersion.id }
    });
    expect(plain).toMatchObject({ changedFromParent: [], latestVersion: { metrics: { snr: 2 } } });
    const stranger = { name: 'x', versionId: fork.latestVersion.id };
    expect((await server.problem('forkParameterSet', { params, body: stranger })).code).toBe('NOT_FOUND');
    const invalid = { name: 'x', values: { sigma: 11 } };
    expect((await server.problem('forkParameterSet', { params, body: invalid })).code).toBe('PARAMETER_INVALID');
  });

  test('comparison: what differs, what is the same, metrics of all', async () => {
    const a = await save({ values: { sigma: 1 }, metrics: { snr: 1 } });
    const b = await save({ name: 'second', values: { sigma: 2, window: [1, 2] }, metrics: { loss: 1 } });
    analysis = await register(`${cell}\nk = 1`);
    const c = await save({ name: 'third', values: { sigma: 1 } });
    const ids = [a, b, c].map(({ latestVersion }) => latestVersion.id);
    const found = await server.call('compareParameterSets', { query: { versions: ids.join(',') } });
    expect(found.versions.map(({ parameterSetName, version }) => [parameterSetName, version.id])).toEqual([
      ['first', ids[0]],
      ['second', ids[1]],
      ['third', ids[2]]
    ]);
    expect(found).toMatchObject({
      differing: ['sigma', 'k'],
      same: ['n', 'mode', 'flag', 'window', 'extra'],
      metricNames: ['snr', 'loss']
    });
    const query = { versions: `${ids[0]},${a.id}` };
    expect((await server.problem('compareParameterSets', { query })).code).toBe('NOT_FOUND');
    expect((await server.problem('compareParameterSets', { query: { versions: ids[0]! } })).code).toBe(
      'REQUEST_INVALID'
    );
  });
});

describe('provenance and thumbnail', () => {
  test('what is not known is null', async () => {
    const set = await save({ provenance: { kernelName: 'python3', capturedFrom: ['call'] } });
    expect(set.latestVersion.provenance).toMatchObject({
      kernelName: 'python3',
      gitCommit: null,
      capturedFrom: ['call']
    });
    for (const [name, id] of [
      ['datasetVersionId', analysis.id],
      ['snippetId', analysis.id]
    ]) {
      const problem = await refused({ name: 'x', provenance: { [name!]: id } });
      expect(problem).toMatchObject({ code: 'BODY_INVALID', field: `body/provenance/${name}` });
    }
    const gone = { snippetId: `sn-${'0'.repeat(20)}` };
    expect((await refused({ name: 'x', provenance: gone })).code).toBe('NOT_FOUND');
  });

  test('a picture is kept as it is', async () => {
    const set = await save({ thumbnail: { mediaType: 'image/png', base64: png.toString('base64') } });
    expect(set.latestVersion.hasThumbnail).toBe(true);
    const answer = await server.inject('getThumbnail', { params: { versionId: set.latestVersion.id } });
    expect(answer.rawPayload.equals(png)).toBe(true);
    expect(answer.headers).toMatchObject({ 'content-type': 'image/png', 'x-content-type-options': 'nosniff' });
    const without = await save({ name: 'without' });
    const problem = await server.problem('getThumbnail', { params: { versionId: without.latestVersion.id } });
    expect(problem.code).toBe('NOT_FOUND');
  });

  test.each([
    ['BODY_INVALID', 'image/png', Buffer.from('<svg onload="x">').toString('base64')],
    ['BODY_INVALID', 'image/jpeg', png.toString('base64')],
    ['BODY_INVALID', 'image/png', `${png.toString('base64')}\n*`],
    ['BODY_INVALID', 'image/svg+xml', png.toString('base64')],
    [
      'TOO_LARGE',
      'image/png',
      Buffer.concat([png, Buffer.alloc(1_048_576)])
        .toString('base64')
        .slice(0, 1_399_996)
    ]
  ])('%s: %s', async (code, mediaType, base64) => {
    const problem = await refused({ thumbnail: { mediaType, base64 } as never });
    expect(problem.code).toBe(code);
    expect(problem.field).toMatch(/^body\/thumbnail/);
  });
});

describe('note, tags and deletion', () => {
  test('note and tags change, values never', async () => {
    const set = await save({ values });
    const params = { parameterSetId: set.id };
    const changed = await server.call('updateParameterSet', { params, body: { note: 'better', tags: ['a', 'b'] } });
    expect(changed).toMatchObject({
      name: 'first',
      note: 'better',
      tags: ['a', 'b'],
      latestVersion: set.latestVersion
    });
    const problem = await server.problem('updateParameterSet', { params, body: { values: {} } });
    expect(problem).toMatchObject({ code: 'BODY_INVALID', field: 'body/values' });
    expect((await server.call('listParameterSets', { query: { search: 'BETTER b' } })).total).toBe(1);
  });

  test('a set that a run used or that was forked stays; another goes with all its rows', async () => {
    const { database } = server.metadata;
    const set = await save({ values });
    const remove = () => ({ params: { parameterSetId: set.id } });
    const run = {
      runId: `run-${'0'.repeat(20)}`,
      position: 0,
      owner: 'ana',
      parameterSetId: set.id,
      parameterSetVersionId: set.latestVersion.id
    };
    await database.insertInto('runParameterSet').values(run).execute();
    expect((await server.call('getParameterSet', remove())).runCount).toBe(1);
    expect((await server.problem('deleteParameterSet', remove())).code).toBe('STATE_CONFLICT');
    await database.deleteFrom('runParameterSet').execute();

    const fork = await server.call('forkParameterSet', { ...remove(), body: { name: 'fork' } });
    expect((await server.problem('deleteParameterSet', remove())).code).toBe('STATE_CONFLICT');
    await server.call('deleteParameterSet', { params: { parameterSetId: fork.id } });
    await server.call('deleteParameterSet', remove());
    expect((await server.problem('getParameterSet', remove())).code).toBe('NOT_FOUND');
    for (const table of ['parameterSet', 'parameterSetVersion', 'parameterField'] as const) {
      expect(await database.selectFrom(table).selectAll().execute()).toEqual([]);
    }
    expect((await save({ values })).name).toBe('first');
  });
});

test('another user sees nothing of it', async () => {
  const set = await save();
  const as = 'ben' as const;
  expect((await server.call('listParameterSets', { as })).total).toBe(0);
  expect((await server.call('listParameterSets', { as, query: { filter: 'sigma=2' } })).total).toBe(0);
  const params = { parameterSetId: set.id };
  const versionParams = { versionId: set.latestVersion.id };
  const ids = `${set.latestVersion.id},${set.latestVersion.id}`;
  const codes = await Promise.all([
    server.problem('getParameterSet', { as, params }),
    server.problem('deleteParameterSet', { as, params }),
    server.problem('forkParameterSet', { as, params, body: { name: 'mine' } }),
    server.problem('getParameterSetVersion', { as, params: versionParams }),
    server.problem('getThumbnail', { as, params: versionParams }),
    server.problem('compareParameterSets', { as, query: { versions: ids } }),
    server.problem('createParameterSet', { as, body: bodyOf({}) })
  ]);
  expect(codes.map(({ code }) => code)).toEqual(Array.from({ length: 7 }, () => 'NOT_FOUND'));
});

test('an idempotency key gives the first set again', async () => {
  const headers = { 'idempotency-key': 'k1' };
  const first = await server.call('createParameterSet', { body: bodyOf({}), headers });
  const again: ParameterSet = await server.call('createParameterSet', { body: bodyOf({}), headers });
  expect(again).toEqual(first);
});
