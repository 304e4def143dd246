import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { apiPrefix, operations, type OperationId, type ServerEvent } from '@labscale/schema';
import { doublingNotebook, makeDataset, promote, runIn, shardName, until } from './run-fixtures.js';
import { checkNoun, startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
const answered = new Set<OperationId>();
beforeAll(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
  const { inject } = server;
  // It holds every answer against the contract.
  server.inject = async (id, input) => {
    const response = await inject(id, input);
    if (response.statusCode < 300) answered.add(id);
    return response;
  };
});
afterAll(() => server.close());

/** Names and texts are the scientist's own: nothing is cut off, not even a space. */
const asItIs = (text: string) => `  ${text} `;

test('the whole job: every operation answers as the contract says, and so does every event', async () => {
  const { call } = server;
  const stop = new AbortController();
  const events: ServerEvent[] = [];
  const url = await server.app.listen({ host: '127.0.0.1', port: 0 });
  const stream = await fetch(`${url}${apiPrefix}/events`, {
    headers: { authorization: 'Bearer token-of-ana' },
    signal: stop.signal
  });
  answered.add('listEvents');
  const listened = readEvents(stream, events);
  expect((await call('getServer')).user).toBe('ana');

  // A dataset, its versions, its shards and their bytes.
  const { id: datasetId } = await makeDataset(server, 4);
  const params = { datasetId };
  const name = asItIs('numbers');
  const metadata = { source: ' a text ', nested: [1, { deep: null }] };
  const described = await call('updateDataset', { params, body: { name, description: asItIs('text'), metadata } });
  expect(described).toMatchObject({ name, description: asItIs('text'), metadata });
  expect((await call('listDatasets', { query: { search: 'numbers' } })).items).toEqual([described]);
  expect((await call('browseBucket')).folders).toEqual([]);
  expect((await call('checkDataset', { params })).current).toBe(true);
  await writeFile(join(server.project, 'numbers', shardName(4)), '4\n');
  expect((await call('checkDataset', { params })).changes.added).toBe(1);
  const { id: versionId } = await call('createDatasetVersion', { params });
  await until(
    () => call('getDatasetVersion', { params: { versionId } }),
    ({ indexing }) => indexing.state === 'ready'
  );
  const ofVersion = { params: { versionId } };
  expect((await call('listDatasetVersions', { params })).total).toBe(2);
  expect((await call('listShardChanges', ofVersion)).items.map(({ key, change }) => [key, change])).toEqual([
    [shardName(4), 'added']
  ]);
  expect((await call('listShards', ofVersion)).total).toBe(5);
  const { key, objects } = await call('getShard', { ...ofVersion, query: { key: shardName(4) } });
  const bytes = await server.inject('getObject', { ...ofVersion, query: { shard: key, path: objects[0]!.path } });
  expect(bytes.body).toBe('4\n');

  // A query and a snippet.
  const query = await call('createQuery', { params, body: { name: asItIs('small'), filter: ' n0000 ' } });
  expect(query).toMatchObject({ name: asItIs('small'), filter: ' n0000 ' });
  expect((await call('listQueries', { params })).items).toEqual([query]);
  await call('deleteQuery', { params: { queryId: query.id } });
  const cut = { datasetVersionId: versionId, count: 2, seed: 7, name: asItIs('cut') };
  const snippet = await call('createSnippet', { body: cut });
  expect(snippet).toMatchObject({ name: asItIs('cut'), selection: { count: 2, seed: 7, filter: '' } });
  const ofSnippet = { params: { snippetId: snippet.id } };
  expect((await call('listSnippets')).items).toEqual([await call('getSnippet', ofSnippet)]);
  expect((await call('getSnippetFiles', ofSnippet)).shards).toHaveLength(2);
  expect((await call('getSnippetNotebook', ofSnippet)).nbformat).toBe(4);

  // An analysis, its versions and its contract.
  const notebook = doublingNotebook(`if number == 4 and offset == 5: raise ValueError('four')`);
  expect((await call('inspectNotebook', { body: { notebook } })).contract.parameters).toMatchObject([
    { name: 'offset' }
  ]);
  const analysis = await call('createAnalysis', {
    body: { kind: 'notebook', path: 'double.ipynb', notebook, name: asItIs('double') }
  });
  expect(analysis.name).toBe(asItIs('double'));
  const ofAnalysis = { params: { analysisId: analysis.id } };
  await call('updateAnalysis', { ...ofAnalysis, body: { description: asItIs('Doubles.') } });
  expect((await call('getAnalysis', ofAnalysis)).description).toBe(asItIs('Doubles.'));
  const contract = { ...analysis.latestVersion.contract, outputs: [{ path: 'result.txt', required: true }] };
  const version = await call('updateContract', {
    ...ofAnalysis,
    body: { ...contract, resources: { ...contract.resources, retries: 0 } }
  });
  expect((await call('listAnalyses')).total).toBe(1);
  expect((await call('listAnalysisVersions', ofAnalysis)).total).toBe(2);
  const ofAnalysisVersion = { params: { versionId: version.id } };
  expect(await call('getAnalysisVersion', ofAnalysisVersion)).toEqual(version);
  expect((await call('getAnalysisSource', ofAnalysisVersion)).cells).toHaveLength(notebook.cells.length);

  // Parameter sets.
  const base64 = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==';
  const set = await call('createParameterSet', {
    body: {
      name: asItIs('tuned'),
      analysisVersionId: version.id,
      values: { offset: 5 },
      note: asItIs('a note'),
      tags: [asItIs('a tag')],
      metrics: { snr: 1.5 },
      provenance: { snippetId: snippet.id, datasetVersionId: versionId, secondsPerShard: 0.1 },
      thumbnail: { mediaType: 'image/png', base64 }
    }
  });
  expect(set).toMatchObject({ name: asItIs('tuned'), note: asItIs('a note'), tags: [asItIs('a tag')] });
  const ofSet = { params: { parameterSetId: set.id } };
  await call('createParameterSetVersion', { ...ofSet, body: { analysisVersionId: version.id, values: { offset: 6 } } });
  await call('updateParameterSet', { ...ofSet, body: { note: '' } });
  expect((await call('getParameterSet', ofSet)).versionCount).toBe(2);
  expect((await call('listParameterSetVersions', ofSet)).total).toBe(2);
  const fork = await call('forkParameterSet', { ...ofSet, body: { name: asItIs('fork'), values: { offset: 7 } } });
  expect(fork.name).toBe(asItIs('fork'));
  expect((await call('listParameterSets')).total).toBe(2);
  const versions = `${set.latestVersion.id},${fork.latestVersion.id}`;
  expect((await call('compareParameterSets', { query: { versions } })).differing).toEqual(['offset']);
  const ofSetVersion = { params: { versionId: set.latestVersion.id } };
  expect((await call('getParameterSetVersion', ofSetVersion)).values).toEqual({ offset: 5 });
  expect((await server.inject('getThumbnail', ofSetVersion)).rawPayload.toString('base64')).toBe(base64);
  await call('deleteParameterSet', { params: { parameterSetId: fork.id } });

  // Plan, trial, release; the last shard fails, is looked at, retried, and left out of what is published.
  const promotion = {
    analysisVersionId: version.id,
    parameterSetVersionIds: [set.latestVersion.id],
    datasetVersionId: versionId
  };
  expect(await call('createPlan', { body: promotion })).toMatchObject({ tasks: 5, toRun: 5 });
  const trial = { count: 2, order: 'first' } as const;
  const { id: runId, name: runName } = await promote(server, { ...promotion, trial }, 'once', asItIs('a run'));
  expect(runName).toBe(asItIs('a run'));
  const ofRun = { params: { runId } };
  await runIn(server, runId, 'awaiting-release');
  expect((await call('getTaskStates', ofRun)).states).toBe('sshhh');
  await call('releaseRun', ofRun);
  await runIn(server, runId, 'failed');
  const [group] = (await call('listFailures', ofRun)).items;
  expect(group).toMatchObject({ title: 'ValueError: four', taskIndexes: [4] });
  const ofTask = { params: { runId, index: 4 } };
  expect((await call('getTask', ofTask)).exitKind).toBe('exception');
  expect((await call('listTasks', { ...ofRun, query: { state: 'failed' } })).items).toEqual([
    await call('getTask', ofTask)
  ]);
  expect((await call('getTaskColumns', ofRun)).metrics['result']).toEqual([5, 7, 9, 11, null]);
  expect((await call('searchLogs', { ...ofRun, query: { text: 'four' } })).items[0]).toMatchObject({ taskIndex: 4 });
  expect((await call('getLog', { params: { ...ofTask.params, attempt: 1 } })).text).toContain('ValueError: four');
  await call('retryRun', { ...ofRun, body: { taskIndexes: [4], resources: { timeLimitSeconds: 60 } } });
  await runIn(server, runId, 'failed');
  expect((await call('listAttempts', ofTask)).items.map(({ state }) => state)).toEqual(['failed', 'failed']);
  await call('publishRun', ofRun);
  const run = await runIn(server, runId, 'succeeded');
  expect(run.derivatives?.shardCount).toBe(4);
  expect((await call('listDerivatives', ofRun)).total).toBe(4);
  const { items: made } = await call('listShards', { params: { versionId: run.derivatives!.datasetVersionId } });
  expect(made.map(({ origin }) => origin?.taskIndex)).toEqual([0, 1, 2, 3]);

  const dropped = await promote(server, { ...promotion, trial, reuse: false });
  await runIn(server, dropped.id, 'awaiting-release');
  await call('stopRun', { params: { runId: dropped.id } });
  await runIn(server, dropped.id, 'stopped');
  expect((await call('listRuns')).items.map(({ id }) => id)).toEqual([dropped.id, runId]);
  expect((await call('getLineage', { params: { id: runId } })).focus).toBe(runId);
  const { id: unused } = await makeDataset(server, 1, 'unused');
  await call('deleteDataset', { params: { datasetId: unused } });

  await until(
    async () => events,
    (heard) => heard.some(isStopOf(dropped.id))
  );
  stop.abort();
  await listened;
  for (const event of events) checkNoun('ServerEvent', event);
  expect(new Set(events.map(({ type }) => type))).toEqual(new Set(['changed', 'indexing', 'run', 'tasks']));
  expect([...answered].sort()).toEqual(Object.keys(operations).sort());
});

const isStopOf = (runId: string) => (event: ServerEvent) =>
  event.type === 'run' && event.run.id === runId && event.run.state === 'stopped';

async function readEvents(stream: Response, events: ServerEvent[]): Promise<void> {
  let text = '';
  try {
    for await (const part of stream.body!.pipeThrough(new TextDecoderStream())) {
      text += part;
      const whole = text.split('\n\n');
      text = whole.pop()!;
      for (const [, data] of whole.flatMap((event) => [...event.matchAll(/^data: (.*)$/gm)])) {
        events.push(JSON.parse(data!) as ServerEvent);
      }
    }
  } catch (error) {
    if ((error as Error).name !== 'AbortError') throw error;
  }
}
