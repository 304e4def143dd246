import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset, Promotion } from '@labscale/schema';
import {
  leftovers,
  makeCommandAnalysis,
  makeDataset,
  makeSet,
  objectsOf,
  promote,
  runIn,
  shardName,
  tasksOf,
  until
} from './run-fixtures.js';
import { testOnMachine } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
let dataset: Dataset;
beforeAll(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
  dataset = await makeDataset(server, 6);
});
afterAll(async () => {
  await server.close();
});

let commands = 0;
/** A promotion of a command of its own, so that no test finds what another published. */
async function promotionOf(script = 'cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"', resources = {}): Promise<Promotion> {
  const options = { name: `command ${++commands}`, resources };
  const analysisVersionId = await makeCommandAnalysis(server, `: ${commands}; ${script}`, options);
  const set = await makeSet(server, analysisVersionId);
  return { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
}

const failsWhere = (test: string) =>
  `n=$(cat "$LABSCALE_INPUT"/*); if ${test}; then echo "no $n" >&2; exit 3; fi; echo $n > "$LABSCALE_OUTPUT/n.txt"`;

describe('a trial', () => {
  test('runs its tasks, waits, and goes on when it is released', async () => {
    const promotion = await promotionOf();
    const { id: runId } = await promote(server, { ...promotion, trial: { count: 2, order: 'first' } });
    const run = await runIn(server, runId, 'awaiting-release');
    expect(run.counts).toMatchObject({ succeeded: 2, held: 4, waiting: 0 });
    expect(run.trial).toEqual({ count: 2, released: false });
    expect((await tasksOf(server, runId)).map(({ state }) => state)).toEqual([
      ...['succeeded', 'succeeded'],
      ...['held', 'held', 'held', 'held']
    ]);
    expect((await server.call('createPlan', { body: promotion })).estimate?.basis).toBe('trial');
    const released = await server.call('releaseRun', { params: { runId } });
    expect(released.trial).toEqual({ count: 2, released: true });
    const done = await runIn(server, runId, 'succeeded');
    expect(done.derivatives?.shardCount).toBe(6);
    expect((await server.problem('releaseRun', { params: { runId } })).code).toBe('STATE_CONFLICT');
  });

  test('is dropped by a stop: nothing is published', async () => {
    const { id: runId } = await promote(server, {
      ...(await promotionOf()),
      trial: { count: 1, order: 'largest' }
    });
    await runIn(server, runId, 'awaiting-release');
    await server.call('stopRun', { params: { runId } });
    const run = await runIn(server, runId, 'stopped');
    expect(run.counts).toMatchObject({ succeeded: 1, stopped: 5, held: 0 });
    expect(run.derivatives).toBeNull();
    expect(await objectsOf(server).head(`runs/${runId}/derivatives.json`)).toBeUndefined();
  });

  test('that there is not cannot be released, and asking for it stops nothing', async () => {
    const { id: runId } = await promote(
      server,
      await promotionOf('sleep 1; cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"')
    );
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ counts }) => counts.running > 0
    );
    expect((await server.problem('releaseRun', { params: { runId } })).code).toBe('STATE_CONFLICT');
    await runIn(server, runId, 'succeeded');
  });

  test('of more tasks than there are holds nothing back', async () => {
    const { id: runId } = await promote(server, { ...(await promotionOf()), trial: { count: 50, order: 'random' } });
    await runIn(server, runId, 'succeeded');
  });
});

describe('a stop', () => {
  test('ends the whole tree of every task, also what left its session, and publishes nothing', async () => {
    const script = 'setsid sleep 300 & (trap "" TERM; sleep 300) & echo started; wait';
    const { id: runId } = await promote(server, await promotionOf(script));
    await until(
      () => server.call('getRun', { params: { runId } }),
      (run) => run.counts.running >= 2
    );
    const stopped = await server.call('stopRun', { params: { runId } });
    expect(['stopping', 'stopped']).toContain(stopped.state);
    const run = await runIn(server, runId, 'stopped');
    expect(run.counts).toMatchObject({ stopped: 6, running: 0, waiting: 0 });
    expect(await leftovers(server.config.dataFolder, runId)).toEqual([]);
    expect(existsSync(join(server.config.dataFolder, 'scratch', runId))).toBe(false);
    expect(await objectsOf(server).head(`runs/${runId}/derivatives.json`)).toBeUndefined();
    expect((await server.problem('stopRun', { params: { runId } })).code).toBe('STATE_CONFLICT');
    expect((await server.problem('retryRun', { params: { runId }, body: {} })).code).toBe('STATE_CONFLICT');
    expect((await server.problem('publishRun', { params: { runId } })).code).toBe('STATE_CONFLICT');
  });
});

