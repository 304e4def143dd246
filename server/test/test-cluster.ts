import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Secret, type S3Settings } from '../src/objects/s3-settings.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';

/** What `npm run cluster -- up` has started, as far as tests need it. */
export interface TestCluster {
  /** May do all. */
  kubeconfig: string;
  /** May do what the Role of the server lets it. */
  serverKubeconfig: string;
  namespace: string;
  s3: { endpoint: string; podEndpoint: string; bucket: string; region: string; accessKey: string; secretKey: string };
  images: { agent: string; scientific: string; plain: string };
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
