import { hash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  apiPrefix,
  components,
  operations,
  operationSchemas,
  problemCodes,
  type Operation,
  type OperationId,
  type Problem,
  type ProblemCode
} from '@labscale/schema';
import { Ajv } from 'ajv';
import { flowOf, seedFlow, type Flow } from './flow-seed.js';
import { notebookOf } from './notebooks.js';
import { until } from './run-fixtures.js';
import { startTestServer, urlOf, type Input, type TestServer } from './test-server.js';

const ids = Object.keys(operations) as OperationId[];
const table: Record<OperationId, Operation> = operations;
interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  properties?: Record<string, Schema>;
  patternProperties?: Record<string, Schema>;
  additionalProperties?: boolean;
  items?: Schema;
}
const schemas = operationSchemas as Record<OperationId, { params?: Schema; query?: Schema; body?: Schema }>;
const flow: Flow = flowOf('ana');

const ajv = new Ajv({ strict: false, validateFormats: false });
for (const schema of Object.values(components)) ajv.addSchema(schema);

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await seedFlow(server, 'ana');
  const folder = join(server.project, 'digits/data');
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, flow.Shard.key), 'x');
});
afterAll(async () => {
  // What a test began writes into the folder that is removed.
  for (const { id: runId } of (await server.call('listRuns')).items)
    await server.inject('stopRun', { params: { runId } });
  await until(
    () => server.call('listRuns'),
    ({ items }) => items.every(({ state }) => ['succeeded', 'failed', 'stopped'].includes(state))
  );
  await server.close();
});

/** For each operation that takes a body, one with as many of its fields as fit together. */
const { Analysis: analysis, ParameterSet: set, Dataset: dataset, Promotion: promotion } = flow;
const provenance = set.latestVersion.provenance;
const tuned = {
  analysisVersionId: analysis.latestVersion.id,
  values: set.latestVersion.values,
  metrics: set.latestVersion.metrics,
  provenance,
  // The smallest PNG of one pixel.
  thumbnail: {
    mediaType: 'image/png',
    base64: 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=='
  }
};
const described = { name: 'another name', description: 'What it is.' };
const bodies: { [K in OperationId]?: object } = {
  createDataset: {
    ...described,
    metadata: { license: 'CC0' },
    source: { kind: 'folder', path: 'digits/data', layout: 'pattern', pattern: '{name}' }
  },
  updateDataset: { ...described, metadata: {}, defaultParameterSetVersionId: set.latestVersion.id },
  createQuery: { name: 'threes', filter: 'digit=3' },
  createSnippet: { datasetVersionId: dataset.latestVersion.id, name: 'cut', count: 1, filter: 'digit', seed: 7 },
  inspectNotebook: { notebook: notebookOf('sigma = 1.0') },
  createAnalysis: {
    ...{ kind: 'notebook', path: 'new.ipynb', notebook: notebookOf('sigma = 1.0'), ...described },
    files: [{ path: 'lib.py', text: '' }],
    contract: analysis.latestVersion.contract
  },
  updateAnalysis: described,
  updateContract: analysis.latestVersion.contract,
  createParameterSet: { name: 'new', ...tuned, note: 'A note.', tags: ['tuned'] },
  updateParameterSet: { name: 'other', note: 'A note.', tags: ['tuned'] },
  createParameterSetVersion: { ...tuned, values: { ...tuned.values, sigma: 2 } },
  forkParameterSet: {
    ...{ versionId: set.latestVersion.id, name: 'fork', values: { ...tuned.values, sigma: 3 } },
    ...{ note: 'A note.', tags: ['tuned'] }
  },
  createPlan: promotion,
  createRun: { name: 'a run', promotion },
  retryRun: { taskIndexes: [30], failureGroup: 'x', resources: flow.Run.resources }
};

