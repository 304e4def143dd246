import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServerEvent } from '@labscale/schema';
import {
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  makeSet,
  objectsOf,
  promote,
  runIn,
  shardName,
  tasksOf,
  until
} from './run-fixtures.js';
import { isOnCluster, testOnMachine } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
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
  const manifest = JSON.parse(String(await objectsOf(server).get(`runs/${runId}/derivatives.json`))) as {
    derivatives: unknown[];
  };
  expect(manifest.derivatives).toHaveLength(6);
});

test('what exists is reused: nothing runs, nothing is copied, and the reason of every miss is told', async () => {
  const dataset = await makeDataset(server, 4);
  const analysisVersionId = await makeCommandAnalysis(server);
  const first = await makeSet(server, analysisVersionId);
  const promotion = { analysisVersionId, parameterSetVersionIds: [first], datasetVersionId: dataset.latestVersion.id };
  const { id: madeBy } = await promote(server, { ...promotion, filter: 'n00000 ' });
  await runIn(server, madeBy, 'succeeded');

  const plan = await server.call('createPlan', { body: promotion });
  expect(plan).toMatchObject({
    tasks: 4,
    reused: 1,
    toRun: 3,
    inputBytes: 6,
    estimate: { basis: 'earlier-runs', parallel: isOnCluster ? 3 : 2 }
  });
  expect(plan.misses).toMatchObject([{ reason: 'new-shard', count: 3, exampleShardKey: shardName(1) }]);
  const { id: second } = await promote(server, promotion);
  const done = await runIn(server, second, 'succeeded');
  expect(done.counts).toMatchObject({ reused: 1, succeeded: 3 });
  expect(done.derivatives).toMatchObject({ shardCount: 4 });
  const [reused] = (await server.call('listDerivatives', { params: { runId: second } })).items;
  expect(reused?.reusedFrom).toEqual({ runId: madeBy, taskIndex: 0 });

  const { id: third } = await promote(server, promotion);
  const again = await runIn(server, third, 'succeeded');
  expect(again.counts).toMatchObject({ reused: 4, succeeded: 0 });
  expect(again.headline).toBe('Published 4 derivatives (4 reused)');
  const bytes = await server.inject('getObject', {
    params: { versionId: again.derivatives!.datasetVersionId },
    query: { shard: shardName(3), path: 'copy.txt' }
  });
  expect(bytes.body).toBe('3\n');
  const manifest = String(await objectsOf(server).get(`runs/${third}/derivatives.json`));
  expect(manifest).toContain(`"key":"runs/${madeBy}/attempts/0/1/out/copy.txt"`);
  expect(manifest).toContain(`"key":"runs/${second}/attempts/3/1/out/copy.txt"`);
  expect(manifest).not.toContain(`"key":"runs/${third}/`);
  // A version of the dataset of derivatives for each.
  expect(again.derivatives!.datasetId).toBe(done.derivatives!.datasetId);

  const off = { ...promotion, reuse: false };
  expect((await server.call('createPlan', { body: off })).misses).toMatchObject([{ reason: 'reuse-off', count: 4 }]);
  expect((await promote(server, off)).counts).toMatchObject({ reused: 0, waiting: 4 });

  // Another user finds nothing of it, neither to use nor to reuse.
  expect((await server.problem('createPlan', { body: promotion, as: 'ben' })).code).toBe('NOT_FOUND');
  expect((await server.problem('getRun', { params: { runId: third }, as: 'ben' })).code).toBe('NOT_FOUND');
  expect((await server.call('listRuns', { as: 'ben' })).total).toBe(0);
});

test('several sets make a task each for every shard, told apart in the derivatives', async () => {
  const dataset = await makeDataset(server, 3);
  const analysisVersionId = await makeNotebookAnalysis(server);
  const low = await makeSet(server, analysisVersionId, { offset: 1 }, 'low');
  const high = await makeSet(server, analysisVersionId, { offset: 100 }, 'high');
  const { id: runId } = await promote(server, {
    analysisVersionId,
    parameterSetVersionIds: [low, high],
    datasetVersionId: dataset.latestVersion.id
  });
  const run = await runIn(server, runId, 'succeeded');
  expect(run.parameterSets.map(({ name }) => name)).toEqual(['low', 'high']);
  const { items } = await server.call('listShards', { params: { versionId: run.derivatives!.datasetVersionId } });
  expect(items.map(({ key, entities, metadata }) => [key, entities['set'], metadata['result']])).toEqual([
    [`low/${shardName(0)}`, 'low', 1],
    [`high/${shardName(0)}`, 'high', 100],
    [`low/${shardName(1)}`, 'low', 3],
    [`high/${shardName(1)}`, 'high', 102],
    [`low/${shardName(2)}`, 'low', 5],
    [`high/${shardName(2)}`, 'high', 104]
  ]);
  const columns = await server.call('getTaskColumns', { params: { runId } });
  expect(columns.metrics['result']).toEqual([1, 100, 3, 102, 5, 104]);
  expect(columns.parameterSetVersionId).toEqual([low, high, low, high, low, high]);
});

