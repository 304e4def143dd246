import { spawn } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiPrefix, type Run } from '@labscale/schema';
import type { DerivativesManifest } from '../src/runs/publish.js';
import { makeCommandAnalysis, makeDataset, makeSet, promote, runIn, until, type Calls } from './run-fixtures.js';
import { bundleServer, startServerProcess, tokenOfTheTest, type ServerProcess } from './server-process.js';
import { canMount } from './small-disk.js';
import { AnsweredWithProblem } from './test-server.js';

const tasks = 24;
const failing = 5;
const pageBytes = 4_096;

let bundled: Awaited<ReturnType<typeof bundleServer>>;
beforeAll(async () => {
  bundled = await bundleServer();
});
afterAll(() => bundled.remove());

let project: string;
const running: ServerProcess[] = [];
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'labscale-publish-'));
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
  await rm(project, { recursive: true, force: true });
});

async function start(...more: Parameters<typeof startServerProcess> extends [string, string, ...infer R] ? R : never) {
  const server = await startServerProcess(bundled.file, project, ...more);
  running.push(server);
  return server;
}

/** A run of which every task but one has succeeded, so that it waits to be published by hand. */
async function failedRun(server: Calls, count = tasks): Promise<string> {
  const dataset = await makeDataset(server, count);
  const script = `n=$(cat "$LABSCALE_INPUT"/*); [ $n = ${failing} ] && exit 3; echo $n > "$LABSCALE_OUTPUT/n.txt"`;
  const analysisVersionId = await makeCommandAnalysis(server, script);
  const set = await makeSet(server, analysisVersionId);
  const datasetVersionId = dataset.latestVersion.id;
  const { id } = await promote(server, { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId });
  await runIn(server, id, 'failed');
  return id;
}

/** Every shard once, with its bytes, and nothing half written. */
async function checkPublished(server: ServerProcess, runId: string, count = tasks, lastAttempt = 1): Promise<void> {
  const objects = join(server.dataFolder, 'objects');
  const run = await server.call('getRun', { params: { runId } });
  expect(run).toMatchObject({ state: 'succeeded', failure: null, derivatives: { shardCount: count - 1 } });
  const { derivatives } = JSON.parse(
    await readFile(join(objects, 'runs', runId, 'derivatives.json'), 'utf8')
  ) as DerivativesManifest;
  const others = Array.from({ length: count }, (_, index) => index).filter((index) => index !== failing);
  expect(derivatives.map(({ taskIndex }) => taskIndex)).toEqual(others);
  for (const { taskIndex, objects: made } of derivatives) {
    expect(await readFile(join(objects, made[0]!.key), 'utf8')).toBe(`${taskIndex}\n`);
    const { items } = await server.call('listAttempts', { params: { runId, index: taskIndex } });
    expect(items.filter(({ published }) => published)).toHaveLength(1);
    expect(items.length).toBeLessThanOrEqual(lastAttempt);
  }
  const { datasetId } = run.derivatives!;
  const versions = await server.call('listDatasetVersions', { params: { datasetId } });
  expect(versions.items.map(({ madeByRunId, shardCount }) => [madeByRunId, shardCount])).toEqual([[runId, count - 1]]);
  const { items: shards } = await server.call('listShards', {
    params: { versionId: run.derivatives!.datasetVersionId },
    query: { limit: 1_000 }
  });
  expect(shards.map(({ origin }) => origin?.taskIndex)).toEqual(others);
  expect(await readdir(join(objects, '.incoming'))).toEqual([]);
}

