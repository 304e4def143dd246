import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { listedKeys } from '../src/objects/object-walk.js';
import { KubernetesCluster, type Job, type Pod, type PodSpec } from '../src/runner/kubernetes/kubernetes-client.js';
import type { AttemptReport } from '../src/runner/runner.js';
import type { DerivativesManifest } from '../src/runs/publish.js';
import { makeDataset, makeSet, objectsOf, promote, shardName, until } from './run-fixtures.js';
import { clusterEnvironment, describeWithCluster, kubectl } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';
import { TwinGate, heldHost } from './twin-gate.js';

const patienceMs = 300_000;
const tasksPerPod = 8;
const outputs = ['1.txt', '2.txt', '3.txt'];
const indexName = 'batch.kubernetes.io/job-completion-index';
const usual = { cpus: 1, memoryBytes: 2 ** 26, timeLimitSeconds: 240, retries: 0, backoffSeconds: 0 };

/** How a transfer would claim if nothing kept it from taking what another has: after the other, and over its claim. */
const claimsOverOthers = [
  'import os, time',
  'from labscale.s3.store import ObjectStore',
  'from labscale.transfer.pod import main',
  'put_if_absent = ObjectStore.put_if_absent',
  'def put(store, key, body):',
  '    if "/claims/" not in key:',
  '        return put_if_absent(store, key, body)',
  '    while store.head(key) is None:',
  '        time.sleep(0.02)',
  '    store.put(key, body)',
  '    return True',
  'ObjectStore.put_if_absent = put',
  'os._exit(main("/labscale", os.environ))'
].join('\n');

