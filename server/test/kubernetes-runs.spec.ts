import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Promotion } from '@labscale/schema';
import { KubernetesCluster } from '../src/runner/kubernetes/kubernetes-client.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import {
  makeCommandAnalysis,
  makeDataset,
  makeSet,
  promote,
  runIn,
  tasksOf,
  until,
  type Calls
} from './run-fixtures.js';
import { bundleServer, startServerProcess, type ServerProcess } from './server-process.js';
import { clearCluster, clusterEnvironment, describeWithCluster, kubectl } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

const patienceMs = 150_000;

describeWithCluster('a run on a cluster', (cluster) => {
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const jobsOf = async (runId: string) => (await admin.listJobs(`labscale.dev/run=${runId}`)).jobs;
  const podsOf = (runId: string) => admin.listPods(`labscale.dev/run=${runId}`, 100);
  let server: TestServer | undefined;
  afterEach(async () => {
    await server?.close();
    server = undefined;
  }, patienceMs);

  async function startServer(more: Partial<Profile> = {}): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
    server = await startTestServer(await clusterEnvironment(cluster, folder, more));
    await rm(folder, { recursive: true });
    return server;
  }

  let commands = 0;
  async function promotionOf(on: Calls, script: string, tasks = 3, resources = {}): Promise<Promotion> {
    const dataset = await makeDataset(on, tasks, `numbers-${++commands}`);
    const analysisVersionId = await makeCommandAnalysis(on, script, { name: `command ${commands}`, resources });
    const set = await makeSet(on, analysisVersionId);
    return { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
  }
  const waitFor = <T>(read: () => Promise<T>, holds: (value: T) => boolean) => until(read, holds, patienceMs);
  const copy = 'cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"';

  test(
    'is ordered by one Job, and leaves no Job, pod or Secret',
    async () => {
      const on = await startServer();
      const { id: runId } = await promote(on, { ...(await promotionOf(on, `sleep 3; ${copy}`, 4)), shardsPerPod: 2 });
      const jobs = await waitFor(
        () => jobsOf(runId),
        (found) => found.length > 0
      );
      expect(jobs.map(({ spec }) => spec?.completions)).toEqual([2]);
      const run = await runIn(on, runId, 'succeeded');
      expect(run.derivatives?.shardCount).toBe(4);
      await waitFor(
        async () => [...(await jobsOf(runId)), ...(await podsOf(runId))],
        (left) => left.length === 0
      );
      expect(await kubectl('get', 'secrets', '--output=name')).not.toContain(runId);
    },
    patienceMs
  );

  test(
    'goes on by itself where its pods are deleted',
    async () => {
      const on = await startServer();
      const { id: runId } = await promote(on, { ...(await promotionOf(on, `sleep 20; ${copy}`, 2)), shardsPerPod: 1 });
      await waitFor(
        () => on.call('getRun', { params: { runId } }),
        ({ counts }) => counts.running === 2
      );
      await kubectl('delete', 'pods', '--force', '--grace-period=0', `--selector=labscale.dev/run=${runId}`);
      await runIn(on, runId, 'succeeded');
      const { items } = await on.call('listAttempts', { params: { runId, index: 0 } });
      expect(items.at(-1)).toMatchObject({ state: 'succeeded', published: true });
      expect(items.length).toBeGreaterThanOrEqual(2);
      expect(items[0]).toMatchObject({ state: 'lost' });
      // The cluster began it again: the run has the one Job that it had.
      expect((await tasksOf(on, runId)).map(({ state }) => state)).toEqual(['succeeded', 'succeeded']);
    },
    patienceMs
  );

  test(
    'says what it waits for where a quota is used up, and goes on when it is not',
    async () => {
      // A quota for one priority only: others who use the namespace are left alone.
      const priority = `labscale-test-${process.pid}`;
      await kubectl('create', 'priorityclass', priority, '--value=1');
      await applyQuota(priority);
      try {
        const on = await startServer({ priorityClassName: priority });
        const { id: runId } = await promote(on, await promotionOf(on, copy));
        const run = await waitFor(
          () => on.call('getRun', { params: { runId } }),
          ({ headline }) => headline.includes('quota')
        );
        expect(run.headline).toContain(
          `The quota "${priority}" of the namespace is used up: asked for pods=1, used pods=0 of pods=0.`
        );
        await kubectl('delete', 'quota', priority);
        await runIn(on, runId, 'succeeded');
      } finally {
        await kubectl('delete', 'quota', priority, '--ignore-not-found');
        await kubectl('delete', 'priorityclass', priority);
      }
    },
    patienceMs
  );

  test(
    'fails with the name of an image that no registry would take',
    async () => {
      const on = await startServer({ image: 'Not an image' });
      const { id: runId } = await promote(on, await promotionOf(on, copy));
      const run = await runIn(on, runId, 'failed');
      expect(run.failure).toMatch(/image/i);
      await waitFor(
        () => jobsOf(runId),
        (jobs) => jobs.length === 0
      );
    },
    patienceMs
  );

  test(
    'says of a task that took too much memory how much it might have had',
    async () => {
      const on = await startServer();
      const script = `python3 -c "x = b'x' * (1 << 29); print(len(x))"`;
      const { id: runId } = await promote(on, await promotionOf(on, script, 1, { memoryBytes: 2 ** 27 }));
      await runIn(on, runId, 'failed');
      const [task] = await tasksOf(on, runId);
      expect(task).toMatchObject({ exitKind: 'out-of-memory', reason: expect.stringMatching(/128|MiB|memory/) });
    },
    patienceMs
  );

  test('of a dataset in a folder of this machine is refused before anything is written', async () => {
    const on = await startServer();
    await makeDataset(on, 1, 'here');
    const promotion = await promotionOf(on, copy, 1);
    await on.metadata.database
      .updateTable('datasetVersion')
      .set({ rootJson: JSON.stringify({ kind: 'folder', path: 'here' }) })
      .where('id', '=', promotion.datasetVersionId)
      .execute();
    const refused = {
      code: 'RUNNER_UNSUITED',
      field: 'body/datasetVersionId',
      mend: expect.stringContaining('upload')
    };
    expect(await on.problem('createPlan', { body: promotion })).toMatchObject(refused);
    expect((await on.problem('createRun', { body: { promotion } })).code).toBe('RUNNER_UNSUITED');
    expect((await on.call('listRuns')).total).toBe(0);
  });

  describe('whose server is killed', () => {
    let bundled: Awaited<ReturnType<typeof bundleServer>>;
    let project: string;
    let environment: Record<string, string>;
    const processes: ServerProcess[] = [];
    const runs: string[] = [];
    beforeAll(async () => {
      bundled = await bundleServer();
      project = await mkdtemp(join(tmpdir(), 'labscale-killed-'));
      environment = await clusterEnvironment(cluster, project);
    });
    afterAll(async () => {
      for (const process of processes) await process.stop();
      await clearCluster(cluster, runs, []);
      await bundled.remove();
      await rm(project, { recursive: true, force: true });
    }, patienceMs);

    async function start(more: Record<string, string> = {}): Promise<ServerProcess> {
      const process = await startServerProcess(bundled.file, project, { ...environment, ...more });
      processes.push(process);
      return process;
    }

    test.each([
      'after-intent',
      'before-submit',
      'after-submit',
      'after-started',
      'before-task-commit',
      'after-publishing-commit'
    ])(
      'at %s ends right with one Job',
      async (point) => {
        const killed = await start({ LABSCALE_FAULT_POINT: `${point}:1` });
        const promotion = await promotionOf(killed, `: ${point}; sleep 2; ${copy}`, 3);
        await promote(killed, promotion, `key of ${point}`).catch(() => {});
        expect(await killed.gone).toBe('SIGKILL');
        const next = await start();
        const { items } = await next.call('listRuns');
        const { id: runId } = items[0]!;
        runs.push(runId);
        const names = new Set<string>();
        const run = await waitFor(
          async () => {
            for (const { metadata } of await jobsOf(runId)) names.add(metadata!.name!);
            return await next.call('getRun', { params: { runId } });
          },
          ({ state }) => ['succeeded', 'failed', 'stopped'].includes(state)
        );
        expect(run).toMatchObject({ state: 'succeeded', derivatives: { shardCount: 3 } });
        expect([...names].filter((name) => !name.endsWith('-1'))).toEqual([]);
        await next.stop();
      },
      patienceMs
    );
  });
});

async function applyQuota(priority: string): Promise<void> {
  const scope = { scopeName: 'PriorityClass', operator: 'In', values: [priority] };
  const quota = {
    ...{ apiVersion: 'v1', kind: 'ResourceQuota', metadata: { name: priority } },
    spec: { hard: { pods: '0' }, scopeSelector: { matchExpressions: [scope] } }
  };
  const folder = await mkdtemp(join(tmpdir(), 'labscale-quota-'));
  await writeFile(join(folder, 'quota.json'), JSON.stringify(quota));
  await kubectl('apply', '--filename', join(folder, 'quota.json'));
  await rm(folder, { recursive: true });
}
