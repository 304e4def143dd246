import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubernetesCluster, type Pod } from '../src/runner/kubernetes/kubernetes-client.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import { makeCommandAnalysis, makeDataset, makeSet, objectsOf, promote, until } from './run-fixtures.js';
import { clusterEnvironment, describeWithCluster, kubectl } from './test-cluster.js';
import { startTestServer, type TestServer } from './test-server.js';

const patienceMs = 240_000;
/** Its first attempt never ends by itself. */
const script = '[ "$LABSCALE_ATTEMPT" -gt 1 ] || sleep 600; cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy.txt"';

describeWithCluster('a run whose pods are taken away', (cluster) => {
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const pods = `/api/v1/namespaces/${cluster.namespace}/pods`;
  let server: TestServer;
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'labscale-disrupted-'));
  });
  afterEach(async () => {
    await server.close();
    await rm(folder, { recursive: true });
  }, patienceMs);

  async function begin(profile: Partial<Profile> = {}): Promise<string> {
    server = await startTestServer(await clusterEnvironment(cluster, folder, profile));
    const dataset = await makeDataset(server, 2);
    const resources = { memoryBytes: 2 ** 26, timeLimitSeconds: 900 };
    const analysisVersionId = await makeCommandAnalysis(server, script, { resources });
    const { id } = await promote(server, {
      ...{ analysisVersionId, parameterSetVersionIds: [await makeSet(server, analysisVersionId)] },
      ...{ datasetVersionId: dataset.latestVersion.id, shardsPerPod: 2 }
    });
    return id;
  }
  const runWhere = async (runId: string, holds: (run: { state: string; counts: { running: number } }) => boolean) =>
    await until(() => server.call('getRun', { params: { runId } }), holds, patienceMs);
  const onePod = async (runId: string, holds: (pod: Pod) => boolean = () => true): Promise<Pod> => {
    const listed = () => admin.listPods(`labscale.dev/run=${runId}`, 10);
    return (await until(listed, ([pod]) => pod !== undefined && holds(pod), patienceMs))[0]!;
  };
  const given = async (name: string, content: object): Promise<string> => {
    await writeFile(join(folder, name), JSON.stringify(content));
    return join(folder, name);
  };

  /** That the run came to its end by a second attempt of what was running, which costs none of its retries. */
  async function expectSecondAttempt(runId: string, first: object, losses: number): Promise<void> {
    expect(await runWhere(runId, ({ state }) => ['succeeded', 'failed'].includes(state))).toMatchObject({
      ...{ state: 'succeeded', derivatives: { shardCount: 2 } }
    });
    const { items } = await server.call('listAttempts', { params: { runId, index: 0 } });
    expect(items).toMatchObject([
      { number: 1, state: 'lost', published: false, ...first },
      { number: 2, state: 'succeeded', published: true }
    ]);
    const { losses: counted, failures } = await server.metadata.database
      .selectFrom('task')
      .select(['losses', 'failures'])
      .where('runId', '=', runId)
      .where('index', '=', 0)
      .executeTakeFirstOrThrow();
    expect([counted, failures]).toEqual([losses, 0]);
  }

  test(
    'by an eviction goes on, and nothing is held against its tasks',
    async () => {
      const runId = await begin();
      await runWhere(runId, ({ counts }) => counts.running > 0);
      const { name } = (await onePod(runId)).metadata!;
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
      const file = await given('eviction.json', eviction);
      await kubectl('create', `--raw=${pods}/${name}/eviction`, '--filename', file);
      const first = { exitKind: 'evicted', reason: expect.stringMatching(/^Its node \S+ is being emptied\.$/) };
      await expectSecondAttempt(runId, first, 0);
    },
    patienceMs
  );

  test(
    'by a deletion goes on, and nothing is held against its tasks',
    async () => {
      const runId = await begin();
      await runWhere(runId, ({ counts }) => counts.running > 0);
      await kubectl('delete', 'pod', (await onePod(runId)).metadata!.name!);
      const first = { exitKind: 'evicted', reason: expect.stringMatching(/^Its pod was told to end/) };
      await expectSecondAttempt(runId, first, 0);
    },
    patienceMs
  );

  test(
    'at its deadline goes on, and the attempt says so',
    async () => {
      const runId = await begin();
      await runWhere(runId, ({ counts }) => counts.running > 0);
      const { name } = (await onePod(runId)).metadata!;
      await kubectl('patch', 'pod', name!, '--type=merge', '--patch', '{"spec":{"activeDeadlineSeconds":3}}');
      const reason = 'Its pod was ended after 3 seconds: the time limits of all its tasks together.';
      await expectSecondAttempt(runId, { exitKind: 'deadline', reason }, 1);
    },
    patienceMs
  );

  test(
    'with a node that has gone silent goes on on another',
    async () => {
      const label = `labscale-test/node-${process.pid}`;
      const node = `silent-${process.pid}`;
      const [real] = (await kubectl('get', 'nodes', '--output=name', '--selector=type!=kwok')).split('\n');
      await kubectl('create', '--filename', await given('node.json', silentNode(node, label)));
      try {
        const toleration = { key: label, operator: 'Exists', effect: 'NoSchedule' };
        const runId = await begin({ nodeSelector: { [label]: 'yes' }, tolerations: [toleration] });
        const pod = await onePod(runId, ({ spec }) => spec?.nodeName === node);
        await speakFor(runId, pod.metadata!.name!);
        await runWhere(runId, ({ counts }) => counts.running > 0);
        // As where a node does not answer: its pods are to go, and nobody there hears of it.
        await kubectl('label', real!, `${label}=yes`);
        await kubectl('taint', 'node', node, `${label}=silent:NoExecute`);
        const first = { exitKind: 'node-lost', reason: expect.stringMatching(new RegExp(`^Its node ${node} `)) };
        await expectSecondAttempt(runId, first, 1);
      } finally {
        await kubectl('label', real!, `${label}-`);
        await kubectl('delete', 'node', node);
      }
    },
    patienceMs
  );

  /** What a pod writes that has begun its first task; its containers are only said to be. */
  async function speakFor(runId: string, pod: string): Promise<void> {
    const objects = objectsOf(server);
    const at = new Date().toISOString();
    const of = { pod, wave: 1, pack: 0, at };
    await objects.put(`runs/${runId}/attempts/0/1/lease.json`, Buffer.from(JSON.stringify(of)));
    const entry = { index: 0, attempt: 1, orderedAttempt: 1, state: 'running', startedAt: at, progress: null };
    const journal = { version: 1, runId, ...of, ended: false, detail: null, tasks: [entry] };
    await objects.put(`runs/${runId}/waves/1/pods/0.json`, Buffer.from(JSON.stringify(journal)));
  }
});

/** A node on which nothing lives, large enough that pods with the label are put there. */
function silentNode(name: string, label: string): object {
  const capacity = { cpu: '100', memory: '1Ti', 'ephemeral-storage': '1Ti', pods: '100' };
  const at = new Date().toISOString();
  const ready = { type: 'Ready', status: 'True', reason: 'Said', lastHeartbeatTime: at, lastTransitionTime: at };
  return {
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { [label]: 'yes' } } },
    spec: { taints: [{ key: label, value: 'silent', effect: 'NoSchedule' }] },
    status: { capacity, allocatable: capacity, conditions: [ready] }
  };
}
