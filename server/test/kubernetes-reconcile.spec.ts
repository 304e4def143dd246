import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Promotion, Run } from '@labscale/schema';
import type { IssuedCredentials } from '../src/objects/run-credentials.js';
import { askSigned } from '../src/objects/signed-request.js';
import { KubernetesCluster } from '../src/runner/kubernetes/kubernetes-client.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import { Way } from './apiserver-way.js';
import { makeCommandAnalysis, makeDataset, makeSet, objectsOf, promote, tasksOf, until } from './run-fixtures.js';
import { startStoreProxy, type StoreProxy } from './store-proxy.js';
import { clusterEnvironment, describeWithCluster, kubectl } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

const patienceMs = 150_000;
const tasks = 4;

describeWithCluster('a run on a cluster ends right by itself', (cluster) => {
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const jobsOf = async (runId: string) => (await admin.listJobs(`labscale.dev/run=${runId}`)).jobs;
  const podsOf = (runId: string) => admin.listPods(`labscale.dev/run=${runId}`, 100);
  const waitFor = <T>(read: () => Promise<T>, holds: (value: T) => boolean) => until(read, holds, patienceMs);
  let folder: string;
  let server: TestServer;
  let way: Way | undefined;
  let proxy: StoreProxy | undefined;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'labscale-reconcile-'));
  });
  afterEach(async () => {
    way?.mend();
    if (proxy) proxy.rule = undefined;
    await server.close();
    await way?.close();
    await proxy?.close();
    way = proxy = undefined;
    await rm(folder, { recursive: true });
  }, patienceMs);

  async function start(more: Partial<Profile> = {}, environment: Record<string, string> = {}): Promise<void> {
    server = await startTestServer({ ...(await clusterEnvironment(cluster, folder, more)), ...environment });
  }

  async function promotionOf(script: string): Promise<Promotion> {
    const dataset = await makeDataset(server, tasks);
    const analysisVersionId = await makeCommandAnalysis(server, script);
    const set = await makeSet(server, analysisVersionId);
    const promotion = { analysisVersionId, parameterSetVersionIds: [set], datasetVersionId: dataset.latestVersion.id };
    return { ...promotion, shardsPerPod: 2 };
  }
  const slowCopy = 'sleep 3; cp "$LABSCALE_INPUT"/* "$LABSCALE_OUTPUT"';
  const runNow = (runId: string): Promise<Run> => server.call('getRun', { params: { runId } });
  const begun = (runId: string) =>
    waitFor(
      () => runNow(runId),
      ({ counts }) => counts.running > 0
    );
  const ended = (runId: string) =>
    waitFor(
      () => runNow(runId),
      ({ state }) => ['succeeded', 'failed', 'stopped'].includes(state)
    );
  /** Every shard once, by its first attempt, and nothing left in the cluster. */
  async function expectWhole(runId: string): Promise<void> {
    expect(await ended(runId)).toMatchObject({ state: 'succeeded', derivatives: { shardCount: tasks } });
    expect((await tasksOf(server, runId)).map(({ attempts }) => attempts)).toEqual(Array(tasks).fill(1));
    await expectNothingLeft(runId);
  }
  async function expectNothingLeft(runId: string): Promise<void> {
    await waitFor(
      async () => [...(await jobsOf(runId)), ...(await podsOf(runId))],
      (left) => left.length === 0
    );
    await waitFor(
      () => kubectl('get', 'secrets', '--output=name'),
      (names) => !names.includes(runId)
    );
  }
  /** Waits until the pods have ended without anybody to hear of it. */
  const podsEnded = (runId: string) =>
    waitFor(
      () => jobsOf(runId),
      (jobs) => jobs.every(({ status }) => status?.succeeded === 2)
    );

  test(
    'where the apiserver cannot be reached until its pods have ended',
    async () => {
      way = await Way.of(cluster.serverKubeconfig, folder);
      await start({}, { KUBECONFIG: way.kubeconfig });
      const { id: runId } = await promote(server, await promotionOf(slowCopy));
      await begun(runId);
      way.cut();
      await podsEnded(runId);
      way.mend();
      await expectWhole(runId);
    },
    patienceMs
  );

  test(
    'where the apiserver cannot be reached when it is promoted',
    async () => {
      way = await Way.of(cluster.serverKubeconfig, folder);
      await start({}, { KUBECONFIG: way.kubeconfig });
      const promotion = await promotionOf(slowCopy);
      way.cut();
      const { id: runId } = await promote(server, promotion);
      await waitFor(
        () => runNow(runId),
        ({ headline }) => headline.includes('does not answer')
      );
      way.mend();
      await expectWhole(runId);
    },
    patienceMs
  );

  test(
    'where the server does not reach the object store until its pods have ended',
    async () => {
      proxy = await startStoreProxy(cluster.s3.endpoint);
      await start({}, { LABSCALE_S3_ENDPOINT: proxy.endpoint });
      const { id: runId } = await promote(server, await promotionOf(slowCopy));
      await begun(runId);
      let lost = 0;
      proxy.rule = () => {
        lost += 1;
        return { kind: 'lose-request' };
      };
      await podsEnded(runId);
      // It has tried in vain to read how they ended.
      const lostBefore = lost;
      await waitFor(
        async () => lost,
        (now) => now > lostBefore + 6
      );
      expect((await runNow(runId)).state).toBe('running');
      proxy.rule = undefined;
      await expectWhole(runId);
    },
    patienceMs
  );

  test(
    'where somebody deletes its Job with all its pods: what was published stays, the rest runs again',
    async () => {
      await start();
      const { id: runId } = await promote(server, await promotionOf(slowCopy));
      await waitFor(
        () => runNow(runId),
        ({ counts }) => counts.succeeded > 0
      );
      await admin.deleteJob((await jobsOf(runId))[0]!.metadata!.name!);
      expect(await ended(runId)).toMatchObject({ state: 'succeeded', derivatives: { shardCount: tasks } });
      const attempts = (await tasksOf(server, runId)).map((task) => task.attempts);
      expect(attempts).toContain(1);
      expect(Math.max(...attempts)).toBeGreaterThan(1);
    },
    patienceMs
  );

  test.each<[string, Partial<Profile>, (runId: string) => Promise<unknown>]>([
    ['when it was just promoted', {}, async () => undefined],
    [
      'while its pods wait for room',
      { nodeSelector: { 'labscale.dev/no-such-node': 'true' } },
      (runId) =>
        waitFor(
          () => podsOf(runId),
          (pods) => pods.length > 0
        )
    ],
    ['while its programs run', {}, begun],
    [
      'when some of it has succeeded',
      {},
      (runId) =>
        waitFor(
          () => runNow(runId),
          ({ counts }) => counts.succeeded > 0
        )
    ]
  ])(
    'where it is stopped %s: nothing is left or published, and its keys open nothing',
    async (_when, profile, moment) => {
      await start(profile);
      const script = `case $(cat "$LABSCALE_INPUT"/*) in 0) ${slowCopy};; *) sleep 300;; esac`;
      const { id: runId } = await promote(server, await promotionOf(script));
      await moment(runId);
      const secret = await kubectl('get', 'secret', `labscale-${runId}`, '--output=json').catch(() => undefined);
      if (secret !== undefined) expect(await statusOfPlan(secret, runId)).toBe(200);
      await server.call('stopRun', { params: { runId } });
      expect(await ended(runId)).toMatchObject({ state: 'stopped', counts: { running: 0, waiting: 0 } });
      await expectNothingLeft(runId);
      expect(await objectsOf(server).head(`runs/${runId}/derivatives.json`)).toBeUndefined();
      if (secret !== undefined) expect(await statusOfPlan(secret, runId)).toBe(403);
    },
    patienceMs
  );

  /** What the plan of the run is answered with to the keys of its Secret. */
  async function statusOfPlan(secret: string, runId: string): Promise<number> {
    const { data } = JSON.parse(secret) as { data: { credentials: string } };
    const keys = JSON.parse(Buffer.from(data.credentials, 'base64').toString()) as IssuedCredentials;
    const { endpoint, region, bucket } = cluster.s3;
    const path = `/${bucket}/runs/${runId}/plan.json`;
    return (await askSigned({ endpoint, region, ...keys }, { method: 'GET', path })).status;
  }
});
