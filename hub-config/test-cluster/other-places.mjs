// Another cluster or another store than ours, as the environment names them.
import { existsSync } from 'node:fs';
import { adminKubeconfig, serverKubeconfig } from './places.mjs';

/**
 * {kubeconfig?, store, registry?}: the file of another cluster, whether there is another store, and where images for the other
 * cluster go. A KUBECONFIG that names our own cluster is no other one.
 */
export function otherPlaces(env) {
  const named = env.KUBECONFIG;
  const kubeconfig = named && named !== adminKubeconfig && named !== serverKubeconfig ? named : undefined;
  const store = Boolean(env.LABSCALE_S3_ENDPOINT);
  if (kubeconfig && !existsSync(kubeconfig)) throw new Error(`KUBECONFIG names ${kubeconfig}, which is not there.`);
  if (kubeconfig && !store) {
    throw new Error(
      'KUBECONFIG names another cluster, whose pods cannot reach a MinIO of this machine: set LABSCALE_S3_ENDPOINT too ' +
        '(with LABSCALE_S3_POD_ENDPOINT where pods reach it at another address), or unset KUBECONFIG.'
    );
  }
  return { kubeconfig, store, registry: kubeconfig && env.LABSCALE_TEST_REGISTRY };
}
