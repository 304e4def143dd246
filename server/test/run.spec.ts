import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDataset, makeNotebookAnalysis, makeSet, promote, runIn, tasksOf } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(async () => {
  await server.close();
});

test('a notebook runs on every shard and what it made becomes a dataset', async () => {
  const dataset = await makeDataset(server, 6);
  const analysisVersionId = await makeNotebookAnalysis(server);
  const set = await makeSet(server, analysisVersionId, { offset: 5 });
  const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
  const plan = await server.call('createPlan', { body: promotion });
  expect(plan).toMatchObject({ shards: 6, tasks: 6, reused: 0, toRun: 6, misses: [{ reason: 'never-run', count: 6 }] });

  const { id: runId } = await promote(server, promotion);
  const run = await runIn(server, runId, 'succeeded');
  expect(run.counts).toMatchObject({ succeeded: 6, failed: 0 });
  const tasks = await tasksOf(server, runId);
  expect(tasks.map((task) => task.metrics['result'])).toEqual([5, 7, 9, 11, 13, 15]);

  const { items } = await server.call('listDerivatives', { params: { runId } });
  expect(items).toHaveLength(6);
  const shard = await server.call('getShard', {
    params: { versionId: run.derivatives!.datasetVersionId },
    query: { key: tasks[2]!.shardKey }
  });
  expect(shard.origin).toMatchObject({ runId, taskIndex: 2, shardKey: tasks[2]!.shardKey });
  expect(shard.metadata).toEqual({ result: 9 });
  const result = await server.inject('getObject', {
    params: { versionId: run.derivatives!.datasetVersionId },
    query: { shard: tasks[2]!.shardKey, path: 'result.txt' }
  });
  expect(result.body).toBe('9');
  const manifest = JSON.parse(
    await readFile(join(server.config.dataFolder, 'objects', 'runs', runId, 'derivatives.json'), 'utf8')
  ) as { derivatives: unknown[] };
  expect(manifest.derivatives).toHaveLength(6);
});
