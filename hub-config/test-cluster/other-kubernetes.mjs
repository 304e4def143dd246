// Another cluster than ours, as the environment names it.
import { existsSync } from 'node:fs';
import { makeImages, pushImages } from './images.mjs';
import { otherEndpoint } from './object-store.mjs';
import { adminKubeconfig, serverKubeconfig } from './places.mjs';

/**
 * {kubeconfig, registry?}: the file of the other cluster, and where images for it go; undefined where there is none.
 * A KUBECONFIG that names our own cluster is no other one.
 */
export function otherKubernetes(env) {
  const kubeconfig = env.KUBECONFIG;
  if (!kubeconfig || kubeconfig === adminKubeconfig || kubeconfig === serverKubeconfig) return undefined;
  if (!existsSync(kubeconfig)) throw new Error(`KUBECONFIG names ${kubeconfig}, which is not there.`);
  if (!otherEndpoint(env)) {
    throw new Error(
      'KUBECONFIG names another cluster, whose pods cannot reach a MinIO of this machine: set LABSCALE_S3_ENDPOINT too ' +
        '(with LABSCALE_S3_POD_ENDPOINT where pods reach it at another address), or unset KUBECONFIG.'
    );
  }
  return { kubeconfig, registry: env.LABSCALE_TEST_REGISTRY };
}

/** Bring the images to the other cluster's registry. Gives its part of the description. */
export async function takeOtherKubernetes({ kubeconfig, registry }) {
  if (!registry) {
    console.log('LABSCALE_TEST_REGISTRY is not set: no images are made for the other cluster.');
    return { kubeconfig, images: {} };
  }
  // It has a pause image of its own.
  const { pause: _, ...images } = await makeImages(registry);
  await pushImages(images);
  return { kubeconfig, registry: { url: `http://${registry}`, podHost: registry }, images };
}
