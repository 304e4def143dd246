import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Dataset, Promotion, Task } from '@labscale/schema';
import {
  cell,
  leftovers,
  makeCommandAnalysis,
  makeDataset,
  makeNotebookAnalysis,
  makeSet,
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
  dataset = await makeDataset(server, 3);
  await writeKernel('away', '/nowhere/bin/python');
});
afterAll(async () => {
  await server.close();
});

async function writeKernel(name: string, python: string): Promise<void> {
  const folder = join(server.project, 'jupyter', 'kernels', name);
  await mkdir(folder, { recursive: true });
  const argv = [python, '-m', 'ipykernel_launcher', '-f', '{connection_file}'];
  await writeFile(join(folder, 'kernel.json'), JSON.stringify({ argv, display_name: name, language: 'python' }));
}

async function promotionOf(analysisVersionId: string, of = dataset): Promise<Promotion> {
  const set = await makeSet(server, analysisVersionId);
  return { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: of.latestVersion.id };
}

/** The tasks of a run of a notebook or command that fails. */
async function failedTasks(promotion: Promotion): Promise<Task[]> {
  const { id: runId } = await promote(server, promotion);
  await runIn(server, runId, 'failed');
  await until(
    () => leftovers(server.config.dataFolder, runId),
    (found) => found.length === 0
  );
  return await tasksOf(server, runId);
}

let notebooks = 0;
const notebookThat = (body: string, resources: object = {}, more: object = {}) =>
  makeNotebookAnalysis(server, { path: `notebook-${notebooks++}.ipynb`, body, resources, ...more });

describe('a notebook that', () => {
  test('raises for some shards makes one group of like failures', async () => {
    const body = "if number != 1: raise ValueError(f'cannot do {number} at {id(files):#x}')";
    const { id: runId } = await promote(server, await promotionOf(await notebookThat(body)));
    await runIn(server, runId, 'failed');
    const { items } = await server.call('listFailures', { params: { runId } });
    expect(items).toMatchObject([{ exitKind: 'exception', count: 2, taskIndexes: [0, 2] }]);
    expect(items[0]!.title).toMatch(/^ValueError: cannot do/);
    expect(items[0]!.text).not.toMatch(/\u001b/);
  });

  test('has a syntax error fails before any of that cell has run, and says where', async () => {
    const tasks = await failedTasks(await promotionOf(await notebookThat("print('never')\ndef broken(:")));
    for (const task of tasks) {
      expect(task).toMatchObject({
        exitKind: 'exception',
        reason: expect.stringContaining('SyntaxError: invalid syntax')
      });
    }
    const { runId } = tasks[0]!;
    const { text } = await server.call('getLog', { params: { runId, index: 0, attempt: 1 } });
    expect(text).toContain('def broken(:');
    expect(text).not.toMatch(/^never$/m);
    const { items } = await server.call('listFailures', { params: { runId } });
    expect(items).toMatchObject([{ count: 3, title: 'SyntaxError: invalid syntax' }]);
  });

  test('prints without end keeps a log of its head and its tail, and the disk its room', async () => {
    const body = "import sys\nfor line in range(400_000): sys.stdout.write(f'line {line} ' + 'x' * 90 + '\\n')";
    const only = { ...(await promotionOf(await notebookThat(body))), filter: shardName(0) };
    const { id: runId } = await promote(server, only);
    await runIn(server, runId, 'succeeded');
    const params = { runId, index: 0, attempt: 1 };
    const head = await server.call('getLog', { params, query: { offset: 0, limit: 65_536 } });
    const tail = await server.call('getLog', { params });
    expect(head.text).toContain('line 0 x');
    expect(tail.text).toContain('line 399999 x');
    // The worker's own limit; what stood between is counted in a line of its own.
    expect(tail.sizeBytes).toBeLessThan(17 * 1_048_576);
    expect(tail).toMatchObject({ ended: true, nextOffset: tail.sizeBytes });
  });

  test('kills its kernel', async () => {
    const body = 'import os, signal; os.kill(os.getpid(), signal.SIGKILL)';
    const tasks = await failedTasks(await promotionOf(await notebookThat(body)));
    expect(tasks.map(({ exitKind }) => exitKind)).toEqual(['kernel-died', 'kernel-died', 'kernel-died']);
    expect(tasks[0]!.reason).toMatch(/kernel died/);
  });

  test('never ends is ended at its time limit, and is tried again as asked', async () => {
    const resources = { timeLimitSeconds: 0.5, retries: 1 };
    const tasks = await failedTasks(await promotionOf(await notebookThat('while True: pass', resources)));
    expect(tasks.map(({ exitKind, attempts }) => [exitKind, attempts])).toEqual([
      ['time-limit', 2],
      ['time-limit', 2],
      ['time-limit', 2]
    ]);
  });

  test('kills the worker that runs it is given up after four', async () => {
    const body = 'import os, signal; os.kill(os.getppid(), signal.SIGKILL)';
    const tasks = await failedTasks(await promotionOf(await notebookThat(body)));
    for (const task of tasks) expect(task).toMatchObject({ exitKind: 'worker-lost', attempts: 4 });
    expect(tasks[0]!.reason).toMatch(/Each of its last 4 attempts was lost/);
  });

  testOnMachine('names a kernel that is not installed is not planned', async () => {
    const analysis = await server.call('createAnalysis', {
      body: {
        kind: 'notebook',
        path: 'foreign.ipynb',
        notebook: {
          nbformat: 4,
          nbformat_minor: 5,
          metadata: { kernelspec: { name: 'ir', display_name: 'R', language: 'R' } },
          cells: [cell('x <- 1', 'parameters')]
        }
      }
    });
    const promotion = await promotionOf(analysis.latestVersion.id);
    expect(await server.problem('createPlan', { body: promotion })).toMatchObject({
      code: 'KERNEL_NOT_FOUND',
      detail: expect.stringMatching(/"ir" is not installed here; there are: .*python3/)
    });
    expect((await server.problem('createRun', { body: { promotion } })).code).toBe('KERNEL_NOT_FOUND');
  });
});