describe('failed tasks', () => {
  testOnMachine('are tried again as often as is asked, later each time', async () => {
    // Fails twice for each shard, by a count that outlives the attempt.
    const counts = join(server.project, 'counts');
    const script = `mkdir -p ${counts}; f=${counts}/$(cat "$LABSCALE_INPUT"/*); echo x >> $f; [ $(wc -l < $f) -gt 2 ] && echo y > "$LABSCALE_OUTPUT/y.txt"`;
    const { id: runId } = await promote(server, await promotionOf(script, { retries: 2, backoffSeconds: 0.2 }));
    await runIn(server, runId, 'succeeded');
    for (const { index } of await tasksOf(server, runId)) {
      const { items } = await server.call('listAttempts', { params: { runId, index } });
      expect(items.map(({ state, published }) => [state, published])).toEqual([
        ['failed', false],
        ['failed', false],
        ['succeeded', true]
      ]);
      const [first, second, third] = items.map(({ startedAt, finishedAt }) =>
        [startedAt, finishedAt].map((at) => Date.parse(at!))
      );
      expect(second![0]! - first![1]!).toBeGreaterThanOrEqual(200);
      expect(third![0]! - second![1]!).toBeGreaterThanOrEqual(400);
    }
  });

  testOnMachine('end a run that publishes nothing, until they are retried in it', async () => {
    const marker = join(server.project, 'mended');
    const { id: runId } = await promote(server, await promotionOf(failsWhere(`[ $n -ge 3 ] && [ ! -e ${marker} ]`)));
    const failed = await runIn(server, runId, 'failed');
    expect(failed.counts).toMatchObject({ succeeded: 3, failed: 3 });
    expect(failed.headline).toMatch(/3 of 6 tasks failed; nothing is published/);

    const { items: groups } = await server.call('listFailures', { params: { runId } });
    expect(groups).toMatchObject([{ exitKind: 'exit-code', count: 3, firstTaskIndex: 3, taskIndexes: [3, 4, 5] }]);
    const inGroup = await server.call('listTasks', { params: { runId }, query: { failureGroup: groups[0]!.id } });
    expect(inGroup.items.map(({ index }) => index)).toEqual([3, 4, 5]);

    await server.call('retryRun', { params: { runId }, body: { taskIndexes: [4] } });
    await runIn(server, runId, 'failed');
    expect((await server.call('listAttempts', { params: { runId, index: 4 } })).items).toHaveLength(2);
    expect((await server.problem('retryRun', { params: { runId }, body: { taskIndexes: [0] } })).code).toBe(
      'STATE_CONFLICT'
    );
    const asksTooMuch = { resources: { cpus: 64 } };
    expect(await server.problem('retryRun', { params: { runId }, body: asksTooMuch })).toMatchObject({
      code: 'RESOURCES_EXCEEDED',
      field: 'body/resources/cpus'
    });

    await promote(server, await promotionOf(`touch ${marker}; echo 1 > "$LABSCALE_OUTPUT/1.txt"`)).then(({ id }) =>
      runIn(server, id, 'succeeded')
    );
    await server.call('retryRun', {
      params: { runId },
      body: { failureGroup: groups[0]!.id, resources: { timeLimitSeconds: 30 } }
    });
    const run = await runIn(server, runId, 'succeeded');
    expect(run.derivatives?.shardCount).toBe(6);
    expect(run.counts).toMatchObject({ succeeded: 6, failed: 0 });
    expect((await server.problem('retryRun', { params: { runId }, body: {} })).code).toBe('STATE_CONFLICT');
  });

  test('do not keep what succeeded from being published when that is asked for', async () => {
    const { id: runId } = await promote(server, await promotionOf(failsWhere('[ $n = 2 ]')));
    await runIn(server, runId, 'failed');
    await server.call('publishRun', { params: { runId } });
    const run = await runIn(server, runId, 'succeeded');
    expect(run.derivatives?.shardCount).toBe(5);
    expect(run.counts).toMatchObject({ succeeded: 5, failed: 1 });
    const { items } = await server.call('listDerivatives', { params: { runId } });
    expect(items.map(({ taskIndex }) => taskIndex)).toEqual([0, 1, 3, 4, 5]);
  });

  test('leave nothing to publish where none succeeded', async () => {
    const { id: runId } = await promote(server, await promotionOf('exit 1'));
    await runIn(server, runId, 'failed');
    expect((await server.problem('publishRun', { params: { runId } })).detail).toMatch(/nothing to publish/);
  });

  test('whose objects went before they were published run again', async () => {
    const { id: runId } = await promote(server, await promotionOf(failsWhere('[ $n = 5 ]')));
    await runIn(server, runId, 'failed');
    const objects = objectsOf(server);
    await objects.delete(`runs/${runId}/attempts/1/1/out/n.txt`);
    await objects.delete(`runs/${runId}/claims/2.json`);
    await server.call('publishRun', { params: { runId } });
    const run = await runIn(server, runId, 'succeeded');
    expect(run.derivatives?.shardCount).toBe(5);
    const { items } = await server.call('listDerivatives', { params: { runId } });
    expect(items.map(({ taskIndex, attempt }) => [taskIndex, attempt])).toEqual([
      ...[
        [0, 1],
        [1, 2],
        [2, 2]
      ],
      ...[
        [3, 1],
        [4, 1]
      ]
    ]);
    await until(
      () => objects.list(`runs/${runId}/attempts/2/1/out/`),
      (page) => page.objects.length === 0
    );
  });
});