/** The right path for an operation over the examples. */
const versionIds: Record<string, string> = {
  'dataset-versions': dataset.latestVersion.id,
  'analysis-versions': analysis.latestVersion.id,
  'parameter-set-versions': set.latestVersion.id
};
function paramsOf(id: OperationId): Record<string, string | number> {
  return {
    datasetId: dataset.id,
    queryId: flow.Query.id,
    snippetId: flow.Snippet.id,
    analysisId: analysis.id,
    parameterSetId: set.id,
    runId: flow.Run.id,
    index: flow.Task.index,
    attempt: flow.Attempt.number,
    id: flow.Run.id,
    versionId: versionIds[table[id].path.split('/')[1]!] ?? ''
  };
}
/** What the query of an operation must have. */
const queries: { [K in OperationId]?: Record<string, string> } = {
  getShard: { key: flow.Shard.key },
  getObject: { shard: flow.Shard.key, path: flow.Shard.objects[0]!.path },
  compareParameterSets: { versions: flow.ParameterComparison.versions.map(({ version }) => version.id).join(',') },
  searchLogs: { text: 'x' }
};
function inputOf(id: OperationId): Input {
  const body = bodies[id];
  return { params: paramsOf(id), query: queries[id] ?? {}, ...(body === undefined ? {} : { body }) };
}
const named = ids.filter((id) => ['view', 'use', 'edit'].includes(table[id].policy));
const withBody = ids.filter((id) => schemas[id].body !== undefined);
const withoutBody = ids.filter((id) => table[id].method !== 'GET' && schemas[id].body === undefined);

interface Answer {
  statusCode: number;
  body: string;
  headers: Record<string, unknown>;
}
/** What every refusal is: a problem of the table of codes, and nothing of the inside of the server. */
function expectProblem(response: Answer, code: ProblemCode): Problem {
  const problem = JSON.parse(response.body) as Problem;
  expect(problem).toMatchObject({ code, status: problemCodes[code].status, title: problemCodes[code].title });
  expect(problem.type).toBe(`urn:labscale:problem:${code.toLowerCase().replaceAll('_', '-')}`);
  expect(problem.requestId).toMatch(/^[0-9a-f-]{36}$/);
  expect(response.statusCode).toBe(problem.status);
  expect(response.headers['content-type']).toMatch(/^application\/problem\+json(;|$)/);
  expect(response.headers['x-content-type-options']).toBe('nosniff');
  expect(response.body).not.toMatch(/\bat .+:\d+:\d+|node_modules|SQLITE|select /i);
  expect(ajv.validate(components['Problem']!, problem)).toBe(true);
  return problem;
}

const tables = [
  'dataset',
  'datasetVersion',
  'query',
  'snippet',
  'analysis',
  'analysisVersion',
  'parameterSet'
] as const;
const tablesOfRuns = ['parameterSetVersion', 'run', 'task', 'attempt', 'derivative', 'idempotency'] as const;
/** Of each table how many rows there are and a digest of all that is in them. */
async function rows(): Promise<Record<string, [number, string]>> {
  const found: Record<string, [number, string]> = {};
  for (const name of [...tables, ...tablesOfRuns]) {
    const all = await server.metadata.database.selectFrom(name).selectAll().execute();
    found[name] = [all.length, hash('sha256', JSON.stringify(all))];
  }
  return found;
}

test('every operation has one route, and every route an operation', () => {
  const routes = [...server.app.printRoutes({ commonPrefix: false }).matchAll(/\((.*)\)/g)];
  const outside = ['/health', '/metrics', '/', `${apiPrefix}/openapi.json`];
  expect(routes.flatMap(([, methods]) => methods!.split(', '))).toHaveLength(ids.length + outside.length);
  for (const id of ids) {
    expect(server.app.hasRoute({ method: table[id].method, url: apiPrefix + table[id].path })).toBe(true);
  }
});

describe('without a token', () => {
  test.each(ids)('%s is refused', async (id) => {
    const { method } = table[id];
    const { body, ...input } = inputOf(id);
    for (const headers of [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: 'token-of-ana' },
      { cookie: 'a=b' }
    ]) {
      const response = await server.app.inject({
        method,
        url: urlOf(id, input),
        headers,
        ...(body === undefined ? {} : { payload: body as object })
      });
      expect(expectProblem(response, 'NOT_SIGNED_IN').field).toBe('Authorization');
    }
  });

  test.each([
    '/nowhere',
    `${apiPrefix}/nowhere`,
    '/api/v1',
    '/%61pi/v1/datasets',
    '/API/v1/datasets',
    '/api/v1/datasets/'
  ])('%s tells nothing', async (url) => {
    expectProblem(await server.app.inject({ method: 'GET', url }), 'NOT_SIGNED_IN');
  });
});

