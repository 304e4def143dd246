import type { Dataset, Query } from '@labscale/schema';
import { makeCommandAnalysis, makeDataset, makeSet, shardName } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
let dataset: Dataset;
let params: { datasetId: string };
beforeEach(async () => {
  server = await startTestServer();
  dataset = await makeDataset(server, 12);
  params = { datasetId: dataset.id };
});
afterEach(() => server.close());

const save = (name: string, filter: string): Promise<Query> =>
  server.call('createQuery', { params, body: { name, filter } });

test('a saved query gives the same shards to a table, a snippet and a plan', async () => {
  const { id, filter } = await save('the tens', 'n0001');
  const { items: queries } = await server.call('listQueries', { params });
  expect(queries).toMatchObject([{ id, name: 'the tens', filter: 'n0001', datasetId: dataset.id, owner: 'ana' }]);
  const versionId = dataset.latestVersion.id;
  const { items, total } = await server.call('listShards', { params: { versionId }, query: { filter } });
  expect(items.map(({ key }) => key)).toEqual([shardName(10), shardName(11)]);
  expect(total).toBe(2);
  const snippet = await server.call('createSnippet', { body: { datasetVersionId: versionId, filter, count: 12 } });
  expect(snippet.shards).toEqual(items);
  expect(snippet.selection.filter).toBe(filter);
  const analysisVersionId = await makeCommandAnalysis(server);
  const set = await makeSet(server, analysisVersionId);
  const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: versionId, filter };
  expect(await server.call('createPlan', { body: promotion })).toMatchObject({ shards: 2, tasks: 2 });
});

test('a name is taken once in a dataset, as it is written, and is free again when the query is deleted', async () => {
  const first = await save('mine', 'a');
  expect(await server.problem('createQuery', { params, body: { name: 'mine', filter: 'b' } })).toMatchObject({
    code: 'NAME_TAKEN',
    field: 'body/name',
    detail: 'This dataset already has a query "mine".'
  });
  expect((await server.call('listQueries', { params })).items).toEqual([first]);
  await save(' mine', 'b');
  await save('Mine', 'c');
  const other = await makeDataset(server, 1, 'other');
  await server.call('createQuery', { params: { datasetId: other.id }, body: { name: 'mine', filter: '' } });

  await server.call('deleteQuery', { params: { queryId: first.id } });
  expect((await server.problem('deleteQuery', { params: { queryId: first.id } })).code).toBe('NOT_FOUND');
  const again = await save('mine', 'd');
  expect(again.id).not.toBe(first.id);
  expect((await server.call('listQueries', { params })).items.map(({ filter }) => filter)).toEqual(['b', 'c', 'd']);
  expect((await server.call('listQueries', { params: { datasetId: other.id } })).total).toBe(1);
});

test.each(['age >60', '>60', 'a="b', 'a=1,', 'a>1,2', 'ab"c"'])(
  'the filter %j is refused, with the place',
  async (filter) => {
    const problem = await server.problem('createQuery', { params, body: { name: 'bad', filter } });
    expect(problem).toMatchObject({ code: 'FILTER_INVALID', field: 'filter', mend: expect.any(String) });
    expect(problem.detail).toMatch(/at character \d+ of the filter/);
    expect((await server.call('listQueries', { params })).total).toBe(0);
  }
);

test('queries go with their dataset', async () => {
  const { id } = await save('mine', '');
  await server.call('deleteDataset', { params });
  expect((await server.problem('listQueries', { params })).code).toBe('NOT_FOUND');
  expect((await server.problem('deleteQuery', { params: { queryId: id } })).code).toBe('NOT_FOUND');
});
