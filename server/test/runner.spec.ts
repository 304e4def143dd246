import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pino } from 'pino';
import { newId } from '../src/metadata/ids.js';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import { LocalRunner } from '../src/runner/local-runner.js';
import type { Runner, RunnerEvent, RunOrder, TaskOrder } from '../src/runner/runner.js';
import { leftovers, until } from './run-fixtures.js';

interface Bench {
  /** A runner over one store and one folder; another one made later is a server after a restart. */
  makeRunner: (capacity: { cpus: number; memoryBytes: number }, interpreter?: string) => Runner;
  objects: LocalObjectStore;
  folder: string;
  close: () => Promise<void>;
}

/** What a runner has to stand on; each implementation is held to the same tests. */
const implementations: Record<string, () => Promise<Bench>> = {
  local: async () => {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-runner-'));
    const dataFolder = join(folder, 'data');
    await mkdir(dataFolder);
    const place = {
      dataFolder,
      objectsFolder: join(dataFolder, 'objects'),
      helpersFolder: resolve('../kernels-helpers/python/src'),
      jupyterPython: resolve('../.venv/bin/python'),
      environment: { PATH: process.env['PATH'] ?? '' }
    };
    return {
      folder,
      objects: new LocalObjectStore(place.objectsFolder),
      makeRunner: (capacity) => new LocalRunner(capacity, place, pino({ level: 'silent' })),
      close: () => rm(folder, { recursive: true, force: true })
    };
  }
};

const machine = { cpus: 2, memoryBytes: 2 ** 32 };
const resources = { cpus: 1, memoryBytes: 2 ** 28, timeLimitSeconds: 60, retries: 0, backoffSeconds: 0 };