describe('expected derivatives', () => {
  test.each([
    ['left out', 'true', 'output-missing'],
    ['empty', ': > "$LABSCALE_OUTPUT/a.csv"', 'output-empty']
  ])('that are %s fail the task and name the file', async (_what, script, exitKind) => {
    const analysis = await makeCommandAnalysis(server, script, {
      name: exitKind,
      outputs: [{ path: 'a.csv', required: true }]
    });
    const tasks = await failedTasks(await promotionOf(analysis));
    for (const task of tasks) expect(task).toMatchObject({ exitKind, reason: expect.stringContaining('a.csv') });
  });
});

describe('a shard that', () => {
  testOnMachine('changed or went between the plan and its task is named, and not tried again', async () => {
    const own = await makeDataset(server, 3, 'fickle', false);
    const gate = join(server.project, 'gate-of-fickle');
    const analysis = await makeCommandAnalysis(
      server,
      `while [ ! -e ${gate} ]; do sleep 0.02; done; cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/c.txt"`,
      { name: 'slow', resources: { cpus: 2, retries: 3 } }
    );
    const { id: runId } = await promote(server, await promotionOf(analysis, own));
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ counts }) => counts.running === 1
    );
    // Task 0 has its input; the others wait behind it.
    const file = join(server.project, 'fickle', shardName(1));
    await writeFile(file, '8\n');
    await utimes(file, 1, 1);
    await rm(join(server.project, 'fickle', shardName(2)));
    await writeFile(gate, '');
    await runIn(server, runId, 'failed');
    const tasks = await tasksOf(server, runId);
    expect(tasks.map(({ state, exitKind, attempts }) => [state, exitKind, attempts])).toEqual([
      ['succeeded', 'succeeded', 1],
      ['failed', 'shard-changed', 1],
      ['failed', 'shard-missing', 1]
    ]);
    expect(tasks[1]!.reason).toContain(shardName(1));
  });

  test('only has another time of change is taken by its content', async () => {
    const own = await makeDataset(server, 1, 'touched');
    await utimes(join(server.project, 'touched', shardName(0)), 1, 1);
    const analysis = await makeCommandAnalysis(server, 'cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"', { name: 'touch' });
    await runIn(server, (await promote(server, await promotionOf(analysis, own))).id, 'succeeded');
  });
});

