import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { newId } from '../src/metadata/ids.js';
import { StsRunCredentials } from '../src/objects/run-credentials.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { jobOf, type Program } from '../src/runner/kubernetes/job-manifest.js';
import { KubernetesCluster, type PodSpec } from '../src/runner/kubernetes/kubernetes-client.js';
import { KubernetesRunner } from '../src/runner/kubernetes/kubernetes-runner.js';
import { readProfile, type Profile } from '../src/runner/kubernetes/profile.js';
import { createJob } from '../src/runner/kubernetes/wave-launch.js';
import type { RunnerEvent, RunOrder, TaskOrder } from '../src/runner/runner.js';
import { until } from './run-fixtures.js';
import { describeWithCluster, kubectl, profileFields, storeSettings } from './test-cluster.js';

const resources = { cpus: 1, memoryBytes: 2 ** 27, timeLimitSeconds: 120, retries: 0, backoffSeconds: 0 };
const patienceMs = 100_000;

describeWithCluster('the kubernetes runner', (cluster) => {
  const settings = storeSettings(cluster);
  const objects = new S3ObjectStore(settings);
  const store = { endpoint: settings.podEndpoint, bucket: settings.bucket, region: settings.region, pathStyle: true };
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const runners: KubernetesRunner[] = [];
  const runs: string[] = [];

  async function profileWith(more: Partial<Profile> = {}): Promise<Profile> {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
    await writeFile(join(folder, 'profile.json'), JSON.stringify(profileFields(cluster, more)));
    const profile = readProfile(join(folder, 'profile.json'));
    await rm(folder, { recursive: true });
    return profile;
  }

  /** A runner as the server has it, with no more rights; another one made later is a server after a restart. */
  async function makeRunner(more: Partial<Profile> = {}) {
    const runner = new KubernetesRunner(
      new KubernetesCluster(cluster.serverKubeconfig, cluster.namespace),
      await profileWith(more),
      store,
      objects,
      new StsRunCredentials(settings),
      pino({ level: process.env['LABSCALE_TEST_LOG'] ?? 'silent' })
    );
    runners.push(runner);
    const heard: RunnerEvent[] = [];
    runner.onEvent((event) => heard.push(event));
    return { runner, heard };
  }

  async function makeRun(script: string, more: Partial<RunOrder> = {}): Promise<RunOrder> {
    const runId = newId('run');
    runs.push(runId);
    const plan = {
      ...{ version: 1, runId, environmentDigest: 'sha256:0', warm: false, parameterSets: { 'pv-1': { values: {} } } },
      analysis: {
        ...{ versionId: 'av-1', digest: 'sha256:0', kind: 'command', files: [], kernel: null },
        ...{ command: ['sh', '-c', script], contract: { parameters: [], outputs: [], resources, warm: false } }
      }
    };
    await objects.put(`runs/${runId}/plan.json`, Buffer.from(JSON.stringify(plan)));
    return {
      ...{ runId, name: 'a run', interpreter: 'python3', image: null, resources, tasks: 4 },
      ...{ secondsPerTask: null, shardsPerPod: 2, ...more }
    };
  }

  const task = (index: number, attempt = 1, more: Partial<TaskOrder> = {}): TaskOrder => ({
    ...{ index, attempt, parameterSetVersionId: 'pv-1', resources },
    shard: { key: `s${index}`, entities: {}, metadata: {}, digest: 'sha256:0', objects: [] },
    ...more
  });
  const of = <K extends RunnerEvent['kind']>(heard: RunnerEvent[], kind: K) =>
    heard.filter((event): event is Extract<RunnerEvent, { kind: K }> => event.kind === kind);
  const hear = <K extends RunnerEvent['kind']>(heard: RunnerEvent[], kind: K, count = 1) =>
    until(
      async () => of(heard, kind),
      (events) => events.length >= count,
      patienceMs
    );
  const podsOf = (runId: string) => admin.listPods(`labscale.dev/run=${runId}`, 100);
  const jobsOf = async (runId: string) => (await admin.listJobs(`labscale.dev/run=${runId}`)).jobs;

  afterEach(async () => {
    for (const runner of runners.splice(0)) await runner.close();
    const cleaner = await makeRunner();
    for (const runId of runs.splice(0)) {
      await cleaner.runner.stop(runId);
      await objects.deletePrefix(`runs/${runId}/`);
    }
    await runners.pop()!.close();
  }, patienceMs);

  test('makes what a namespace that enforces `restricted` admits', async () => {
    const programs: Program[] = [
      { kind: 'worker', image: cluster.images.scientific, python: 'python3' },
      { kind: 'container', image: 'i:1', entrypoint: ['/run'], args: ['$(A)', '\n'], workingDirectory: null }
    ];
    const wave = { runId: newId('run'), wave: 1, packs: 100_000, tasksPerPod: 200, resources };
    for (const program of programs) {
      for (const fields of [{}, { caConfigMap: 'ca', queue: 'q', nodeSelector: { a: 'b' }, maxFailedFraction: 0.5 }]) {
        await admin.createJob(jobOf({ ...wave, program }, await profileWith(fields), store), true);
      }
    }
    // Of a Job the namespace only warns; it looks at pods when they are made.
    for (const program of programs) {
      const { spec } = jobOf({ ...wave, program }, await profileWith(), store).spec!.template;
      expect(await admitPod(wave.runId, spec!)).toMatch(/created \(server dry run\)/);
      const loose = structuredClone(spec!);
      loose.containers[0]!.securityContext!.allowPrivilegeEscalation = true;
      await expect(admitPod(wave.runId, loose)).rejects.toThrow(/violates PodSecurity "restricted/);
    }
  });

  test('takes the Job that is there for its own only where it is the one that it would have made', async () => {
    // Handed to a queue that is none it never makes a pod.
    const profile = await profileWith({ queue: 'none' });
    const { runId } = await makeRun('true');
    const plan = {
      packs: [[task(0)]],
      resources,
      program: { kind: 'worker', image: 'i:1', python: 'python3' } as const
    };
    const made = await createJob(admin, profile, store, runId, 1, plan);
    expect((await createJob(admin, profile, store, runId, 1, plan)).metadata?.uid).toBe(made.metadata?.uid);
    const other = { ...plan, resources: { ...resources, cpus: 2 } };
    await expect(createJob(admin, profile, store, runId, 1, other)).rejects.toThrow(
      /already that is not the one this run is to have/
    );
    expect(await jobsOf(runId)).toHaveLength(1);
  });

  test(
    'runs what it is given, once however often it is told, and leaves nothing behind',
    async () => {
      const { runner, heard } = await makeRunner();
      const run = await makeRun('echo hello; echo 1 > "$LABSCALE_OUTPUT/1.txt"');
      const tasks = [0, 1, 2, 3].map((index) => task(index));
      expect(runner.room(run)).toBeGreaterThanOrEqual(100_000);
      runner.submit(run, tasks.slice(0, 2), true);
      runner.submit(run, tasks);
      runner.submit(run, tasks);
      await hear(heard, 'ended', 4);
      const reports = of(heard, 'ended').map(({ report }) => report);
      expect(reports.map(({ index, attempt, state }) => [index, attempt, state]).sort()).toEqual(
        [0, 1, 2, 3].map((index) => [index, 1, 'succeeded'])
      );
      expect(of(heard, 'gone')).toEqual([]);
      for (const { index } of tasks) {
        expect(await objects.head(`runs/${run.runId}/claims/${index}.json`)).toBeDefined();
        expect(String(await objects.get(`runs/${run.runId}/attempts/${index}/1/log`))).toContain('hello');
      }
      expect((await jobsOf(run.runId)).map((job) => job.spec?.completions)).toEqual([2]);
      await runner.finish(run.runId);
      await until(
        async () => [...(await jobsOf(run.runId)), ...(await podsOf(run.runId))],
        (left) => left.length === 0
      );
    },
    patienceMs
  );

  test(
    'tells of failures with their reports, and does not try them again by itself',
    async () => {
      const { runner, heard } = await makeRunner();
      const run = await makeRun('[ "$LABSCALE_TASK" != 1 ] || exit 3; echo 1 > "$LABSCALE_OUTPUT/1.txt"');
      runner.submit(
        run,
        [0, 1, 2].map((index) => task(index))
      );
      await hear(heard, 'ended', 3);
      const failed = of(heard, 'ended').filter(({ report }) => report.state === 'failed');
      expect(failed).toMatchObject([{ index: 1, attempt: 1, report: { exitKind: 'exit-code', exitCode: 3 } }]);
      const jobs = await until(
        () => jobsOf(run.runId),
        ([job]) => job?.status?.conditions?.some(({ type }) => type === 'Failed') === true,
        patienceMs
      );
      expect(jobs[0]?.status).toMatchObject({ failedIndexes: '0', completedIndexes: '1' });
      expect(of(heard, 'gone')).toEqual([]);
    },
    patienceMs
  );

  test(
    'ends all pods of a run',
    async () => {
      const { runner, heard } = await makeRunner();
      const run = await makeRun('trap "" TERM; sleep 300 & wait');
      runner.submit(
        run,
        [0, 1].map((index) => task(index))
      );
      await hear(heard, 'started');
      await runner.stop(run.runId);
      expect(await jobsOf(run.runId)).toEqual([]);
      expect((await podsOf(run.runId)).length).toBe(0);
      expect(await objects.head(`runs/${run.runId}/claims/0.json`)).toBeUndefined();
    },
    patienceMs
  );

  test(
    'takes over after a restart what the cluster does, and says what it does not',
    async () => {
      const first = await makeRunner();
      const run = await makeRun('sleep 8; echo 1 > "$LABSCALE_OUTPUT/1.txt"');
      first.runner.submit(
        run,
        [0, 1].map((index) => task(index))
      );
      await hear(first.heard, 'started');
      await first.runner.close();
      const { runner, heard } = await makeRunner();
      expect(await runner.adopt(run, [task(0), task(1), task(7)])).toHaveLength(3);
      await hear(heard, 'ended', 2);
      expect(of(heard, 'gone')).toMatchObject([{ attempts: [{ index: 7, attempt: 1 }] }]);
      expect(await jobsOf(run.runId)).toHaveLength(1);
      // Told again, it does nothing again.
      runner.submit(run, [task(0), task(1)]);
      expect(runner.room(run)).toBeGreaterThan(0);
      expect(await jobsOf(run.runId)).toHaveLength(1);
    },
    patienceMs
  );

  test(
    'says what went with a Job that somebody deleted',
    async () => {
      const { runner, heard } = await makeRunner();
      const run = await makeRun('sleep 300');
      runner.submit(
        run,
        [0, 1].map((index) => task(index))
      );
      await hear(heard, 'started');
      const [job] = await jobsOf(run.runId);
      await admin.deleteJob(job!.metadata!.name!);
      const gone = await hear(heard, 'gone');
      expect(gone[0]).toMatchObject({
        attempts: [{ index: 0 }, { index: 1 }],
        detail: expect.stringContaining('deleted')
      });
      // What is ordered anew goes into a Job of its own.
      runner.submit(run, [task(0, 2), task(1, 2)]);
      await until(
        () => jobsOf(run.runId),
        (jobs) => jobs.some((made) => made.metadata?.name === `labscale-${run.runId}-2`),
        patienceMs
      );
    },
    patienceMs
  );

  test(
    'says that an image is not there, and gives the run up where waiting does not help',
    async () => {
      const { runner, heard } = await makeRunner({ image: 'Not An Image' });
      const run = await makeRun('true');
      runner.submit(run, [task(0)]);
      const [unusable] = await hear(heard, 'unusable');
      expect(unusable?.detail).toMatch(/Not An Image|image/);
    },
    patienceMs
  );
});

/** What the namespace says of a pod that is not kept. */
async function admitPod(name: string, spec: PodSpec): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-pod-'));
  const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec };
  await writeFile(join(folder, 'pod.json'), JSON.stringify(pod));
  try {
    return await kubectl('create', '--dry-run=server', '--filename', join(folder, 'pod.json'));
  } finally {
    await rm(folder, { recursive: true });
  }
}