describe('another user', () => {
  test.each(named)('finds nothing by %s', async (id) => {
    const before = await rows();
    expectProblem(await server.inject(id, { ...inputOf(id), as: 'ben' }), 'NOT_FOUND');
    expect(await rows()).toEqual(before);
  });

  test('sees nothing in any list', async () => {
    for (const id of ids.filter((id) => table[id].policy === 'signed-in' && table[id].method === 'GET')) {
      if (['listEvents', 'getServer', 'compareParameterSets', 'browseBucket'].includes(id)) continue;
      expect(await server.call(id, { as: 'ben' })).toEqual({ items: [], nextCursor: null, total: 0 });
      expect(((await server.call(id)) as { total: number }).total).toBeGreaterThan(0);
    }
  });

  test.each<[OperationId, Input]>([
    ['createSnippet', {}],
    ['createParameterSet', {}],
    ['compareParameterSets', {}],
    ['createPlan', {}],
    ['createRun', {}],
    ['listEvents', { query: { runId: flow.Run.id } }]
  ])('cannot name it in %s', async (id, input) => {
    const before = await rows();
    expectProblem(await server.inject(id, { ...inputOf(id), ...input, as: 'ben' }), 'NOT_FOUND');
    expect(await rows()).toEqual(before);
  });

  test('cannot make it a part of what is theirs', async () => {
    const as = 'ben' as const;
    const theirs = await server.call('createAnalysis', { body: bodies.createAnalysis, as });
    const values = { sigma: 1, threshold: 6, keep_edges: false };
    const own = await server.call('createParameterSet', {
      body: { name: 'mine', analysisVersionId: theirs.latestVersion.id, values },
      as
    });
    const params = { parameterSetId: own.id };
    expectProblem(
      await server.inject('forkParameterSet', {
        params,
        body: { versionId: set.latestVersion.id, name: 'taken' },
        as
      }),
      'NOT_FOUND'
    );
    expectProblem(
      await server.inject('createParameterSetVersion', { params, body: bodies.createParameterSetVersion, as }),
      'NOT_FOUND'
    );
    const found = { analysisVersionId: theirs.latestVersion.id, values };
    for (const provenance of [{ snippetId: flow.Snippet.id }, { datasetVersionId: dataset.latestVersion.id }]) {
      expectProblem(
        await server.inject('createParameterSet', { body: { name: 'tuned', ...found, provenance }, as }),
        'NOT_FOUND'
      );
    }
    await mkdir(join(server.project, 'theirs'));
    await writeFile(join(server.project, 'theirs/a.txt'), 'a');
    const { id: datasetId } = await server.call('createDataset', {
      body: { name: 'theirs', source: { kind: 'folder', path: 'theirs', layout: 'file-per-shard' } },
      as
    });
    await until(
      () => server.call('getDataset', { params: { datasetId }, as }),
      ({ latestVersion }) => latestVersion.indexing.state === 'ready'
    );
    const body = { defaultParameterSetVersionId: set.latestVersion.id };
    expectProblem(await server.inject('updateDataset', { params: { datasetId }, body, as }), 'NOT_FOUND');
    const promoted = {
      analysisVersionId: theirs.latestVersion.id,
      parameterSetVersionIds: [own.latestVersion.id],
      datasetVersionId: (await server.call('getDataset', { params: { datasetId }, as })).latestVersion.id
    };
    expect((await server.call('createPlan', { body: promoted, as })).tasks).toBe(1);
    for (const part of [
      { analysisVersionId: analysis.latestVersion.id },
      { parameterSetVersionIds: [own.latestVersion.id, set.latestVersion.id] },
      { datasetVersionId: dataset.latestVersion.id }
    ]) {
      expectProblem(await server.inject('createPlan', { body: { ...promoted, ...part }, as }), 'NOT_FOUND');
    }
  });
});

