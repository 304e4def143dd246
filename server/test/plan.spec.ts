import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Plan, Promotion } from '@labscale/schema';
import { derivativeKey } from '../src/runs/derivative-key.js';
import { TrialChoice, explainValues, nearestFirst, type EarlierRecipe, type PlannedTask } from '../src/runs/plan.js';
import { estimateRun } from '../src/runs/run-estimate.js';
import {
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  makeSet,
  promote,
  runIn,
  shardName,
  until
} from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

describe('the derivative key', () => {
  const parts = { analysisDigest: 'a', parametersDigest: 'b', shardDigest: 'c', environmentDigest: 'd' };
  test('is of all its parts and nothing else', () => {
    const key = derivativeKey(parts);
    expect(key).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(derivativeKey({ ...parts, more: 1 } as never)).toBe(key);
    for (const name of Object.keys(parts)) expect(derivativeKey({ ...parts, [name]: 'x' })).not.toBe(key);
  });
});

describe('the trial', () => {
  const task = (index: number, sizeBytes: number) => ({ index, shard: { sizeBytes } }) as PlannedTask;
  const choose = (count: number, order: 'random' | 'largest' | 'first', chance?: () => number) => {
    const trial = new TrialChoice(count, order, chance);
    for (let index = 0; index < 5_000; index++) trial.consider(task(index, (index * 7) % 5_000));
    return trial.indexes();
  };
  test('takes the first, the largest or any', () => {
    expect(choose(3, 'first')).toEqual([0, 1, 2]);
    expect(choose(3, 'largest').map((index) => (index * 7) % 5_000)).toEqual([4_998, 4_999, 4_997]);
    expect(choose(9_999, 'random')).toHaveLength(5_000);
    const some = choose(100, 'random');
    expect(new Set(some).size).toBe(100);
    expect(choose(100, 'random')).not.toEqual(some);
  });
});

test('what changed is told in plain words, the first three of many', () => {
  expect(explainValues({ sigma: 2 }, { sigma: 3 })).toBe('sigma was 2, is 3');
  expect(explainValues({ a: 1, b: 'x' }, { b: 'y', c: null })).toBe(
    'b was "x", is "y"; c was not there, is null; a was 1, is gone'
  );
  expect(explainValues({ a: 1, b: 1, c: 1, d: 1 }, { a: 2, b: 2, c: 2, d: 2 })).toMatch(/c was 1, is 2; and 1 more$/);
  expect(explainValues({ a: 'x'.repeat(500) }, { a: 1 }).length).toBeLessThan(120);
});

test('the nearest earlier recipe differs in the least, the latest among equals', () => {
  const recipe = { analysisDigest: 'a', analysisNumber: 1, environmentDigest: 'e', packages: {} };
  const earlier = (runId: string, more: object) =>
    ({ ...recipe, runId, runName: runId, parametersDigest: 'p', values: {}, ...more }) as EarlierRecipe;
  const set = { parameterSetId: 's', parameterSetVersionId: 'v', digest: 'p', values: {} };
  const recipes = [
    earlier('3', { parametersDigest: 'x', environmentDigest: 'x' }),
    earlier('2', { parametersDigest: 'x' }),
    earlier('1', { parametersDigest: 'y' })
  ];
  expect(nearestFirst(set, recipe, recipes).map(({ runId }) => runId)).toEqual(['2', '1', '3']);
});

test('the estimate is of the run that is most like it, and none is made up', () => {
  const facts = { toRun: 5, places: 2, datasetId: 'd', analysisVersionId: 'v', earlier: [], snippetSeconds: [] };
  expect(estimateRun(facts)).toBeNull();
  expect(estimateRun({ ...facts, snippetSeconds: [1, 3] })).toEqual({
    seconds: 6,
    secondsPerTask: 2,
    parallel: 2,
    basis: 'snippet'
  });
  const run = { datasetId: 'other', analysisVersionId: 'v', isTrial: false, secondsPerTask: 4 };
  const earlier = [{ ...run, analysisVersionId: 'old', secondsPerTask: 9 }, run];
  expect(estimateRun({ ...facts, earlier })).toMatchObject({ secondsPerTask: 4, seconds: 12, basis: 'earlier-runs' });
  expect(estimateRun({ ...facts, toRun: 1, earlier: [{ ...run, isTrial: true }] })).toMatchObject({
    parallel: 1,
    basis: 'trial'
  });
});