/** A file that takes all the room there is, and gives it back a page at a time. */
class Ballast {
  readonly #file: number;
  #size = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
    const page = Buffer.alloc(pageBytes, 1);
    try {
      for (;;) this.#size += writeSync(this.#file, page);
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe('ENOSPC');
    }
  }

  give(pages: number): void {
    this.#size = Math.max(0, this.#size - pages * pageBytes);
    ftruncateSync(this.#file, this.#size);
  }

  close(): void {
    ftruncateSync(this.#file, 0);
    closeSync(this.#file);
  }
}

const noRoom =
  'What the run made could not be published: There is no room left on the disk. Nothing is lost: publish it again once that is mended.';

const codeOf = (asked: Promise<unknown>) =>
  asked.then(
    () => undefined,
    (error: unknown) => {
      if (!(error instanceof AnsweredWithProblem)) throw error;
      return error.problem.code;
    }
  );

(canMount() ? describe : describe.skip)('a disk that is full', () => {
  test('of the object store fails the publishing plainly, however little room is left; then it publishes each shard once', async () => {
    const folder = join(project, '.labscale', 'objects');
    await mkdir(folder, { recursive: true });
    const server = await start({}, { folder, sizeBytes: 2 * 1_048_576 });
    const runId = await failedRun(server);
    const objects = join(server.dataFolder, 'objects');
    const before = await server.call('listTasks', { params: { runId }, query: { limit: 1_000 } });
    const ballast = new Ballast(join(objects, 'ballast'));
    let run: Run;
    let [refusals, behindManifest] = [0, 0];
    // Page after page, so that the room ends at each thing that is written: within the manifest, before it and after.
    for (;;) {
      await server.call('publishRun', { params: { runId } });
      run = await until(
        () => server.call('getRun', { params: { runId } }),
        ({ state }) => state !== 'publishing'
      );
      if (run.state === 'succeeded') break;
      refusals += 1;
      expect(run).toMatchObject({ state: 'failed', failure: noRoom, headline: noRoom, derivatives: null });
      expect(await readdir(join(objects, '.incoming'))).toEqual([]);
      expect(await server.call('listTasks', { params: { runId }, query: { limit: 1_000 } })).toEqual(before);
      const [derived] = (await server.call('listDatasets')).items.filter(({ source }) => source.kind === 'derivatives');
      if (existsSync(join(objects, 'runs', runId, 'derivatives.json'))) {
        // What is set down can still be published, but nothing added to it: it would never be seen.
        expect(await codeOf(server.call('retryRun', { params: { runId }, body: {} }))).toBe('STATE_CONFLICT');
        const params = { versionId: derived!.latestVersion.id };
        expect(await codeOf(server.call('listShards', { params }))).toBe('DATASET_INDEXING');
        behindManifest += 1;
      } else expect(derived).toBeUndefined();
      if (refusals === 1) {
        const notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };
        const body = { kind: 'notebook', path: 'a.ipynb', notebook, contract: { parameters: [] } } as const;
        expect(await codeOf(server.call('createAnalysis', { body }))).toBe('DISK_FULL');
      }
      ballast.give(1);
    }
    expect(refusals - behindManifest).toBeGreaterThan(2);
    expect(behindManifest).toBeGreaterThan(0);
    ballast.close();
    await rm(join(objects, 'ballast'));
    await checkPublished(server, runId);
  });

  test('of everything leaves a server that answers, and a run that is published once there is room', async () => {
    const folder = join(project, '.labscale');
    await mkdir(folder, { recursive: true });
    const server = await start({ LABSCALE_LOG_LEVEL: 'trace' }, { folder, sizeBytes: 24 * 1_048_576 });
    const runId = await failedRun(server);
    const ballast = new Ballast(join(server.dataFolder, 'ballast'));
    const seen = new Set<string>();
    const headlines = new Set<string>();
    for (;;) {
      const { state, failure } = await server.call('getRun', { params: { runId } });
      if (state === 'succeeded') break;
      if (state === 'failed') {
        seen.add(failure ?? 'tasks failed');
        const code = await codeOf(server.call('publishRun', { params: { runId } }));
        seen.add(code ?? 'accepted');
      }
      // Where not even its failure can be written, it is tried again: that may take longer than is waited for here.
      await until(
        () => server.call('getRun', { params: { runId } }),
        (run) => {
          if (run.state === 'publishing') headlines.add(run.headline);
          return run.state !== 'publishing';
        },
        300
      ).catch(() => {});
      ballast.give(8);
    }
    expect([...seen].filter((what) => !['tasks failed', noRoom, 'DISK_FULL', 'accepted'].includes(what))).toEqual([]);
    expect(seen).toContain('DISK_FULL');
    expect(headlines).toContain(
      'Publishing 23 derivatives. It goes on once this is mended: There is no room left on the disk.'
    );
    ballast.close();
    await checkPublished(server, runId);
    const response = await fetch(`${server.url}${apiPrefix}/server`, {
      headers: { authorization: `Bearer ${tokenOfTheTest}` }
    });
    expect(response.status).toBe(200);
  });
});

describe('what the claims say', () => {
  const claim = (server: ServerProcess, runId: string, index: number) =>
    join(server.dataFolder, 'objects', 'runs', runId, 'claims', `${index}.json`);

  test('and cannot be read, or is not of the task, is not published: the task runs again', async () => {
    const server = await start();
    const runId = await failedRun(server, 14);
    const change = async (index: number, how: (whole: string) => string) => {
      const file = claim(server, runId, index);
      await writeFile(file, how(await readFile(file, 'utf8')));
    };
    const spoilt = (more: object) => (whole: string) => JSON.stringify({ ...(JSON.parse(whole) as object), ...more });
    const object = (more: object) =>
      spoilt({
        objects: [{ path: 'n.txt', sizeBytes: 2, digest: `sha256:${'0'.repeat(64)}`, mediaType: 'text/plain', ...more }]
      });
    // A loss of power leaves the first three.
    await change(0, () => '');
    await change(1, (whole) => whole.slice(0, whole.length / 2));
    await change(2, (whole) => '\0'.repeat(whole.length));
    await change(3, () => 'null');
    await change(4, () => '[]');
    await change(6, spoilt({ objects: undefined }));
    await change(7, object({ path: '../../../2/1/out/n.txt' }));
    await change(8, object({ sizeBytes: '2' }));
    await change(9, object({ digest: 'sha256:0' }));
    await change(10, spoilt({ attempt: '../1' }));
    await change(11, spoilt({ index: 12 }));
    await rm(claim(server, runId, 12));
    await server.call('publishRun', { params: { runId } });
    await runIn(server, runId, 'succeeded');
    await checkPublished(server, runId, 14, 2);
    const { items } = await server.call('listDerivatives', { params: { runId } });
    expect(items.filter(({ attempt }) => attempt === 2).map(({ taskIndex }) => taskIndex)).toEqual([
      ...[0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]
    ]);
  });

  test('and is gone each time that it is made again, ends the run: nothing goes round for ever', async () => {
    const server = await start();
    const dataset = await makeDataset(server, 2);
    const analysisVersionId = await makeCommandAnalysis(server);
    const set = await makeSet(server, analysisVersionId);
    const datasetVersionId = dataset.latestVersion.id;
    const runs = join(server.dataFolder, 'objects', 'runs');
    // Whatever was claimed for task 0 is deleted behind the server's back, long before it can have been looked at.
    const script =
      'while :; do for claim in "$0"/*/claims/0.json; do [ -e "$claim" ] && rm -rf "$0"/*/attempts/0/*/out; done; done';
    const thief = spawn('sh', ['-c', script, runs], { stdio: 'ignore' });
    try {
      const { id: runId } = await promote(server, {
        analysisVersionId,
        parameterSetVersionIds: [set],
        datasetVersionId
      });
      const run = await runIn(server, runId, 'failed');
      expect(run.failure).toBe(
        'What a task made was gone from the object store 4 times. Nothing is lost: publish it again once that is mended.'
      );
      const { items } = await server.call('listAttempts', { params: { runId, index: 0 } });
      expect(items).toHaveLength(4);
      thief.kill('SIGKILL');
      await server.call('publishRun', { params: { runId } });
      await runIn(server, runId, 'succeeded');
    } finally {
      thief.kill('SIGKILL');
    }
  });

  test('and the reports, is looked at after a crash: what cannot be read is not there, and nothing goes round for ever', async () => {
    const first = await start({ LABSCALE_FAULT_POINT: 'before-report:1' });
    const dataset = await makeDataset(first, 2);
    const analysisVersionId = await makeCommandAnalysis(first);
    const set = await makeSet(first, analysisVersionId);
    const datasetVersionId = dataset.latestVersion.id;
    const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId };
    const { id: runId } = await promote(first, promotion);
    expect(await first.gone).toBe('SIGKILL');
    // Its worker has ended both tasks by itself.
    await until(
      () => readdir(join(first.dataFolder, 'objects', 'runs', runId, 'claims')).catch(() => []),
      (names) => names.length === 2
    );
    await until(
      () => readdir(join(first.dataFolder, 'workers')),
      (names) => !names.some((name) => name.endsWith('.json'))
    );
    const attempts = join(first.dataFolder, 'objects', 'runs', runId, 'attempts');
    await writeFile(claim(first, runId, 0), '');
    await rm(claim(first, runId, 1));
    await writeFile(join(attempts, '1', '1', 'report.json'), '{"version":1,');
    const server = await start();
    const run = await runIn(server, runId, 'succeeded');
    expect(run.derivatives?.shardCount).toBe(2);
    const { items } = await server.call('listDerivatives', { params: { runId } });
    expect(items.map(({ attempt }) => attempt)).toEqual([2, 2]);
  });
});