describeWithCluster('a second pod for each index of a Job', (cluster) => {
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const bridge = new URL(cluster.s3.podEndpoint).hostname;
  let server: TestServer;
  let gate: TwinGate;
  let folder: string;
  let saved: string | undefined;
  const rogues: string[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'labscale-rogue-'));
    const environment = await clusterEnvironment(cluster, folder, { maxPods: 8, cpuRequestFraction: 0.05 });
    server = await startTestServer(environment);
  });
  afterEach(async () => {
    await gate.close();
    await server.close();
    if (rogues.length > 0) await kubectl('delete', 'pods', '--ignore-not-found', '--now', ...rogues.splice(0));
    if (saved !== undefined) await admin.deleteSecret(saved);
    saved = undefined;
    await rm(folder, { recursive: true });
  }, patienceMs);

  /** A run of tasks whose output tells by which attempt it was made, as the Job of it is there. */
  async function begin(tasks: number, wanted: (index: number) => number): Promise<{ runId: string; job: Job }> {
    gate = await TwinGate.open(bridge, wanted);
    const write = `(echo "$mark"; cat "$LABSCALE_INPUT"/*) > "$LABSCALE_OUTPUT/$n.txt"`;
    const script = [
      gate.wait,
      'mark="$HOSTNAME $LABSCALE_ATTEMPT $(cat /proc/sys/kernel/random/uuid)"',
      `for n in 1 2 3; do ${write}; done`
    ].join('\n');
    const { latestVersion: analysis } = await server.call('createAnalysis', {
      body: {
        ...{ kind: 'command', name: 'who was it', command: ['bash', '-c', script] },
        contract: { resources: usual, outputs: outputs.map((path) => ({ path, required: true })) }
      }
    });
    const dataset = await makeDataset(server, tasks);
    const { id: runId } = await promote(server, {
      ...{ analysisVersionId: analysis.id, parameterSetVersionIds: [await makeSet(server, analysis.id)] },
      ...{ datasetVersionId: dataset.latestVersion.id, shardsPerPod: tasksPerPod }
    });
    const { jobs } = await until(
      () => admin.listJobs(`labscale.dev/run=${runId}`),
      (found) => found.jobs.length > 0,
      patienceMs
    );
    return { runId, job: jobs[0]! };
  }

  /** A pod from the template of a Job for one of its indexes, as the Job would make it, that the Job knows nothing of. */
  function rogueOf({ metadata, spec }: Job, pack: number, host: string, change = (_: PodSpec) => {}): Pod {
    const { metadata: template, spec: pod } = structuredClone(spec!.template);
    const labels = Object.entries(template?.labels ?? {}).filter(([name]) => !name.endsWith('controller-uid'));
    // All of them are to be there at once: what is done by turns proves nothing.
    for (const { resources } of [...pod!.initContainers!, ...pod!.containers]) {
      Object.assign(resources!.requests!, { cpu: '1m', memory: '1Mi', 'ephemeral-storage': '1Mi' });
    }
    change(pod!);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `${host}-${metadata!.uid}`,
        labels: { ...Object.fromEntries(labels), [indexName]: String(pack) },
        annotations: { [indexName]: String(pack) }
      },
      spec: { ...pod!, hostname: host }
    };
  }
  const transferOf = (pod: PodSpec) => pod.containers.find(({ name }) => name === 'transfer')!;
  /** Hopes for no other keys for long: there are none after the run. */
  const impatient = (pod: PodSpec) => transferOf(pod).env!.push({ name: 'LABSCALE_STORE_PATIENCE', value: '20' });

  async function make(pods: Pod[]): Promise<void> {
    rogues.push(...pods.map(({ metadata }) => metadata!.name!));
    await writeFile(join(folder, 'pods.json'), JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods }));
    await kubectl('create', '--filename', join(folder, 'pods.json'));
  }
  const packsOf = (job: Job) => Array.from({ length: job.spec!.completions! }, (_, pack) => pack);

  const endOf = async (runId: string) =>
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ state }) => ['succeeded', 'failed', 'stopped'].includes(state),
      patienceMs
    );

  /** How the transfers of pods have ended, when all have; by the names of the pods. */
  async function endsOf(runId: string, pods: Pod[]): Promise<Map<string, { exitCode: number; message: string }>> {
    const names = new Set(pods.map(({ metadata }) => metadata!.name!));
    const found = await until(
      async () => {
        const all = await admin.listPods(`labscale.dev/run=${runId}`, 500);
        return all.filter(({ metadata }) => names.has(metadata!.name!));
      },
      (all) => all.every(({ status }) => ['Succeeded', 'Failed'].includes(status?.phase ?? '')),
      patienceMs
    );
    expect(found).toHaveLength(names.size);
    return new Map(
      found.map(({ metadata, status }) => {
        const { state } = status!.containerStatuses!.find(({ name }) => name === 'transfer')!;
        return [metadata!.name!, { exitCode: state!.terminated!.exitCode, message: state!.terminated!.message ?? '' }];
      })
    );
  }

  /** Every object of a run with what the store says of its bytes, as text. */
  async function objectsIn(runId: string): Promise<Map<string, string>> {
    const all = new Map<string, string>();
    for await (const { key, etag } of listedKeys(objectsOf(server), `runs/${runId}/`)) all.set(key, etag ?? '');
    return all;
  }

  /** That each task was published by one attempt, wholly, and that all who say which say the same when they have ended. */
  async function expectOneAttemptEach(runId: string, tasks: number, twins: Pod[]): Promise<void> {
    const ends = await endsOf(runId, twins);
    const objects = objectsOf(server);
    const json = async <T>(key: string) => JSON.parse(String(await objects.get(`runs/${runId}/${key}`))) as T;
    const { derivatives } = await json<DerivativesManifest>('derivatives.json');
    expect(derivatives.map(({ taskIndex }) => taskIndex)).toEqual(Array.from({ length: tasks }, (_, index) => index));
    const published = await server.metadata.database
      .selectFrom('attempt')
      .select(['taskIndex', 'number', 'state'])
      .where('runId', '=', runId)
      .where('published', '=', 1)
      .orderBy('taskIndex')
      .execute();
    expect(published).toEqual(
      derivatives.map(({ taskIndex, madeBy }) => ({ taskIndex, number: madeBy.attempt, state: 'succeeded' }))
    );
    const reports = [...(await objectsIn(runId)).keys()].filter((key) => key.endsWith('/report.json'));
    const winners: string[] = [];
    await inParts(reports, async (key) => {
      const { index, attempt, claimed } = await json<AttemptReport>(key.slice(`runs/${runId}/`.length));
      const { pod } = await json<{ pod: string }>(`attempts/${index}/${attempt}/lease.json`);
      // One whose keys were taken back in the middle of it may not have come to say that it has lost.
      if (claimed && (ends.get(pod)?.exitCode ?? 0) === 0) winners.push(`${index}/${attempt}`);
    });
    expect(winners.sort()).toEqual(derivatives.map(({ madeBy }) => `${madeBy.taskIndex}/${madeBy.attempt}`).sort());
    await inParts(derivatives, async ({ taskIndex, shardKey, madeBy, objects: made }) => {
      const folderOf = `attempts/${taskIndex}/${madeBy.attempt}`;
      const claim = await json<AttemptReport>(`claims/${taskIndex}.json`);
      expect([madeBy.runId, madeBy.taskIndex, claim.attempt]).toEqual([runId, taskIndex, madeBy.attempt]);
      expect(made.map(({ path }) => path)).toEqual(outputs);
      const { pod } = await json<{ pod: string }>(`${folderOf}/lease.json`);
      const marks = new Set<string>();
      for (const { key, path, sizeBytes, digest } of made) {
        expect(key).toBe(`runs/${runId}/${folderOf}/out/${path}`);
        const bytes = (await objects.get(key))!;
        expect([bytes.length, `sha256:${hash('sha256', bytes)}`]).toEqual([sizeBytes, digest]);
        const [mark, number] = String(bytes).split('\n') as [string, string];
        expect(shardName(Number(number))).toBe(shardKey);
        marks.add(mark);
      }
      expect(marks.size).toBe(1);
      const [host, attempt] = [...marks][0]!.split(' ');
      expect(Number(attempt)).toBe(madeBy.attempt);
      expect(pod.startsWith(`${host}-`)).toBe(true);
    });
  }

  test(
    'publishes with the Job one attempt of each of 200 tasks, and after the run nothing at all',
    async () => {
      const tasks = 200;
      // One more is held at the first task until the run is over.
      const { runId, job } = await begin(tasks, (index) => (index === 0 ? 3 : 2));
      const twins = packsOf(job).map((pack) => rogueOf(job, pack, `rogue-${pack}`, impatient));
      const held = rogueOf(job, 0, heldHost, impatient);
      await make([held, ...twins]);
      const { data } = JSON.parse(await kubectl('get', 'secret', `labscale-${runId}`, '--output=json')) as {
        data: Record<string, string>;
      };

      expect(await endOf(runId)).toMatchObject({ state: 'succeeded', derivatives: { shardCount: tasks } });
      await expectOneAttemptEach(runId, tasks, twins);
      const leases = [...(await objectsIn(runId)).keys()].filter((key) => key.endsWith('/lease.json'));
      const twice = [...gate.hosts].filter(([index, hosts]) => {
        const { length } = leases.filter((key) => key.startsWith(`runs/${runId}/attempts/${index}/`));
        return hosts.size >= 2 && length >= 2;
      });
      expect(twice).toHaveLength(tasks);

      // The Job and the keys go a moment after the run has ended.
      await until(
        async () => await kubectl('get', 'jobs,secrets', '--output=name'),
        (names) => !names.includes(runId),
        patienceMs
      );
      const before = await objectsIn(runId);
      gate.release();
      saved = `rogue-${runId}`;
      await admin.putSecret({ apiVersion: 'v1', kind: 'Secret', metadata: { name: saved }, data });
      const late = rogueOf(job, 1, 'rogue-late', (pod) => {
        impatient(pod);
        pod.volumes!.find(({ name }) => name === 'credentials')!.secret!.secretName = saved!;
      });
      await make([late]);
      for (const { exitCode, message } of (await endsOf(runId, [held, late])).values()) {
        expect(exitCode).toBe(75);
        expect(message).toMatch(/credentials/i);
      }
      expect(await objectsIn(runId)).toEqual(before);
    },
    2 * patienceMs
  );

  test(
    'would be seen to publish what is not its own, if claims kept nobody out',
    async () => {
      const tasks = 2 * tasksPerPod;
      const { runId, job } = await begin(tasks, () => 2);
      const lawless = (pod: PodSpec) => {
        impatient(pod);
        transferOf(pod).command = ['python3', '-c', claimsOverOthers];
      };
      const twins = packsOf(job).map((pack) => rogueOf(job, pack, `rogue-${pack}`, lawless));
      await make(twins);
      expect(await endOf(runId)).toMatchObject({ state: 'succeeded' });
      await endsOf(runId, twins);
      await expect(expectOneAttemptEach(runId, tasks, twins)).rejects.toThrow(/expect/);
    },
    2 * patienceMs
  );
});

async function inParts<T>(all: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < all.length; start += 20) await Promise.all(all.slice(start, start + 20).map(act));
}
