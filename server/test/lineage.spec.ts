import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCommandAnalysis, makeDataset, makeSet, promote, runIn, shardName, until } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
});
afterAll(async () => {
  await server.close();
});

/** The edges around something, each as `relation: from -> to`, by the names that `ids` gives. */
async function edgesOf(id: string, ids: Record<string, string>): Promise<string[]> {
  const { edges } = await server.call('getLineage', { params: { id } });
  const names = new Map(Object.entries(ids).map(([name, value]) => [value, name]));
  return edges.map(({ relation, from, to }) => `${relation}: ${names.get(from)} -> ${names.get(to)}`);
}

test('leads from each thing to all that it was made from, and on to all that was made of it', async () => {
  const { call } = server;
  const dataset = await makeDataset(server, 2);
  const data1 = dataset.latestVersion.id;
  const snippet = (await call('createSnippet', { body: { datasetVersionId: data1, count: 1 } })).id;
  const program1 = await makeCommandAnalysis(server);
  const program2 = await makeCommandAnalysis(server, 'cp -r "$LABSCALE_INPUT" "$LABSCALE_OUTPUT/all"');
  const set1 = await makeSet(server, program1);
  const params = {
    parameterSetId: (await call('getParameterSetVersion', { params: { versionId: set1 } })).parameterSetId
  };
  const provenance = { snippetId: snippet };
  const set2 = (
    await call('createParameterSetVersion', { params, body: { analysisVersionId: program2, values: {}, provenance } })
  ).latestVersion.id;
  const fork = (await call('forkParameterSet', { params, body: { name: 'fork', versionId: set1, values: {} } }))
    .latestVersion.id;
  const { id: run } = await promote(server, {
    analysisVersionId: program1,
    parameterSetVersionIds: [set1, fork],
    datasetVersionId: data1
  });
  const made = (await runIn(server, run, 'succeeded')).derivatives?.datasetVersionId ?? '';
  await appendFile(join(server.project, 'numbers', shardName(0)), 'more');
  const data2 = (await call('createDatasetVersion', { params: { datasetId: dataset.id } })).id;
  await until(
    () => call('getDatasetVersion', { params: { versionId: data2 } }),
    ({ indexing }) => indexing.state === 'ready'
  );
  const ids = { data1, data2, snippet, program1, program2, set1, set2, fork, run, made };

  expect(await edgesOf(made, ids)).toEqual([
    'made: run -> made',
    'input: data1 -> run',
    'analysis: program1 -> run',
    'parameters: set1 -> run',
    'parameters: fork -> run',
    'values-for: program1 -> set1',
    'values-for: program1 -> fork',
    'forked-from: set1 -> fork'
  ]);
  expect((await edgesOf(data1, ids)).sort()).toEqual([
    'cut-from: data1 -> snippet',
    'input: data1 -> run',
    'made: run -> made',
    'previous-version: data1 -> data2',
    'tuned-on: snippet -> set2'
  ]);
  expect((await edgesOf(program1, ids)).sort()).toEqual([
    'analysis: program1 -> run',
    'forked-from: set1 -> fork',
    'made: run -> made',
    'parameters: fork -> run',
    'parameters: set1 -> run',
    'previous-version: program1 -> program2',
    'previous-version: set1 -> set2',
    'values-for: program1 -> fork',
    'values-for: program1 -> set1',
    'values-for: program2 -> set2'
  ]);
  expect((await edgesOf(set2, ids)).sort()).toEqual([
    'cut-from: data1 -> snippet',
    'previous-version: program1 -> program2',
    'previous-version: set1 -> set2',
    'tuned-on: snippet -> set2',
    'values-for: program1 -> set1',
    'values-for: program2 -> set2'
  ]);
  const { nodes } = await call('getLineage', { params: { id: made } });
  expect(nodes.map(({ id, noun, name, number, superseded }) => [id, noun, name, number, superseded])).toEqual([
    [made, 'dataset-version', 'numbers · copy', 1, false],
    [run, 'run', 'copy on numbers', null, false],
    [data1, 'dataset-version', 'numbers', 1, true],
    [program1, 'analysis-version', 'copy', 1, true],
    [set1, 'parameter-set-version', 'usual', 1, true],
    [fork, 'parameter-set-version', 'fork', 1, false]
  ]);
  expect((await server.problem('getLineage', { params: { id: made }, as: 'ben' })).code).toBe('NOT_FOUND');
  expect((await server.problem('getLineage', { params: { id: dataset.id } })).code).toBe('REQUEST_INVALID');
});
