import { createHash } from 'node:crypto';
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Promotion } from '@labscale/schema';
import type { DerivativesManifest } from '../src/runs/publish.js';
import { faultPointNames, type FaultPointName } from '../src/runs/fault-point.js';
import {
  leftovers,
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  makeSet,
  promote,
  runIn,
  tasksOf,
  until
} from './run-fixtures.js';
import { bundleServer, startServerProcess, type ServerProcess } from './server-process.js';

/** kill-matrix.mjs asks for more. */
const rounds = Number(process.env['LABSCALE_KILL_ROUNDS'] ?? 2);
const tasks = 6;

let bundled: Awaited<ReturnType<typeof bundleServer>>;
let project: string;
let server: ServerProcess;
let promotions: Promotion[];

beforeAll(async () => {
  bundled = await bundleServer();
  project = await mkdtemp(join(tmpdir(), 'labscale-kill-'));
  server = await startServerProcess(bundled.file, project);
  const dataset = await makeDataset(server, tasks);
  // Long enough that a killed server leaves a program behind in the middle of it.
  const command = await makeCommandAnalysis(
    server,
    'sleep 0.05; cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy.txt"'
  );
  const notebook = await makeNotebookAnalysis(server, { body: 'import time; time.sleep(0.05)' });
  promotions = [];
  for (const analysisVersionId of [command, notebook]) {
    const set = await makeSet(server, analysisVersionId);
    promotions.push({
      analysisVersionId,
      parameterSetVersionIds: [set],
      datasetVersionId: dataset.latestVersion.id,
      reuse: false
    });
  }
  await server.stop();
}, 60_000);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
  await bundled.remove();
});

// A test that failed in the middle must not hold the folder against the next.
afterEach(() => server.kill());

const oncePerRun: readonly FaultPointName[] = [
  'before-intent',
  'after-intent',
  'before-publish',
  'after-publishing-commit',
  'after-sync',
  'after-verify',
  'after-manifest',
  'before-final-commit',
  'after-final-commit'
];

describe.each([...faultPointNames])('a server that is killed at %s', (point) => {
  test.each(Array.from({ length: rounds }, (_, round) => round))(
    'time %i',
    async (round) => {
      const promotion = promotions[round % promotions.length]!;
      const nth = oncePerRun.includes(point) ? 1 : 1 + (Math.floor(round / promotions.length) % 3);
      const key = `${point}-${round}`;

      server = await startServerProcess(bundled.file, project, { LABSCALE_FAULT_POINT: `${point}:${nth}` });
      const { total: runsBefore } = await server.call('listRuns', {});
      // The answer may never come: the client asks again with its key, as any client does.
      const begun = await promote(server, promotion, key).catch(() => undefined);
      if (nth > 1 && begun !== undefined) {
        // What is done for many tasks together may come by less often than that: then the end comes after the run.
        const done = await runIn(server, begun.id, 'succeeded').catch(() => undefined);
        if (done !== undefined) await server.kill();
      }
      expect(await server.gone).toBe('SIGKILL');

      server = await startServerProcess(bundled.file, project);
      try {
        const { id: runId } = await promote(server, promotion, key);
        await runIn(server, runId, 'succeeded');
        await checkWhole(runId);
        const { total } = await server.call('listRuns', {});
        expect(total - runsBefore).toBe(1);
      } finally {
        await server.stop();
      }
    },
    60_000
  );
});

/** Every shard once, by one attempt each, all bytes as the manifest says, and nothing left behind. */
async function checkWhole(runId: string): Promise<void> {
  const objects = join(server.dataFolder, 'objects');
  const run = await server.call('getRun', { params: { runId } });
  expect(run.counts).toMatchObject({ succeeded: tasks, failed: 0, waiting: 0, running: 0 });
  expect(run.derivatives?.shardCount).toBe(tasks);

  const { derivatives } = JSON.parse(
    await readFile(join(objects, 'runs', runId, 'derivatives.json'), 'utf8')
  ) as DerivativesManifest;
  expect(derivatives.map(({ taskIndex }) => taskIndex)).toEqual(Array.from({ length: tasks }, (_, index) => index));
  for (const { taskIndex, madeBy, objects: made } of derivatives) {
    const claim = JSON.parse(await readFile(join(objects, 'runs', runId, 'claims', `${taskIndex}.json`), 'utf8')) as {
      attempt: number;
    };
    expect(madeBy.attempt).toBe(claim.attempt);
    for (const { key, digest } of made) {
      expect(
        `sha256:${createHash('sha256')
          .update(await readFile(join(objects, key)))
          .digest('hex')}`
      ).toBe(digest);
    }
  }
  for (const { index } of await tasksOf(server, runId)) {
    const { items } = await server.call('listAttempts', { params: { runId, index } });
    expect(items.filter(({ published }) => published)).toHaveLength(1);
    expect(items.filter(({ state }) => state === 'running')).toEqual([]);
  }
  const { datasetId } = run.derivatives!;
  const versions = await server.call('listDatasetVersions', { params: { datasetId }, query: { limit: 1_000 } });
  expect(versions.items.filter(({ madeByRunId }) => madeByRunId === runId)).toHaveLength(1);

  await until(
    () => leftovers(server.dataFolder, runId),
    (found) => found.length === 0
  );
  await until(
    async () => [
      ...(await names(join(server.dataFolder, 'scratch'))),
      ...(await names(join(server.dataFolder, 'workers')))
    ],
    (found) => found.length === 0
  );
  // Objects of attempts that lost are gone, their reports and logs are kept.
  await until(
    async () => {
      const kept = new Set(derivatives.map(({ taskIndex, madeBy }) => `${taskIndex}/${madeBy.attempt}`));
      const attempts = join(objects, 'runs', runId, 'attempts');
      const found: string[] = [];
      for (const index of await names(attempts)) {
        for (const attempt of await names(join(attempts, index))) {
          const out = await names(join(attempts, index, attempt, 'out'));
          if (out.length > 0 && !kept.has(`${index}/${attempt}`)) found.push(`${index}/${attempt}`);
        }
      }
      return found;
    },
    (found) => found.length === 0
  );
}

async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}