describe.each(Object.keys(implementations))('the %s runner', (name) => {
  let bench: Bench;
  const runners: Runner[] = [];
  beforeEach(async () => {
    bench = await implementations[name]!();
  });
  afterEach(async () => {
    for (const runner of runners.splice(0)) await runner.close();
    await bench.close();
  });

  function makeRunner(capacity = machine): { runner: Runner; heard: RunnerEvent[] } {
    const runner = bench.makeRunner(capacity);
    const heard: RunnerEvent[] = [];
    runner.onEvent((event) => heard.push(event));
    runners.push(runner);
    return { runner, heard };
  }

  async function makeRun(script: string, more: Partial<RunOrder> = {}): Promise<RunOrder> {
    const runId = newId('run');
    const plan = {
      ...{ version: 1, runId, environmentDigest: 'sha256:0', warm: false, parameterSets: { 'pv-1': { values: {} } } },
      analysis: {
        ...{ versionId: 'av-1', digest: 'sha256:0', kind: 'command', files: [], kernel: null },
        ...{ command: ['sh', '-c', script], contract: { parameters: [], outputs: [], resources, warm: false } }
      }
    };
    await bench.objects.put(`runs/${runId}/plan.json`, Buffer.from(JSON.stringify(plan)));
    return {
      ...{
        runId,
        name: 'a run',
        interpreter: resolve('../.venv/bin/python'),
        image: null,
        resources,
        tasks: 4,
        secondsPerTask: null,
        shardsPerPod: null
      },
      ...more
    };
  }

  const task = (index: number, attempt = 1, more: Partial<TaskOrder> = {}): TaskOrder => ({
    ...{ index, attempt, parameterSetVersionId: 'pv-1', resources },
    shard: { key: `s${index}`, entities: {}, metadata: {}, digest: 'sha256:0', objects: [] },
    ...more
  });

  const ended = (heard: RunnerEvent[]) => heard.flatMap((event) => (event.kind === 'ended' ? [event.report] : []));
  const hear = (heard: RunnerEvent[], kind: RunnerEvent['kind'], count: number) =>
    until(
      async () => heard.filter((event) => event.kind === kind),
      (events) => events.length >= count
    );

  test('runs what it is given, once however often it is told', async () => {
    const { runner, heard } = makeRunner();
    const run = await makeRun(`echo x >> ${bench.folder}/$LABSCALE_TASK; echo 1 > "$LABSCALE_OUTPUT/1.txt"`);
    const tasks = [0, 1, 2, 3].map((index) => task(index));
    runner.submit(run, tasks);
    runner.submit(run, tasks);
    await hear(heard, 'ended', 4);
    expect(
      ended(heard)
        .map(({ index, state, claimed }) => [index, state, claimed])
        .sort()
    ).toEqual([0, 1, 2, 3].map((index) => [index, 'succeeded', true]));
    for (const { index } of tasks) {
      expect(await readFile(join(bench.folder, String(index)), 'utf8')).toBe('x\n');
      expect(await bench.objects.head(`runs/${run.runId}/claims/${index}.json`)).toBeDefined();
    }
    runner.finish(run.runId);
    await until(
      () => leftovers(bench.folder, run.runId),
      (found) => found.length === 0
    );
    await until(
      async () => readdir(join(bench.folder, 'data', 'workers')),
      (names) => names.length === 0
    );
  });

  test('has room for what keeps it busy, and no more', async () => {
    const { runner } = makeRunner();
    const run = await makeRun('sleep 60');
    const room = runner.room(run);
    expect(room).toBeGreaterThanOrEqual(2);
    expect(room).toBeLessThanOrEqual(8);
    runner.submit(
      run,
      Array.from({ length: room }, (_, index) => task(index))
    );
    expect(runner.room(run)).toBe(0);
    // Short tasks are queued further ahead.
    expect(runner.room({ ...run, secondsPerTask: 0.01 })).toBeGreaterThan(8);
    await runner.stop(run.runId);
  });

  test('never runs more at once than the machine holds, over all runs, and starves none', async () => {
    const { runner, heard } = makeRunner();
    const count = `echo + >> ${bench.folder}/at-once; sleep 0.1; echo - >> ${bench.folder}/at-once`;
    const runs = [await makeRun(count), await makeRun(count), await makeRun(count)];
    for (const run of runs)
      runner.submit(
        run,
        [0, 1, 2].map((index) => task(index))
      );
    await hear(heard, 'ended', 9);
    let [now, most] = [0, 0];
    for (const sign of (await readFile(join(bench.folder, 'at-once'), 'utf8')).trim().split('\n')) {
      now += sign === '+' ? 1 : -1;
      most = Math.max(most, now);
    }
    expect(most).toBeLessThanOrEqual(2);
    const order = ended(heard).map(({ runId }) => runs.findIndex((run) => run.runId === runId));
    // The last run has its first turn before the first run has its last.
    expect(order.indexOf(2)).toBeLessThan(order.lastIndexOf(0));
    for (const run of runs) runner.finish(run.runId);
  });

  test('gives a task that needs the whole machine its turn among many small ones', async () => {
    const { runner, heard } = makeRunner();
    const small = await makeRun('sleep 0.05');
    const large = await makeRun('true', { resources: { ...resources, cpus: 2 } });
    runner.submit(
      small,
      Array.from({ length: 20 }, (_, index) => task(index))
    );
    runner.submit(large, [task(0, 1, { resources: { ...resources, cpus: 2 } })]);
    await hear(heard, 'ended', 21);
    const place = ended(heard).findIndex(({ runId }) => runId === large.runId);
    expect(place).toBeLessThan(10);
    for (const { runId } of [small, large]) runner.finish(runId);
  });

  test('ends the whole tree of named attempts, and of a run', async () => {
    const { runner, heard } = makeRunner();
    const run = await makeRun('setsid sleep 300 & trap "" TERM; sleep 300 & wait');
    runner.submit(run, [task(0), task(1), task(2)]);
    await hear(heard, 'started', 2);
    await runner.stop(run.runId, [task(0)]);
    expect(ended(heard)).toMatchObject([{ index: 0, state: 'stopped' }]);
    await hear(heard, 'started', 3);
    await runner.stop(run.runId);
    expect(await leftovers(bench.folder, run.runId)).toEqual([]);
    expect(existsSync(join(bench.folder, 'data', 'scratch', run.runId))).toBe(false);
    expect(await bench.objects.head(`runs/${run.runId}/claims/0.json`)).toBeUndefined();
  });

  test('says which attempts went with a killed worker, after all that they left is ended', async () => {
    const { runner, heard } = makeRunner();
    const run = await makeRun('setsid sleep 300 & wait');
    runner.submit(run, [task(0), task(1)]);
    await hear(heard, 'started', 2);
    const [worker] = await workersOf(bench.folder);
    process.kill(worker!.pid, 'SIGKILL');
    const [gone] = (await hear(heard, 'gone', 1)) as Extract<RunnerEvent, { kind: 'gone' }>[];
    expect(gone!.attempts).toEqual([
      { index: 0, attempt: 1 },
      { index: 1, attempt: 1 }
    ]);
    expect(gone!.detail).toMatch(/SIGKILL/);
    expect(await leftovers(bench.folder, run.runId)).toEqual([]);
    // And goes on with a new worker.
    const quick = await makeRun('true');
    runner.submit(quick, [task(0)]);
    await hear(heard, 'ended', 1);
    runner.finish(quick.runId);
  });

  test('takes over what a worker of an earlier server still does, and ends what is left of the rest', async () => {
    const before = makeRunner();
    const run = await makeRun(
      `while [ ! -e ${bench.folder}/gate ]; do sleep 0.02; done; echo 1 > "$LABSCALE_OUTPUT/1.txt"`
    );
    before.runner.submit(
      run,
      [0, 1, 2, 3].map((index) => task(index))
    );
    await hear(before.heard, 'started', 2);
    await before.runner.close();

    const after = makeRunner();
    const taken = await after.runner.adopt(
      run,
      [0, 1, 2, 3].map((index) => task(index))
    );
    expect(taken).toEqual([
      { index: 0, attempt: 1 },
      { index: 1, attempt: 1 }
    ]);
    // They take their places: nothing else starts beside them.
    const other = await makeRun('true', { name: 'another run' });
    after.runner.submit(other, [task(0)]);
    expect(after.runner.waitingFor(other)).toBe('Waiting for a CPU: 2 of 2 are busy with "a run".');
    await writeFile(join(bench.folder, 'gate'), '');
    const gone = (await hear(after.heard, 'gone', 1)) as Extract<RunnerEvent, { kind: 'gone' }>[];
    expect(gone[0]!.attempts.length).toBeGreaterThan(0);
    await until(
      () => bench.objects.head(`runs/${run.runId}/claims/1.json`),
      (claim) => claim !== undefined
    );
    await hear(after.heard, 'ended', 1);
    after.runner.finish(run.runId);
    after.runner.finish(other.runId);
    await until(
      () => leftovers(bench.folder, run.runId),
      (found) => found.length === 0
    );
  });

  test('leaves nothing of attempts whose worker died with the server', async () => {
    const before = makeRunner();
    const run = await makeRun('setsid sleep 300 & wait');
    before.runner.submit(run, [task(0)]);
    await hear(before.heard, 'started', 1);
    const [worker] = await workersOf(bench.folder);
    await before.runner.close();
    process.kill(worker!.pid, 'SIGKILL');
    const after = makeRunner();
    await until(
      () => after.runner.adopt(run, [task(0)]),
      (taken) => taken.length === 0
    );
    expect(await leftovers(bench.folder, run.runId)).toEqual([]);
  });

  test('says that a worker cannot start, with its last words', async () => {
    const { runner, heard } = makeRunner();
    const run = await makeRun('true');
    await bench.objects.delete(`runs/${run.runId}/plan.json`);
    // As the run loop does: what went is given again.
    for (let attempt = 1; attempt <= 3; attempt++) {
      runner.submit(
        run,
        [0, 1].map((index) => task(index, attempt))
      );
      await until(
        async () => heard.flatMap((each) => (each.kind === 'gone' ? each.attempts : [])),
        (attempts) => attempts.length === 2 * attempt
      );
    }
    const [event] = (await hear(heard, 'unusable', 1)) as Extract<RunnerEvent, { kind: 'unusable' }>[];
    expect(event!.detail).toMatch(/ended with exit code 1. It said: the plan of the run cannot be read/);
    const away = { ...(await makeRun('true')), interpreter: '/nowhere/python' };
    runner.submit(away, [task(0)]);
    await until(
      async () => heard.filter((each) => each.kind === 'unusable' && each.runId === away.runId),
      (events) => events.length === 1
    );
  });
});

async function workersOf(folder: string): Promise<{ pid: number }[]> {
  const workers = join(folder, 'data', 'workers');
  const names = (await readdir(workers)).filter((name) => name.endsWith('.json'));
  return await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(workers, name), 'utf8')) as { pid: number })
  );
}