describe('what is of another noun', () => {
  const nouns = {
    Dataset: dataset.id,
    DatasetVersion: dataset.latestVersion.id,
    Query: flow.Query.id,
    Snippet: flow.Snippet.id,
    Analysis: analysis.id,
    AnalysisVersion: analysis.latestVersion.id,
    ParameterSet: set.id,
    ParameterSetVersion: set.latestVersion.id,
    Run: flow.Run.id
  };
  test.each(named.filter((id) => id !== 'getLineage'))('is not found by %s', async (id) => {
    const before = await rows();
    const own = paramsOf(id);
    const name = /:([A-Za-z]+)/.exec(table[id].path)![1]!;
    for (const other of Object.values(nouns)) {
      if (other === own[name]) continue;
      const response = await server.inject(id, { ...inputOf(id), params: { ...own, [name]: other } });
      expectProblem(response, 'NOT_FOUND');
    }
    expect(await rows()).toEqual(before);
  });
});

test('its owner finds all that the others do not', async () => {
  // The examples are rows: of the objects and files that they name, one is there and is not what was registered.
  const missing = new Map<OperationId, number>([
    ['getObject', 409],
    ['getSnippetFiles', 409],
    ['getAnalysisSource', 404],
    ['getThumbnail', 404]
  ]);
  for (const id of named.filter((id) => table[id].method === 'GET')) {
    expect([id, (await server.inject(id, inputOf(id))).statusCode]).toEqual([id, missing.get(id) ?? 200]);
  }
});

interface Fault {
  pointer: string;
  body: unknown;
}

/** Each way to spoil one place of a body: fields that nobody knows, and values that only a lenient reader would take. */
function* faultsOf(
  schema: Schema,
  value: unknown,
  pointer: string,
  put: (value: unknown) => unknown
): Generator<Fault> {
  if (schema.$ref !== undefined) {
    yield* faultsOf(components[schema.$ref.replace('#', '')] as Schema, value, pointer, put);
    return;
  }
  if (schema.anyOf !== undefined) {
    const branch = schema.anyOf.find((one) => ajv.validate(one, value));
    // What may be of any type has no wrong one.
    const types = new Set(schema.anyOf.map(({ type }) => type));
    if (branch !== undefined && !(types.has('string') && types.has('number')))
      yield* faultsOf(branch, value, pointer, put);
    return;
  }
  if (Array.isArray(value)) {
    yield { pointer, body: put(Object.fromEntries(value.entries())) };
    if (schema.items) yield* faultsOf(schema.items, value[0], `${pointer}/0`, (item) => put([item, ...value.slice(1)]));
  } else if (value !== null && typeof value === 'object') {
    if (schema.type === 'object') yield { pointer, body: put([value]) };
    if (schema.additionalProperties === false)
      yield { pointer: `${pointer}/unknownField`, body: put({ ...value, unknownField: 1 }) };
    const fields = Object.entries(value);
    for (const [name, item] of schema.properties ? fields : fields.slice(0, 1)) {
      const below = schema.properties?.[name] ?? Object.values(schema.patternProperties ?? {})[0];
      if (below) yield* faultsOf(below, item, `${pointer}/${name}`, (changed) => put({ ...value, [name]: changed }));
    }
  } else if (schema.type === 'number' || schema.type === 'integer') {
    yield { pointer, body: put(String(value)) };
    yield { pointer, body: put(true) };
  } else if (schema.type === 'boolean') {
    yield { pointer, body: put(value ? 1 : 0) };
    yield { pointer, body: put(String(value)) };
  } else if (schema.type === 'string' || schema.enum) {
    yield { pointer, body: put(3) };
    yield { pointer, body: put([value]) };
  }
}

