// The environment of a labscale server that works on the test cluster, or on the cluster and store that the caller names.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, homedir } from 'node:os';
import { join } from 'node:path';

/** Where `npm run cluster -- up` says what it has started. */
export const clusterFile =
  process.env.LABSCALE_TEST_CLUSTER ??
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'labscale', 'test-cluster', 'cluster.json');

/**
 * Give the variables for `runner` and `objects` (see ARCHITECTURE, "Starting the server").
 *
 * What the caller's environment says comes first. The keys of the store and the administrator's profile are written to
 * files of `folder`, the keys for their owner only: a variable would be inherited by every kernel.
 */
export function clusterEnvironment(folder, { runner, objects }) {
  const wanted = { LABSCALE_RUNNER: runner, LABSCALE_OBJECTS: objects };
  const needsStore = objects === 'minio' && !process.env.LABSCALE_S3_ENDPOINT;
  const needsCluster = runner === 'kubernetes' && !process.env.LABSCALE_KUBERNETES_PROFILE;
  if (!needsStore && !needsCluster) return wanted;
  if (!existsSync(clusterFile)) {
    throw new Error(
      'There is no cluster. Start one with `npm run cluster -- up`, or name yours by LABSCALE_S3_ENDPOINT and its neighbours, LABSCALE_KUBERNETES_PROFILE and KUBECONFIG (ARCHITECTURE.md, "Starting the server").'
    );
  }
  const cluster = JSON.parse(readFileSync(clusterFile, 'utf8'));
  mkdirSync(folder, { recursive: true });
  const write = (name, value, mode) => {
    const file = join(folder, name);
    writeFileSync(file, JSON.stringify(value, undefined, 2), { mode });
    return file;
  };
  const { endpoint, podEndpoint, bucket, dataBucket, region, accessKey, secretKey } = cluster.s3;
  return {
    ...wanted,
    ...(needsStore && {
      LABSCALE_S3_ENDPOINT: endpoint,
      LABSCALE_S3_POD_ENDPOINT: podEndpoint,
      LABSCALE_S3_BUCKET: bucket,
      ...(dataBucket && { LABSCALE_S3_DATA_BUCKETS: dataBucket }),
      LABSCALE_S3_REGION: region,
      LABSCALE_S3_CREDENTIALS_FILE: write('store-credentials.json', { accessKey, secretKey }, 0o600)
    }),
    ...(needsCluster && {
      KUBECONFIG: cluster.serverKubeconfig,
      LABSCALE_REGISTRIES: process.env.LABSCALE_REGISTRIES ?? cluster.registry.url,
      LABSCALE_KUBERNETES_PROFILE: write('kubernetes-profile.json', profileOf(cluster), 0o644)
    })
  };
}

/** What an administrator would lay down for a cluster of the size of this machine. */
function profileOf({ namespace, images, registry }) {
  return {
    namespace,
    agentImage: images.agent,
    image: images.scientific,
    images: [`${registry.podHost}/*`],
    maxPods: availableParallelism()
  };
}
