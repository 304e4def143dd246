import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { newId } from '../src/metadata/ids.js';
import { JobWatch } from '../src/runner/kubernetes/job-watch.js';
import { ClusterError, KubernetesCluster, type Job } from '../src/runner/kubernetes/kubernetes-client.js';
import { Way } from './apiserver-way.js';
import { until } from './run-fixtures.js';
import { describeWithCluster } from './test-cluster.js';

describeWithCluster('the watch of Jobs', ({ kubeconfig, namespace, images }) => {
  const admin = new KubernetesCluster(kubeconfig, namespace);
  const label = newId('run');
  const selector = `labscale-test=${label}`;
  let way: Way;
  let folder: string;
  let behindWay: KubernetesCluster;
  let watch: JobWatch | undefined;
  const heard: string[] = [];
  const warned: string[] = [];
  let made = 0;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'labscale-way-'));
    way = await Way.of(kubeconfig, folder);
    behindWay = new KubernetesCluster(way.kubeconfig, namespace);
    heard.length = 0;
  });
  afterEach(async () => {
    watch?.stop();
    for (const { metadata } of (await admin.listJobs(selector)).jobs) await admin.deleteJob(metadata!.name!);
    await way.close();
    await rm(folder, { recursive: true });
  });

  async function start(patienceMs: number): Promise<void> {
    const listener = {
      changed: (job: Job) => void heard.push(`+${job.metadata!.name}`),
      gone: (job: Job) => void heard.push(`-${job.metadata!.name}`)
    };
    watch = new JobWatch(
      behindWay,
      selector,
      listener,
      pino({ level: 'warn' }, { write: (line) => void warned.push(line) }),
      patienceMs
    );
    await watch.start();
  }

  /** One that never makes a pod. */
  async function makeJob(): Promise<string> {
    const name = `labscale-${label}-${++made}`;
    const container = { name: 'none', image: images.plain, command: ['true'] };
    await admin.createJob({
      metadata: { name, labels: { 'labscale-test': label } },
      spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [container] } } }
    });
    return name;
  }
  const hear = (what: string, patienceMs?: number) =>
    until(
      async () => heard,
      (all) => all.includes(what),
      patienceMs
    );

  test('hears of what comes, changes and goes, also where it was told before', async () => {
    const before = await makeJob();
    await start(60_000);
    expect(heard).toContain(`+${before}`);
    const after = await makeJob();
    await hear(`+${after}`);
    await admin.deleteJob(before);
    await hear(`-${before}`);
    const job = (await admin.findJob(after))!;
    const told = heard.length;
    watch!.learn(job);
    watch!.learn({ ...job, metadata: { ...job.metadata, resourceVersion: '1' } });
    expect(heard.slice(told).filter((what) => what === `+${after}`)).toEqual([]);
  });

  test('goes on after its connection was cut, and misses nothing', async () => {
    await start(60_000);
    const first = await makeJob();
    await hear(`+${first}`);
    way.cut();
    const second = await makeJob();
    await admin.deleteJob(first);
    await until(
      async () => watch!.trouble,
      (trouble) => trouble !== undefined
    );
    way.mend();
    await hear(`+${second}`);
    await hear(`-${first}`);
    expect(watch!.trouble).toBeUndefined();
  });

  test('lists again where nothing comes any more although it is connected', async () => {
    await start(1_000);
    const first = await makeJob();
    await hear(`+${first}`);
    way.swallow();
    const second = await makeJob();
    await admin.deleteJob(first);
    // Sooner than a request on one of the swallowed connections is given up.
    await hear(`+${second}`, 10_000);
    await hear(`-${first}`, 10_000);
  });

  test('is told by its status that it comes too late', async () => {
    const tooLate = behindWay.watchJobs(selector, '1', () => {}, AbortSignal.timeout(20_000));
    await expect(tooLate).rejects.toMatchObject({ status: 410 });
    await expect(tooLate).rejects.toBeInstanceOf(ClusterError);
  });

  test('does not take a Job for gone that was made after the list was drawn up', async () => {
    const name = await makeJob();
    const job = (await admin.findJob(name))!;
    // So impatient that it lists again and again.
    await start(300);
    // As where a Job is made while an old list is on its way.
    const late = { ...job.metadata, name: `${name}-late`, uid: 'late', resourceVersion: `${2n ** 60n}` };
    watch!.learn({ ...job, metadata: late });
    const before = warned.length;
    await until(
      async () => warned.length,
      (count) => count > before + 2
    );
    expect(heard).not.toContain(`-${name}-late`);
  });
});