describe('a body', () => {
  test('of the examples fits, so that what is refused below is refused for its fault', () => {
    expect(Object.keys(bodies).sort()).toEqual([...withBody].sort());
    for (const id of withBody) {
      expect([id, ajv.validate(schemas[id].body!, bodies[id]), ajv.errorsText()]).toEqual([id, true, 'No errors']);
    }
  });

  test.each(withBody)('of %s has no unknown and no mistyped field: it is named, nothing is coerced', async (id) => {
    const before = await rows();
    const faults = [...faultsOf(schemas[id].body!, bodies[id], 'body', (value) => value)];
    expect(faults.length).toBeGreaterThan(2);
    for (const { pointer, body } of faults) {
      const problem = expectProblem(await server.inject(id, { ...inputOf(id), body }), 'BODY_INVALID');
      expect(problem.field).toBe(pointer);
    }
    expect(await rows()).toEqual(before);
  });

  test.each(withBody)('of %s is a JSON object, said to be one, and not too large', async (id) => {
    const input = inputOf(id);
    for (const body of ['{"name":', '', 'null', '[]', '"text"', '3', '{"name":"a"}}', '\u0000', '{"a":1e999}']) {
      const { field } = expectProblem(await server.inject(id, { ...input, body }), 'BODY_INVALID');
      expect(field).toMatch(/^body/);
    }
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'json']) {
      const response = await server.inject(id, { ...input, headers: { 'content-type': type } });
      expectProblem(response, 'MEDIA_TYPE_UNSUPPORTED');
    }
    const large = JSON.stringify({ name: 'x'.repeat(16 * 1_048_576) });
    expectProblem(await server.inject(id, { ...input, body: large }), 'TOO_LARGE');
    const charset = { 'content-type': 'application/json; charset=utf-8' };
    expectProblem(await server.inject(id, { ...input, body: '{"unknownField":1}', headers: charset }), 'BODY_INVALID');
  });

  test.each<[string, string, string]>([
    ['a number too large to be one', '1e999', 'body/metadata/a/0'],
    ['a key that would change what every object has', '{"b":{"__proto__":{"c":1}}}', 'body/metadata/a/0/b/__proto__'],
    ['more depth than anybody needs', `${'['.repeat(1_000)}${']'.repeat(1_000)}`, 'body/metadata/a/0']
  ])('cannot keep %s, and names it', async (_, value, field) => {
    const body = `{"metadata":{"a":[${value}]}}`;
    const problem = expectProblem(
      await server.inject('updateDataset', { params: paramsOf('updateDataset'), body }),
      'BODY_INVALID'
    );
    expect(problem.field).toBe(field);
  });

  test.each(withoutBody)('is not taken by %s, which knows no field of one', async (id) => {
    const before = await rows();
    const response = await server.inject(id, { ...inputOf(id), body: { unknownField: 1 } });
    expect(expectProblem(response, 'BODY_INVALID').field).toBe('body/unknownField');
    expect(await rows()).toEqual(before);
  });
});

