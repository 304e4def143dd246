import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Dataset, Operations, Snippet } from '@labscale/schema';
import {
  doublingNotebook,
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  shardName,
  until
} from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
let dataset: Dataset;
beforeAll(async () => {
  server = await startTestServer();
  dataset = await makeDataset(server, 40, 'numbers "quoted"', false);
});
afterAll(() => server.close());

type Cut = Partial<Operations['createSnippet']['body']>;
const cut = (body: Cut = {}, as?: 'ben'): Promise<Snippet> =>
  server.call('createSnippet', { body: { datasetVersionId: dataset.latestVersion.id, ...body }, ...(as && { as }) });
const indexesOf = ({ shards }: Snippet) => shards.map(({ index }) => index);

describe('a cut', () => {
  test('with one seed is the same one each time, of the same bytes; with another seed another', async () => {
    const first = await cut({ count: 5, seed: 7 });
    const again = await cut({ count: 5, seed: 7, name: 'another name' });
    expect(again.id).not.toBe(first.id);
    expect(again.shards).toEqual(first.shards);
    expect(again.digest).toBe(first.digest);
    expect(indexesOf(first)).toEqual([...indexesOf(first)].sort((a, b) => a - b));
    const other = await cut({ count: 5, seed: 8 });
    expect(indexesOf(other)).not.toEqual(indexesOf(first));
    expect(other.digest).not.toBe(first.digest);
  });

  test('of the same data elsewhere is the same cut', async () => {
    const elsewhere = await makeDataset(server, 40, 'elsewhere');
    const first = await cut({ count: 5, seed: 7 });
    const there = await cut({ datasetVersionId: elsewhere.latestVersion.id, count: 5, seed: 7 });
    expect(there.digest).toBe(first.digest);
  });

  test('without a seed gets one, which is recorded and makes the same cut again', async () => {
    const [first, second] = [await cut(), await cut()];
    expect(first.shards).toHaveLength(4);
    expect(first.selection).toMatchObject({ count: 4, filter: '' });
    expect(second.selection.seed).not.toBe(first.selection.seed);
    expect(indexesOf(await cut(first.selection))).toEqual(indexesOf(first));
  });

  test('by a filter takes from what fits, all of it where there is no more', async () => {
    const some = await cut({ filter: 'n0001', count: 3, seed: 7 });
    expect(some.shards).toHaveLength(3);
    for (const { key } of some.shards) expect(key).toMatch(/^n0001/);
    const all = await cut({ filter: 'n0001', count: 10_000, seed: 7 });
    expect(indexesOf(all)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(all.selection).toEqual({ filter: 'n0001', count: 10_000, seed: 7 });
    expect(indexesOf(await cut({ filter: `"${shardName(3)}"`, count: 1 }))).toEqual([3]);
  });

  test('is kept as it was made, over a restart and over a change of the folder', async () => {
    const changing = await makeDataset(server, 3, 'changing', false);
    const of = { datasetVersionId: changing.latestVersion.id, count: 3, seed: 1, name: 'kept' };
    const snippet = await cut(of);
    const params = { snippetId: snippet.id };
    await server.restart();
    expect(await server.call('getSnippet', { params })).toEqual(snippet);

    await writeFile(join(server.project, 'changing', shardName(1)), 'other\n');
    const { id } = await server.call('createDatasetVersion', { params: { datasetId: changing.id } });
    await until(
      () => server.call('getDatasetVersion', { params: { versionId: id } }),
      ({ indexing }) => indexing.state === 'ready'
    );
    expect(await server.call('getSnippet', { params })).toEqual(snippet);
    const anew = await cut({ ...of, datasetVersionId: id });
    expect(anew.digest).not.toBe(snippet.digest);
    expect(await server.problem('getSnippetFiles', { params })).toMatchObject({
      code: 'DATASET_CHANGED',
      detail: expect.stringContaining(shardName(1))
    });
  });

  test.each<[string, Cut, object]>([
    ['a filter that cannot be read', { filter: 'age >60' }, { code: 'FILTER_INVALID', field: 'filter' }],
    ['a filter that nothing fits', { filter: 'zebra' }, { code: 'PLAN_EMPTY', field: 'body/filter' }],
    ['a field that no shard has', { filter: 'zebra=1' }, { code: 'PLAN_EMPTY', field: 'body/filter' }],
    ['no shard', { count: 0 }, { code: 'BODY_INVALID', field: 'body/count' }],
    ['too many', { count: 10_001 }, { code: 'BODY_INVALID', field: 'body/count' }],
    ['a negative seed', { seed: -1 }, { code: 'BODY_INVALID', field: 'body/seed' }],
    ['a seed of more than 32 bits', { seed: 2 ** 32 }, { code: 'BODY_INVALID', field: 'body/seed' }],
    ['a seed that is no whole number', { seed: 0.5 }, { code: 'BODY_INVALID', field: 'body/seed' }],
    ['a version that is not there', { datasetVersionId: 'dv-00000000000000000000' }, { code: 'NOT_FOUND' }]
  ])('of %s is refused, and nothing recorded', async (_, body, problem) => {
    const { total } = await server.call('listSnippets');
    expect(
      await server.problem('createSnippet', { body: { datasetVersionId: dataset.latestVersion.id, ...body } })
    ).toMatchObject(problem);
    expect((await server.call('listSnippets')).total).toBe(total);
  });

  test('of a dataset that is not its own noun is refused', async () => {
    expect((await server.problem('createSnippet', { body: { datasetVersionId: dataset.id } })).code).toBe('NOT_FOUND');
  });
});

test('snippets are listed by dataset, newest first, a page at a time, until their dataset is forgotten', async () => {
  const { id, latestVersion } = await makeDataset(server, 2, 'forgotten');
  const made: Snippet[] = [];
  for (let place = 0; place < 3; place++) made.unshift(await cut({ datasetVersionId: latestVersion.id, seed: place }));
  await cut();
  const query = { datasetId: id, limit: 2 };
  const first = await server.call('listSnippets', { query });
  expect(first).toMatchObject({ items: made.slice(0, 2), total: 3 });
  const rest = await server.call('listSnippets', { query: { ...query, cursor: first.nextCursor! } });
  expect(rest).toEqual({ items: made.slice(2), nextCursor: null, total: 3 });
  expect((await server.call('listSnippets', { query: { datasetId: id }, as: 'ben' })).total).toBe(0);

  await server.call('deleteDataset', { params: { datasetId: id } });
  expect((await server.call('listSnippets', { query: { datasetId: id } })).total).toBe(0);
  for (const operation of ['getSnippet', 'getSnippetFiles', 'getSnippetNotebook'] as const) {
    expect((await server.problem(operation, { params: { snippetId: made[0]!.id } })).code).toBe('NOT_FOUND');
  }
});

describe('the files of a snippet', () => {
  test('are where the data lie, and have their bytes', async () => {
    const { id } = await cut({ count: 2, seed: 3 });
    const { shards } = await server.call('getSnippetFiles', { params: { snippetId: id } });
    for (const { key, objects } of shards) {
      expect(objects).toEqual([{ path: key, file: join(server.project, dataset.name, key) }]);
      expect(await readFile(objects[0]!.file!, 'utf8')).toBe(`${Number(key.slice(1, 6))}\n`);
    }
  });

  test.each<[string, (folder: string) => Promise<void>]>([
    ['gone', (folder) => rm(join(folder, shardName(0)))],
    ['a link out of the folder, to the same bytes', leadOut]
  ])('are not given where one is %s', async (what, change) => {
    const name = `data that is ${what}`;
    const { latestVersion } = await makeDataset(server, 1, name, false);
    const { id } = await cut({ datasetVersionId: latestVersion.id });
    await change(join(server.project, name));
    const response = await server.inject('getSnippetFiles', { params: { snippetId: id } });
    expect(JSON.parse(response.body)).toMatchObject({ code: 'DATASET_CHANGED' });
    expect(response.body).not.toContain('outside');
  });
});

async function leadOut(folder: string): Promise<void> {
  const outside = join(await mkdtemp(join(server.project, 'outside-')), 'same.txt');
  await writeFile(outside, '0\n');
  await rm(join(folder, shardName(0)));
  await symlink(outside, join(folder, shardName(0)));
}

interface Cell {
  cell_type: string;
  source: string;
  metadata: { tags?: string[] };
}

describe('the notebook of a snippet', () => {
  const notebookOf = (snippetId: string, analysisId?: string) =>
    server.call('getSnippetNotebook', { params: { snippetId }, query: analysisId === undefined ? {} : { analysisId } });

  test('is one that nbformat takes, opens the snippet and has a parameters cell that can be read', async () => {
    const snippet = await cut({ count: 2, seed: 3 });
    const notebook = await notebookOf(snippet.id);
    execFileSync(
      resolve('../.venv/bin/python'),
      ['-c', 'import json, nbformat, sys; nbformat.validate(json.load(sys.stdin), version=4)'],
      { input: JSON.stringify(notebook) }
    );
    expect(notebook.metadata['labscale']).toEqual({
      snippetId: snippet.id,
      datasetVersionId: dataset.latestVersion.id
    });
    const cells = notebook.cells as Cell[];
    const code = cells.filter(({ cell_type }) => cell_type === 'code').map(({ source }) => source);
    expect(code.join('\n')).toContain(`labscale.snippet("${snippet.id}")`);
    // The name of a dataset is anybody's text: it is no part of what is run.
    expect(code.join('\n')).not.toContain('quoted');
    expect(cells.filter(({ metadata }) => metadata.tags?.includes('parameters'))).toHaveLength(1);
    const { contract } = await server.call('inspectNotebook', { body: { notebook } });
    expect(contract.parameters).toMatchObject([
      { name: 'threshold', type: 'number', default: 0.5, minimum: 0, maximum: 1 }
    ]);
    expect(await notebookOf(snippet.id)).toEqual(notebook);
  });

  test('of an analysis is its own, made to open on the snippet', async () => {
    const snippet = await cut({ count: 1 });
    await makeNotebookAnalysis(server, { path: 'own.ipynb', body: 'print("its own")' });
    const [analysis] = (await server.call('listAnalyses', { query: { path: 'own.ipynb' } })).items;
    const notebook = await notebookOf(snippet.id, analysis!.id);
    expect(notebook.cells).toEqual(doublingNotebook('print("its own")').cells);
    expect(notebook.metadata).toMatchObject({
      kernelspec: { name: 'python3' },
      labscale: { snippetId: snippet.id, datasetVersionId: snippet.datasetVersionId }
    });
  });

  test('of a command, or of what is not there or not theirs, there is none', async () => {
    const params = { snippetId: (await cut({ count: 1 })).id };
    await makeCommandAnalysis(server);
    const [command] = (await server.call('listAnalyses', { query: { search: 'copy' } })).items;
    const theirs = await server.call('createAnalysis', {
      body: { kind: 'notebook', path: 'theirs.ipynb', notebook: doublingNotebook() },
      as: 'ben'
    });
    for (const analysisId of [command!.id, theirs.id, 'an-00000000000000000000', dataset.id]) {
      expect((await server.problem('getSnippetNotebook', { params, query: { analysisId } })).code).toBe('NOT_FOUND');
    }
  });
});