testOnMachine('a kernel in an environment that knows nothing of labscale can use it', async () => {
  const python = resolve('../.venv/bin/python');
  const environment = join(server.project, 'bare');
  execFileSync(python, ['-m', 'venv', '--without-pip', environment]);
  const paths = JSON.parse(
    execFileSync(python, ['-c', 'import json, site; print(json.dumps(site.getsitepackages()))'], { encoding: 'utf8' })
  ) as string[];
  // The kernel's packages, without what installers of labscale itself may have put beside them.
  const [library] = (await readdir(join(environment, 'lib'))).map((name) =>
    join(environment, 'lib', name, 'site-packages')
  );
  await writeFile(join(library!, 'kernel.pth'), paths.join('\n'));
  const bare = await startTestServer({
    PATH: process.env['PATH'] ?? '',
    JUPYTER_PATH: join(server.project, 'jupyter')
  });
  try {
    await writeKernel('bare', join(environment, 'bin', 'python'));
    const numbers = await makeDataset(bare, 2);
    const analysis = await bare.call('createAnalysis', {
      body: {
        kind: 'notebook',
        path: 'bare.ipynb',
        notebook: {
          nbformat: 4,
          nbformat_minor: 5,
          metadata: { kernelspec: { name: 'bare', display_name: 'bare', language: 'python' } },
          cells: [
            cell('offset = 1', 'parameters'),
            cell(
              [
                'import labscale, sys',
                "(labscale.output() / 'prefix.txt').write_text(sys.prefix)",
                'labscale.metric(number=float(labscale.shard().path().read_text()))'
              ].join('\n')
            )
          ]
        }
      }
    });
    const { id: versionId } = analysis.latestVersion;
    const set = await makeSet(bare, versionId);
    const { id: runId } = await promote(bare, {
      analysisVersionId: versionId,
      parameterSetVersionIds: [set],
      datasetVersionId: numbers.latestVersion.id
    });
    const run = await runIn(bare, runId, 'succeeded');
    const prefix = await bare.inject('getObject', {
      params: { versionId: run.derivatives!.datasetVersionId },
      query: { shard: shardName(0), path: 'prefix.txt' }
    });
    expect(prefix.body).toBe(environment);
    expect((await tasksOf(bare, runId)).map(({ metrics }) => metrics)).toEqual([{ number: 0 }, { number: 1 }]);
  } finally {
    await bare.close();
  }
});

testOnMachine('an interpreter that does not start is named before anything is promised', async () => {
  const away = await startTestServer({ LABSCALE_PYTHON: '/nowhere/bin/python3' });
  try {
    const numbers = await makeDataset(away, 1);
    const analysisVersionId = await makeCommandAnalysis(away);
    const set = await makeSet(away, analysisVersionId);
    const promotion = {
      analysisVersionId,
      parameterSetVersionIds: [set],
      datasetVersionId: numbers.latestVersion.id
    };
    expect(await away.problem('createRun', { body: { promotion } })).toMatchObject({
      code: 'RUNNER_UNAVAILABLE',
      detail: expect.stringContaining('/nowhere/bin/python3')
    });
    expect((await away.call('listRuns')).total).toBe(0);
  } finally {
    await away.close();
  }
});

test('what a program sees has neither the token nor the way to the server', async () => {
  const secret = 'canary-of-the-token';
  const guarded = await startTestServer({
    PATH: process.env['PATH'] ?? '',
    ...{
      LABSCALE_TOKEN: secret,
      LABSCALE_URL: 'http://127.0.0.1:9',
      JUPYTERHUB_API_TOKEN: secret,
      JPY_API_TOKEN: secret
    }
  });
  try {
    const numbers = await makeDataset(guarded, 1);
    const analysisVersionId = await makeCommandAnalysis(guarded, 'env | tee "$LABSCALE_OUTPUT/env.txt"; exit 1');
    const set = await makeSet(guarded, analysisVersionId);
    const { id: runId } = await promote(guarded, {
      analysisVersionId,
      parameterSetVersionIds: [set],
      datasetVersionId: numbers.latestVersion.id
    });
    await runIn(guarded, runId, 'failed');
    const log = await guarded.call('getLog', { params: { runId, index: 0, attempt: 1 } });
    expect(log.text).toContain(`LABSCALE_RUN=${runId}`);
    expect(log.text).not.toContain(secret);
    expect(log.text).not.toMatch(/LABSCALE_URL|LABSCALE_TOKEN/);
    expect(JSON.stringify(await tasksOf(guarded, runId))).not.toContain(secret);
  } finally {
    await guarded.close();
  }
});