describe('an address', () => {
  test.each(ids)('of %s has no unknown query parameter: it is named', async (id) => {
    const input = inputOf(id);
    const response = await server.inject(id, { ...input, query: { ...input.query, unknownName: '1' } });
    expect(expectProblem(response, 'REQUEST_INVALID').field).toBe('query/unknownName');
  });

  const paged = ids.filter((id) => schemas[id].query?.properties?.['cursor'] !== undefined);
  test.each(paged)('of %s pages by a cursor of its own and a limit from 1 to 1,000', async (id) => {
    const input = inputOf(id);
    for (const limit of ['0', '1001', 'many', '1.5', '-1', '']) {
      const response = await server.inject(id, { ...input, query: { ...input.query, limit } });
      expect(expectProblem(response, 'REQUEST_INVALID').field).toBe('query/limit');
    }
    for (const cursor of ['x', 'bnVsbA', Buffer.from('["x",{}]').toString('base64url'), '%', '']) {
      const response = await server.inject(id, { ...input, query: { ...input.query, cursor } });
      expect(expectProblem(response, 'CURSOR_INVALID').field).toBe('query/cursor');
    }
    const { nextCursor } = (await server.call(id, { ...input, query: { ...input.query, limit: 1 } })) as {
      nextCursor: string | null;
    };
    const [order] =
      nextCursor === null ? [] : (JSON.parse(Buffer.from(nextCursor, 'base64url').toString()) as string[]);
    for (const after of order === undefined ? [] : [[], [{}], [[]], [null]]) {
      const cursor = Buffer.from(JSON.stringify([order, ...after])).toString('base64url');
      const response = await server.inject(id, { ...input, query: { ...input.query, cursor } });
      expectProblem(response, 'CURSOR_INVALID');
    }
    const url = `${urlOf(id, input)}${input.query && Object.keys(input.query).length > 0 ? '&' : '?'}limit=1&limit=2`;
    const headers = { authorization: 'Bearer token-of-ana' };
    expectProblem(await server.app.inject({ method: 'GET', url, headers }), 'REQUEST_INVALID');
  });

  test.each(ids.filter((id) => table[id].path.includes(':')))('of %s names things by ids only', async (id) => {
    const names = [...table[id].path.matchAll(/:([A-Za-z]+)/g)].map(([, name]) => name!);
    for (const name of names) {
      const wrong = ['index', 'attempt'].includes(name)
        ? ['-1', '1.5', 'one', '1e99']
        : ['x', '../x', '__proto__', 'ds-1'];
      for (const value of [...wrong, "' OR 1=1 --", '\u0000']) {
        const response = await server.inject(id, { ...inputOf(id), params: { ...paramsOf(id), [name]: value } });
        expect(expectProblem(response, 'REQUEST_INVALID').field).toBe(`params/${name}`);
      }
    }
  });

  const paths = [...new Set(ids.map((id) => table[id].path))];
  const methods = ['GET', 'POST', 'PATCH', 'PUT', 'DELETE'] as const;
  // `/analyses/inspect` is also an address of `/analyses/:analysisId`: its other methods ask for an id.
  test.each(paths.filter((path) => !['/analyses/inspect', '/parameter-sets/compare'].includes(path)))(
    '%s says which methods it takes',
    async (path) => {
      const taken = ids.filter((id) => table[id].path === path);
      const allowed = [...new Set(taken.map((id) => table[id].method))];
      const url = urlOf(taken[0]!, { params: paramsOf(taken[0]!) });
      for (const method of methods.filter((one) => !allowed.includes(one))) {
        const headers = { authorization: 'Bearer token-of-ana' };
        const response = await server.app.inject({ method, url, headers });
        expectProblem(response, 'METHOD_NOT_ALLOWED');
        expect(String(response.headers['allow']).split(', ').sort()).toEqual([...allowed].sort());
      }
    }
  );

  test.each(['/nowhere', `${apiPrefix}/nowhere`, `${apiPrefix}//datasets`, '/api/v2/datasets'])(
    '%s is nothing',
    async (url) => {
      const headers = { authorization: 'Bearer token-of-ana' };
      expectProblem(await server.app.inject({ method: 'GET', url, headers }), 'NOT_FOUND');
      expectProblem(await server.app.inject({ method: 'POST', url, headers, payload: {} }), 'NOT_FOUND');
    }
  );
});

describe('a name that many ask for at once', () => {
  test.each<[string, (name: string, place: number) => Promise<[OperationId, Input]>]>([
    ['createDataset', async (name) => ['createDataset', { body: { ...bodies.createDataset, name } }]],
    ['createQuery', async (name) => ['createQuery', { ...inputOf('createQuery'), body: { name, filter: '' } }]],
    ['createParameterSet', async (name) => ['createParameterSet', { body: { ...bodies.createParameterSet, name } }]],
    ['forkParameterSet', async (name) => ['forkParameterSet', { ...inputOf('forkParameterSet'), body: { name } }]],
    [
      'updateDataset',
      async (name, place) => {
        const { id } = await server.call('createDataset', {
          body: { ...bodies.createDataset, name: `before ${place}` }
        });
        return ['updateDataset', { params: { datasetId: id }, body: { name } }];
      }
    ],
    [
      'updateParameterSet',
      async (name, place) => {
        const { id } = await server.call('createParameterSet', {
          body: { ...bodies.createParameterSet, name: `before ${place}` }
        });
        return ['updateParameterSet', { params: { parameterSetId: id }, body: { name } }];
      }
    ]
  ])('by %s is given once; the others are told', async (name, make) => {
    const asked = [];
    for (let place = 0; place < 5; place++) asked.push(await make(`${name} at once`, place));
    const answers = await Promise.all(asked.map(([id, input]) => server.inject(id, input)));
    expect(answers.filter(({ statusCode }) => statusCode < 300)).toHaveLength(1);
    for (const answer of answers) if (answer.statusCode >= 300) expectProblem(answer, 'NAME_TAKEN');
  });
});