describe('a plan', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
  });
  afterAll(async () => {
    await server.close();
  });

  const reasons = (plan: Plan) => plan.misses.map(({ reason, count, explanation }) => [reason, count, explanation]);

  test('names the reason of each miss by the nearest run before it', async () => {
    const dataset = await makeDataset(server, 4, 'history');
    const analysisVersionId = await makeNotebookAnalysis(server, { path: 'history.ipynb' });
    const usual = await makeSet(server, analysisVersionId, { offset: 2 });
    const promotion: Promotion = {
      analysisVersionId,
      parameterSetVersionIds: [usual],
      datasetVersionId: dataset.latestVersion.id
    };
    const { id: runId } = await promote(server, promotion, undefined, 'the first');
    await runIn(server, runId, 'succeeded');
    expect(await server.call('createPlan', { body: promotion })).toMatchObject({
      ...{ tasks: 4, reused: 4, toRun: 0, inputBytes: 0, misses: [], estimate: null }
    });

    const other = await makeSet(server, analysisVersionId, { offset: 3 }, 'other');
    const withOther = { ...promotion, parameterSetVersionIds: [usual, other] };
    const plan = await server.call('createPlan', { body: withOther });
    expect(plan).toMatchObject({ shards: 4, tasks: 8, reused: 4, toRun: 4 });
    expect(reasons(plan)).toEqual([['parameters-changed', 4, 'offset was 2, is 3']]);

    const edited = await makeNotebookAnalysis(server, { path: 'history.ipynb', body: 'pass' });
    const changed = await server.call('createPlan', { body: { ...promotion, analysisVersionId: edited } });
    expect(reasons(changed)).toEqual([['analysis-changed', 4, 'the analysis was version 1, is version 2']]);
    const both = { ...promotion, analysisVersionId: edited, parameterSetVersionIds: [other] };
    expect(reasons(await server.call('createPlan', { body: both }))).toEqual([
      ['analysis-changed', 4, 'the analysis was version 1, is version 2; offset was 2, is 3']
    ]);

    await writeFile(join(server.project, 'history', shardName(0)), '77\n');
    await writeFile(join(server.project, 'history', 'n99999.txt'), '5\n');
    const { id: versionId } = await server.call('createDatasetVersion', { params: { datasetId: dataset.id } });
    const early = await server
      .problem('createPlan', { body: { ...promotion, datasetVersionId: versionId } })
      .catch(() => undefined);
    if (early) expect(early.code).toBe('DATASET_INDEXING');
    await until(
      () => server.call('getDatasetVersion', { params: { versionId } }),
      ({ indexing }) => indexing.state === 'ready'
    );
    const moved = await server.call('createPlan', { body: { ...promotion, datasetVersionId: versionId } });
    expect(moved).toMatchObject({ tasks: 5, reused: 3, toRun: 2 });
    expect(reasons(moved).sort()).toEqual([
      ['new-shard', 1, 'no earlier run of this analysis had the shard'],
      ['shard-changed', 1, 'the data of the shard changed since run "the first"']
    ]);

    // As if a package had been updated since.
    await server.metadata.database
      .updateTable('run')
      .set({
        environmentDigest: `sha256:${'0'.repeat(64)}`,
        environmentJson: JSON.stringify({ interpreter: 'python', packages: { numpy: '0.1' } })
      })
      .where('id', '=', runId)
      .execute();
    await server.metadata.database
      .updateTable('derivative')
      .set({ environmentDigest: `sha256:${'0'.repeat(64)}`, derivativeKey: 'of another environment' })
      .where('runId', '=', runId)
      .execute();
    const [miss] = (await server.call('createPlan', { body: promotion })).misses;
    expect(miss).toMatchObject({ reason: 'environment-changed', count: 4 });
    expect(miss!.explanation).toMatch(/\w+ was not there, is [\d.]+/);
  });

  test('tells of what a run made and did not publish', async () => {
    const dataset = await makeDataset(server, 2, 'unpublished');
    const script = '[ "$(cat "$LABSCALE_INPUT"/*)" = 0 ] && cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"';
    const analysisVersionId = await makeCommandAnalysis(server, script, { name: 'half' });
    const set = await makeSet(server, analysisVersionId);
    const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
    await promote(server, promotion, undefined, 'half done').then(({ id }) => runIn(server, id, 'failed'));
    expect(reasons(await server.call('createPlan', { body: promotion })).sort()).toEqual([
      ['never-run', 1, 'this analysis has published nothing from this dataset yet'],
      ['not-published', 1, 'run "half done" made it, but has not published it']
    ]);
  });

  test('refuses what cannot run, and names the field', async () => {
    const dataset = await makeDataset(server, 2, 'refused');
    const analysisVersionId = await makeNotebookAnalysis(server, { path: 'refused.ipynb' });
    const foreign = await makeNotebookAnalysis(server, { path: 'foreign.ipynb' });
    const set = await makeSet(server, analysisVersionId);
    const other = await makeSet(server, foreign);
    const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
    const problem = async (more: object) => {
      const plan = await server.problem('createPlan', { body: { ...promotion, ...more } });
      const run = await server.problem('createRun', { body: { promotion: { ...promotion, ...more } } });
      expect(run.code).toBe(plan.code);
      expect(run.field).toBe(plan.field?.replace(/^body/, 'body/promotion'));
      return [plan.code, plan.field];
    };
    expect(await problem({ filter: 'nothing-is-named-so' })).toEqual(['PLAN_EMPTY', 'body/filter']);
    expect(await problem({ resources: { cpus: 3 } })).toEqual(['RESOURCES_EXCEEDED', 'body/resources/cpus']);
    expect(await problem({ resources: { gpus: 1 } })).toEqual(['RESOURCES_EXCEEDED', 'body/resources/gpus']);
    expect(await problem({ shardsPerPod: 4 })).toEqual(['RUNNER_UNSUITED', 'body/shardsPerPod']);
    expect(await problem({ shardsPerPod: 1_001 })).toEqual(['BODY_INVALID', 'body/shardsPerPod']);
    expect(await problem({ resources: { memoryBytes: 2 ** 40 } })).toEqual([
      'RESOURCES_EXCEEDED',
      'body/resources/memoryBytes'
    ]);
    expect(await problem({ parameterSetVersionIds: [other] })).toEqual([
      'BODY_INVALID',
      'body/parameterSetVersionIds/0'
    ]);
    expect((await problem({ datasetVersionId: 'dv-00000000000000000000' }))[0]).toBe('NOT_FOUND');
    expect((await problem({ analysisVersionId: set }))[0]).toBe('NOT_FOUND');
    expect((await problem({ filter: 'a>' }))[0]).toBe('FILTER_INVALID');
    expect((await problem({ surprise: 1 }))[0]).toBe('BODY_INVALID');
    expect((await server.call('listRuns', { query: { datasetId: dataset.id } })).total).toBe(0);
  });

  test('counts shards that fit the filter only', async () => {
    const dataset = await makeDataset(server, 12, 'filtered');
    const analysisVersionId = await makeCommandAnalysis(server, undefined, { name: 'filtered' });
    const set = await makeSet(server, analysisVersionId);
    const promotion = {
      ...{ analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id },
      filter: 'n0001'
    };
    expect(await server.call('createPlan', { body: promotion })).toMatchObject({ shards: 2, inputBytes: 6 });
    const { id: runId } = await promote(server, promotion);
    const run = await runIn(server, runId, 'succeeded');
    expect(run).toMatchObject({ filter: 'n0001', taskCount: 2 });
  });
});
