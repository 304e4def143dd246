import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { Secret, type S3Settings } from '../src/objects/s3-settings.js';
import { KubernetesCluster } from '../src/runner/kubernetes/kubernetes-client.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';

/** What `npm run cluster -- up` has started, as far as tests need it. */
export interface TestCluster {
  /** May do all. */
  kubeconfig: string;
  /** May do what the Role of the server lets it. */
  serverKubeconfig: string;
  namespace: string;
  s3: { endpoint: string; podEndpoint: string; bucket: string; region: string; accessKey: string; secretKey: string };
  registry: { podHost: string };
  images: { agent: string; scientific: string; plain: string };
  programs: { kubectl: string };
}

const file =
  process.env['LABSCALE_TEST_CLUSTER'] ||
  join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'labscale', 'test-cluster', 'cluster.json');

export const cluster: TestCluster | undefined = existsSync(file)
  ? (JSON.parse(readFileSync(file, 'utf8')) as TestCluster)
  : undefined;

/** `describe` where there is a cluster; elsewhere a skip that says why, or a failure where a cluster was asked for. */
export function describeWithCluster(name: string, tests: (cluster: TestCluster) => void): void {
  const why = 'there is no test cluster; `npm run cluster -- up` starts one';
  if (cluster !== undefined) describe(name, () => tests(cluster));
  else if (process.env['LABSCALE_TEST_CLUSTER_REQUIRED'] === '1') {
    describe(name, () =>
      test('has a cluster', () => {
        throw new Error(why);
      })
    );
  } else {
    console.warn(`Skipped: ${name}, as ${why}.`);
    describe.skip(name, () => test('with a cluster', () => {}));
  }
}

export function storeSettings({ s3 }: TestCluster): S3Settings {
  const { secretKey, ...rest } = s3;
  return { ...rest, pathStyle: true, ca: undefined, secretKey: new Secret(secretKey), dataBuckets: [] };
}

/** As an administrator of a small cluster would lay it down. */
export function profileFields({ namespace, images }: TestCluster, more: Partial<Profile> = {}): Partial<Profile> {
  return {
    ...{ namespace, agentImage: images.agent, image: images.scientific, maxPods: 4, cpuRequestFraction: 0.2 },
    ...{ scratchBytes: 268_435_456, ...more }
  };
}

/** Whether the bodies of the tests of runs are to run on the cluster. */
export const isOnCluster = process.env['LABSCALE_TEST_RUNNER'] === 'kubernetes';

if (isOnCluster && cluster === undefined)
  throw new Error(`LABSCALE_TEST_RUNNER is kubernetes, but there is no ${file}`);

/** In the place of `test`: what a body is not about is no test of it, and nothing that was skipped. */
export function leftOut(_name: string, _body: () => Promise<void>, _timeoutMs?: number): void {}

/** What needs a file of this machine that the tasks see. */
export const testOnMachine = isOnCluster ? leftOut : test;

/** What a server reads that runs its tasks on the cluster; its profile is written to a folder. */
export async function clusterEnvironment(
  cluster: TestCluster,
  folder: string,
  more: Partial<Profile> = {}
): Promise<Record<string, string>> {
  const profile = join(folder, 'profile.json');
  await writeFile(profile, JSON.stringify(profileFields(cluster, more)));
  const { s3 } = cluster;
  return {
    ...{ LABSCALE_OBJECTS: 'minio', LABSCALE_S3_ENDPOINT: s3.endpoint, LABSCALE_S3_POD_ENDPOINT: s3.podEndpoint },
    ...{ LABSCALE_S3_BUCKET: s3.bucket, LABSCALE_S3_REGION: s3.region },
    ...{ LABSCALE_S3_ACCESS_KEY: s3.accessKey, LABSCALE_S3_SECRET_KEY: s3.secretKey },
    ...{ LABSCALE_RUNNER: 'kubernetes', LABSCALE_KUBERNETES_PROFILE: profile, KUBECONFIG: cluster.serverKubeconfig }
  };
}

/** Removes what runs and datasets of a test have left in the cluster and in its store. */
export async function clearCluster(cluster: TestCluster, runIds: string[], datasetIds: string[]): Promise<void> {
  const admin = new KubernetesCluster(cluster.kubeconfig, cluster.namespace);
  const objects = new S3ObjectStore(storeSettings(cluster));
  for (const runId of runIds) {
    const { jobs } = await admin.listJobs(`labscale.dev/run=${runId}`);
    for (const job of jobs) await admin.deleteJob(job.metadata!.name!);
    await admin.deleteSecret(`labscale-${runId}`);
    await objects.deletePrefix(`runs/${runId}/`);
  }
  for (const datasetId of datasetIds) await objects.deletePrefix(`datasets/${datasetId}/`);
}

/** What kubectl says to an administrator's words in the namespace of runs. */
export async function kubectl(...words: string[]): Promise<string> {
  const { programs, kubeconfig, namespace } = cluster!;
  const options = ['--kubeconfig', kubeconfig, '--namespace', namespace, ...words];
  return (await promisify(execFile)(programs.kubectl, options)).stdout;
}