describe('an idempotency key', () => {
  const keyed = ids.filter((id) => table[id].idempotent);
  const bodyFor = (id: OperationId, part: string) =>
    id === 'createParameterSetVersion'
      ? { ...bodies[id], values: { ...tuned.values, sigma: part.length / 10 } }
      : { ...bodies[id], name: `${id} ${part}` };

  test.each(keyed)('of %s gives the first answer again, also after a restart, and does it once', async (id) => {
    const input = { ...inputOf(id), body: bodyFor(id, 'once'), headers: { 'idempotency-key': 'once' } };
    const counts = async () => {
      // A run that began goes on by itself: attempts and what they make come and go.
      const { attempt: _, derivative: __, ...found } = await rows();
      return Object.entries(found).map(([name, [count]]) => [name, count]);
    };
    const before = await counts();
    const first = await Promise.all(Array.from({ length: 5 }, () => server.inject(id, input)));
    expect(first.map(({ statusCode }) => statusCode)).toEqual(Array.from({ length: 5 }, () => table[id].status));
    expect(new Set(first.map(({ body }) => body)).size).toBe(1);
    const made = await counts();
    expect(made).not.toEqual(before);
    await server.restart();
    const again = await server.inject(id, input);
    expect([again.statusCode, again.body]).toEqual([table[id].status, first[0]!.body]);
    expect(await counts()).toEqual(made);

    const other = await server.inject(id, { ...input, body: bodyFor(id, 'another one') });
    expect(expectProblem(other, 'IDEMPOTENCY_CONFLICT').field).toBe('Idempotency-Key');
  });

  test('belongs to its user and its operation, and to what succeeded', async () => {
    const headers = { 'idempotency-key': 'shared' };
    const body = { name: 'late', source: { kind: 'folder', path: 'late', layout: 'file-per-shard' } };
    expectProblem(await server.inject('createDataset', { body, headers }), 'FOLDER_NOT_FOUND');
    await mkdir(join(server.project, 'late'));
    await writeFile(join(server.project, 'late/a.txt'), 'a');
    const mine = await server.call('createDataset', { body, headers });
    const theirs = await server.call('createDataset', { body, headers, as: 'ben' });
    expect(theirs.id).not.toBe(mine.id);
    await server.call('createSnippet', { body: { ...bodies.createSnippet, name: 'shared' }, headers });
    // Another dataset of that name is refused: the answer before was of the key, not made anew.
    expect((await server.call('createDataset', { body, headers })).id).toBe(mine.id);
    expectProblem(await server.inject('createDataset', { body }), 'NAME_TAKEN');
  });

  test('has from 1 to 200 characters', async () => {
    for (const key of ['', 'x'.repeat(201)]) {
      const response = await server.inject('createSnippet', {
        ...inputOf('createSnippet'),
        headers: { 'idempotency-key': key }
      });
      expect(expectProblem(response, 'REQUEST_INVALID').field).toBe('Idempotency-Key');
    }
  });
});

test('a mistake of the server is told by a request id, and not by what went wrong inside', async () => {
  await server.metadata.database.schema.dropTable('query').execute();
  const response = await server.inject('listQueries', inputOf('listQueries'));
  const problem = expectProblem(response, 'INTERNAL');
  expect(problem.detail).toContain('request id');
  expect(response.body).not.toMatch(/no such table/);
});
