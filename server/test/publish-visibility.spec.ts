import { setTimeout as sleep } from 'node:timers/promises';
import type { DerivativesManifest } from '../src/runs/publish.js';
import { makeCommandAnalysis, makeDataset, makeSet, objectsOf, promote, runIn } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

/** Set higher to look for longer. */
const runs = Number(process.env['LABSCALE_VISIBILITY_RUNS'] ?? 16);
const leastPolls = runs * 200;
const tasks = 4;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer({ PATH: process.env['PATH'] ?? '' });
});
afterAll(() => server.close());

test('readers of runs that are published or stopped see all shards of a run, or none', async () => {
  const dataset = await makeDataset(server, tasks);
  const analysisVersionId = await makeCommandAnalysis(server);
  const set = await makeSet(server, analysisVersionId);
  const promotion = {
    ...{ analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id },
    reuse: false
  };
  const objects = objectsOf(server);
  const begun: string[] = [];
  const over = new Set<string>();
  let polls = 0;
  let seenWhole = 0;

  /** How many shards there are of a run in each place where one looks for them; no place where there are none. */
  async function look(runId: string): Promise<number[]> {
    const manifest = await objects.get(`runs/${runId}/derivatives.json`);
    const run = await server.call('getRun', { params: { runId } });
    const found: number[] = [];
    if (manifest) found.push((JSON.parse(manifest.toString()) as DerivativesManifest).derivatives.length);
    if (run.derivatives) {
      const params = { versionId: run.derivatives.datasetVersionId };
      found.push(run.derivatives.shardCount);
      found.push((await server.call('listShards', { params, query: { limit: 100 } })).items.length);
      found.push((await server.call('listDerivatives', { params: { runId }, query: { limit: 100 } })).items.length);
    }
    return found;
  }
  async function read(): Promise<void> {
    while (over.size < runs || polls < leastPolls) {
      // The newest are those that are being published.
      for (const runId of begun.slice(-6)) {
        const found = await look(runId);
        polls += 1 + found.length;
        expect(found.filter((count) => count !== tasks)).toEqual([]);
        if (found.length === 4) seenWhole += 1;
      }
      await sleep(0);
    }
  }
  async function promoteAll(): Promise<void> {
    for (let n = 0; n < runs; n++) {
      const { id: runId } = await promote(server, promotion);
      begun.push(runId);
      // Some are stopped before they begin, some in the middle of it, and some too late.
      if (n % 2 === 1) {
        await sleep(n * 4);
        await server.call('stopRun', { params: { runId } }).catch(() => undefined);
      }
      await runIn(server, runId, 'succeeded', 'stopped');
      over.add(runId);
    }
  }
  await Promise.all([promoteAll(), read(), read(), read()]);

  expect(polls).toBeGreaterThanOrEqual(leastPolls);
  expect(seenWhole).toBeGreaterThan(0);
  const ended = await Promise.all(
    begun.map(async (runId) => {
      const { state } = await server.call('getRun', { params: { runId } });
      return { state, seen: (await look(runId)).length };
    })
  );
  expect(ended.filter(({ state, seen }) => seen !== (state === 'succeeded' ? 4 : 0))).toEqual([]);
  expect(new Set(ended.map(({ state }) => state))).toEqual(new Set(['succeeded', 'stopped']));
}, 300_000);
