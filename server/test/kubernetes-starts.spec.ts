import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesCluster } from '../src/runner/kubernetes/kubernetes-client.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import { listWaves } from '../src/runner/kubernetes/wave-orders.js';
import { copyImage, writerOf } from './image-registry.js';
import { makeCommandAnalysis, makeDataset, makeSet, objectsOf, promote, tasksOf, until } from './run-fixtures.js';
import { clusterEnvironment, describeWithCluster } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

/** A Job tries a pod again after 10, 20 and 40 s; what keeps a pod from starting is given 60. */
const patienceMs = 240_000;
/** Far less than the half hour and more after which the pod itself is ended. */
const promptMs = 200_000;

describeWithCluster('a run whose pods never come to their tasks', (cluster) => {
  const { podHost } = cluster.registry;
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const absent = `${podHost}/labscale-test/absent-${process.pid}:1`;
  const late = `labscale-test/late-${process.pid}`;
  const servers: TestServer[] = [];

  afterAll(async () => {
    for (const server of servers) await server.close();
  }, patienceMs);

  interface Begun {
    server: TestServer;
    runId: string;
  }
  async function begin(profile: Partial<Profile>): Promise<Begun> {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
    const server = await startTestServer(
      await clusterEnvironment(cluster, folder, { cpuRequestFraction: 0.05, ...profile })
    );
    await rm(folder, { recursive: true });
    servers.push(server);
    const dataset = await makeDataset(server, 3);
    const analysisVersionId = await makeCommandAnalysis(server, undefined, { resources: { memoryBytes: 2 ** 26 } });
    const { id: runId } = await promote(server, {
      ...{ analysisVersionId, parameterSetVersionIds: [await makeSet(server, analysisVersionId)] },
      ...{ datasetVersionId: dataset.latestVersion.id, shardsPerPod: 2 }
    });
    return { server, runId };
  }
  const shows = async ({ server, runId }: Begun, words: RegExp) =>
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ state, headline }) => words.test(headline) || !['starting', 'running'].includes(state),
      promptMs
    );
  /** The run when it has ended, and its Jobs with it. */
  async function endOf({ server, runId }: Begun) {
    const jobs = async () => (await admin.listJobs(`labscale.dev/run=${runId}`)).jobs;
    const run = await until(
      () => server.call('getRun', { params: { runId } }),
      ({ state }) => ['succeeded', 'failed', 'stopped'].includes(state),
      promptMs
    );
    await until(jobs, ({ length }) => length === 0, promptMs);
    return run;
  }
  /** That a run and each of its tasks say so, that each was tried once, and that one Job did it. */
  async function expectVerdict(begun: Begun, exitKind: string, words: RegExp): Promise<void> {
    const { server, runId } = begun;
    const run = await endOf(begun);
    expect(run.state).toBe('failed');
    expect([run.failure, run.headline]).toEqual([expect.stringMatching(words), run.failure]);
    const tasks = await tasksOf(server, runId);
    expect(tasks).toHaveLength(3);
    for (const task of tasks) {
      expect(task).toMatchObject({ state: 'failed', attempts: 1, exitKind, reason: run.failure });
    }
    expect(await listWaves(objectsOf(server), runId)).toEqual([1]);
  }
  const as = (image: string) => image.replace(/[.]/g, '\\.');

  // What is waited for takes minutes, and the pods do nothing meanwhile.
  const begun = new Map<string, Promise<Begun>>();
  let waits: ReturnType<typeof shows>;
  beforeAll(async () => {
    begun.set('absent', begin({ image: absent }));
    begun.set('late', begin({ image: `${podHost}/${late}:1` }));
    begun.set('no-python', begin({ python: 'no-such-python' }));
    begun.set('ends', begin({ python: 'false' }));
    begun.set('agent', begin({ agentImage: cluster.images.plain }));
    waits = begun.get('absent')!.then((run) => shows(run, /cannot be had/));
    // Only one test asks how it went, which may be left out.
    waits.catch(() => {});
    await Promise.all(begun.values());
  }, patienceMs);

  test(
    'goes on where its image comes late',
    async () => {
      const run = await begun.get('late')!;
      expect((await shows(run, /cannot be had/)).state).toBe('running');
      const digest = await copyImage(podHost, cluster.images.scientific, late);
      try {
        expect(await endOf(run)).toMatchObject({ state: 'succeeded', counts: { succeeded: 3 } });
        for (const task of await tasksOf(run.server, run.runId)) expect(task.attempts).toBe(1);
      } finally {
        await writerOf(podHost).removeManifest(late, digest);
      }
    },
    patienceMs
  );

  test(
    'says that the program is none of the image, at once and not when the pod is ended',
    async () => {
      const words = new RegExp(
        `^The image ${as(cluster.images.scientific)} cannot be started: .*no-such-python.* \\(StartError\\)\\.$`
      );
      await expectVerdict(await begun.get('no-python')!, 'worker-lost', words);
    },
    patienceMs
  );

  test(
    'says first that it waits for its image, and then that it is not to be had',
    async () => {
      const words = new RegExp(`^The image ${as(absent)} cannot be had: .*not found`);
      const run = await begun.get('absent')!;
      expect(await waits).toMatchObject({ state: 'running', headline: expect.stringMatching(words) });
      await expectVerdict(run, 'image-missing', words);
    },
    patienceMs
  );

  test(
    'says that its program ended before it began',
    async () => {
      const words = /^The program of its pod ended before it began any task, with exit code 1\.$/;
      await expectVerdict(await begun.get('ends')!, 'worker-lost', words);
    },
    patienceMs
  );

  test(
    'is not tried in more Jobs where all pods of the first have died before a word',
    async () => {
      await expectVerdict(await begun.get('agent')!, 'worker-lost', /^The container bring of its pod ended .*python3/);
    },
    patienceMs
  );

  test(
    'says at once that an image that may not be pulled is not there',
    async () => {
      const run = await begin({ image: absent, imagePullPolicy: 'Never' });
      await expectVerdict(
        run,
        'image-missing',
        new RegExp(`^The image ${as(absent)} cannot be had: .*ErrImageNeverPull`)
      );
    },
    patienceMs
  );
});
