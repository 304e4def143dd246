// The Kubernetes of this machine with its images.
import { apiserver, auditLog } from './apiserver.mjs';
import { ensureBridge } from './bridge.mjs';
import { makeCertificates } from './certificates.mjs';
import { containerd } from './containerd.mjs';
import { apiRate, controllers, scheduler } from './controllers.mjs';
import { etcd } from './etcd.mjs';
import { makeImages, pullImages, pushImages } from './images.mjs';
import { kubelet } from './kubelet.mjs';
import { adminKubeconfig, bridge, onBridge } from './places.mjs';
import { registry } from './registry.mjs';
import { together } from './together.mjs';

/** What the programs of the cluster and of its stores need before they start. */
export async function prepareMachine() {
  if (process.getuid() !== 0)
    throw new Error('The test cluster runs as root: containerd, the kubelet and the bridge need it.');
  await makeCertificates();
  await ensureBridge();
}

/** Bring it up by `bring(component)`. Gives its part of the description: {kubeconfig, registry, images, ...}. */
export async function bringOwnKubernetes(bring) {
  const control = async () => {
    await bring(etcd);
    await bring(apiserver);
    await together(bring(controllers), bring(scheduler));
  };
  const pushed = async () => {
    await bring(registry);
    const images = await makeImages(onBridge('registry'));
    await pushImages(images);
    return images;
  };
  const onNode = async () => {
    const [images] = await together(pushed(), bring(containerd));
    await pullImages(images);
    return images;
  };
  const [{ pause: _, ...images }] = await together(onNode(), control());
  await bring(kubelet);
  return {
    kubeconfig: adminKubeconfig,
    registry: { url: `http://${onBridge('registry')}`, podHost: onBridge('registry') },
    images,
    bridge: bridge.address,
    auditLog,
    apiRate
  };
}