test('events tell each change of a run, and bring the state string up to date', async () => {
  const dataset = await makeDataset(server, 8);
  const analysisVersionId = await makeCommandAnalysis(server, 'sleep 0.1; cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"');
  const set = await makeSet(server, analysisVersionId);
  const heard: ServerEvent[] = [];
  const deaf = server.services.events.listen(({ owner, event }) => {
    expect(owner).toBe('ana');
    heard.push(event);
  });
  const { id: runId } = await promote(server, {
    analysisVersionId,
    parameterSetVersionIds: [set],
    datasetVersionId: dataset.latestVersion.id
  });
  const { states } = await server.call('getTaskStates', { params: { runId } });
  expect(states).toHaveLength(8);
  await runIn(server, runId, 'succeeded');
  deaf();
  const string = [...'wwwwwwww'];
  const codes: Record<string, string> = { running: 'a', succeeded: 's' };
  for (const event of heard) {
    if (event.type !== 'tasks') continue;
    for (const [state, ranges] of Object.entries(event.states)) {
      for (const range of ranges.split(',')) {
        const [first, last] = range.split('-').map(Number);
        for (let index = first!; index <= (last ?? first!); index++) string[index] = codes[state]!;
      }
    }
  }
  expect(string.join('')).toBe('ssssssss');
  const told = heard.flatMap((event) => (event.type === 'run' ? [event.run.state] : []));
  expect(told[0]).toBe('starting');
  expect(told.at(-1)).toBe('succeeded');
  expect(new Set(told)).toEqual(new Set(['starting', 'running', 'publishing', 'succeeded']));
});

testOnMachine('logs are read from any byte, as they grow, and searched over all tasks', async () => {
  const dataset = await makeDataset(server, 3);
  const gate = join(server.project, 'gate');
  const script = `echo "größe $(cat "$LABSCALE_INPUT"/*)"; while [ ! -e ${gate} ]; do sleep 0.02; done; echo "the END"; cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"`;
  const analysisVersionId = await makeCommandAnalysis(server, script);
  const set = await makeSet(server, analysisVersionId);
  const { id: runId } = await promote(server, {
    analysisVersionId,
    parameterSetVersionIds: [set],
    datasetVersionId: dataset.latestVersion.id
  });
  const params = { runId, index: 1, attempt: 1 };
  const live = await until(
    () => server.call('getLog', { params }).catch(() => undefined),
    (log) => (log?.text ?? '') !== ''
  );
  expect(live).toEqual({ text: 'größe 1\n', nextOffset: 10, sizeBytes: 10, ended: false });
  expect(await server.call('getLog', { params, query: { offset: 10 } })).toMatchObject({ text: '', nextOffset: 10 });
  await writeFile(gate, '');
  await runIn(server, runId, 'succeeded');
  expect(await server.call('getLog', { params, query: { offset: 10 } })).toEqual({
    ...{ text: 'the END\n', nextOffset: 18, sizeBytes: 18, ended: true }
  });
  // A part that would cut a character in two ends before it, and starts after it.
  const first = await server.call('getLog', { params, query: { offset: 0, limit: 3 } });
  expect(first).toMatchObject({ text: 'gr', nextOffset: 2 });
  expect((await server.call('getLog', { params, query: { offset: 2, limit: 3 } })).text).toBe('ö');
  expect((await server.call('getLog', { params, query: { limit: 13 } })).text).toBe('e 1\nthe END\n'.slice(-13));

  const found = await server.call('searchLogs', { params: { runId }, query: { text: 'the end' } });
  expect(found).toEqual({
    items: [0, 1, 2].map((taskIndex) => ({
      ...{ taskIndex, shardKey: shardName(taskIndex), attempt: 1, lineNumber: 2, line: 'the END' }
    })),
    complete: true
  });
  const some = await server.call('searchLogs', { params: { runId }, query: { text: 'größe', limit: 2 } });
  expect(some).toMatchObject({ items: [{ taskIndex: 0 }, { taskIndex: 1 }], complete: false });
  expect((await server.problem('getLog', { params: { ...params, attempt: 2 } })).code).toBe('NOT_FOUND');
});

test('tasks and runs are listed by page, state and search', async () => {
  const dataset = await makeDataset(server, 5);
  const analysisVersionId = await makeCommandAnalysis(server);
  const set = await makeSet(server, analysisVersionId);
  const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
  const { id: runId } = await promote(server, promotion, undefined, 'The 50% run');
  await runIn(server, runId, 'succeeded');
  const page = await server.call('listTasks', { params: { runId }, query: { limit: 3 } });
  expect(page).toMatchObject({ items: [{ index: 0 }, { index: 1 }, { index: 2 }], total: 5 });
  const rest = await server.call('listTasks', { params: { runId }, query: { limit: 3, cursor: page.nextCursor! } });
  expect(rest).toMatchObject({ items: [{ index: 3 }, { index: 4 }], nextCursor: null });
  const one = await server.call('listTasks', { params: { runId }, query: { search: '3.TXT', state: 'succeeded' } });
  expect(one).toMatchObject({ items: [{ index: 3 }], total: 1 });
  expect((await server.problem('listTasks', { params: { runId }, query: { cursor: 'x' } })).code).toBe(
    'CURSOR_INVALID'
  );
  expect((await server.problem('getTask', { params: { runId, index: 9 } })).code).toBe('NOT_FOUND');

  await promote(server, promotion, undefined, 'Another').then(({ id }) => runIn(server, id, 'succeeded'));
  const named = async (query: Record<string, string>) =>
    (await server.call('listRuns', { query })).items.map(({ name }) => name);
  expect(await named({})).toEqual(['Another', 'The 50% run']);
  expect(await named({ search: '50% the' })).toEqual(['The 50% run']);
  expect(await named({ search: '5_%' })).toEqual([]);
  expect(await named({ state: 'running' })).toEqual([]);
  expect(await named({ datasetId: dataset.id, limit: '1' })).toEqual(['Another']);
});