testOnMachine('a run that waits says for what, and gets its turn', async () => {
  const gate = join(server.project, 'gate');
  const busy = await promote(
    server,
    await promotionOf(`while [ ! -e ${gate} ]; do sleep 0.05; done; echo 1 > "$LABSCALE_OUTPUT/1.txt"`),
    undefined,
    'the busy one'
  );
  await until(
    () => server.call('getRun', { params: { runId: busy.id } }),
    (run) => run.counts.running === 2
  );
  const { id: runId } = await promote(server, await promotionOf());
  const waiting = await until(
    () => server.call('getRun', { params: { runId } }),
    (run) => run.state === 'running'
  );
  expect(waiting.headline).toMatch(/^Waiting for a CPU: 2 of 2 are busy with "the busy one"/);
  const task = await server.call('getTask', { params: { runId, index: 5 } });
  expect(task.reason).toMatch(/^Waiting for a CPU/);
  await promote(server, await promotionOf()).then(({ id }) => server.call('stopRun', { params: { runId: id } }));
  await writeFile(gate, '');
  await runIn(server, runId, 'succeeded');
  await runIn(server, busy.id, 'succeeded');
});

test('promotes at once with one key are one run; another body is refused', async () => {
  const promotion = await promotionOf();
  const { total: before } = await server.call('listRuns');
  const runs = await Promise.all(Array.from({ length: 50 }, () => promote(server, promotion, 'one key')));
  expect(new Set(runs.map(({ id }) => id)).size).toBe(1);
  expect((await server.call('listRuns')).total).toBe(before + 1);
  expect(
    await server.problem('createRun', {
      body: { promotion: { ...promotion, filter: shardName(1) } },
      headers: { 'idempotency-key': 'one key' }
    })
  ).toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
  await runIn(server, runs[0]!.id, 'succeeded');
});

testOnMachine('a clean restart takes a run up again: what runs is adopted, nothing is done twice', async () => {
  const traces = join(server.project, 'traces');
  const script = `mkdir -p ${traces}; echo x >> ${traces}/$LABSCALE_TASK; sleep 1; echo 1 > "$LABSCALE_OUTPUT/1.txt"`;
  const { id: runId } = await promote(server, await promotionOf(script));
  await until(
    () => server.call('getRun', { params: { runId } }),
    (run) => run.counts.running === 2
  );
  await server.restart();
  const run = await runIn(server, runId, 'succeeded');
  expect(run.derivatives?.shardCount).toBe(6);
  for (const name of await readdir(traces)) {
    const { items } = await server.call('listAttempts', { params: { runId, index: Number(name) } });
    expect(items.at(-1)).toMatchObject({ state: 'succeeded', published: true });
  }
  // The two that ran during the restart were taken over by their first attempts.
  const first = await server.call('listAttempts', { params: { runId, index: 0 } });
  expect(first.items).toHaveLength(1);
});
