// Stops the cluster: each program by its own process id, then what pods left on the machine.
import { apiserver } from './apiserver.mjs';
import { removeBridge } from './bridge.mjs';
import { haveCertificates } from './certificates.mjs';
import { containerd } from './containerd.mjs';
import { controllers, scheduler } from './controllers.mjs';
import { removeDescription } from './description.mjs';
import { etcd } from './etcd.mjs';
import { kubelet } from './kubelet.mjs';
import { kwok } from './kwok.mjs';
import { removeLeftovers } from './leftovers.mjs';
import { minio } from './minio.mjs';
import { postgres } from './postgres.mjs';
import { stop } from './processes.mjs';
import { registry } from './registry.mjs';

async function stopInOrder(...components) {
  for (const { name, stopping } of components) await stop(name, stopping);
}

export async function down() {
  removeDescription();
  await Promise.all([
    stopInOrder(kubelet, containerd),
    stopInOrder(kwok, scheduler, controllers, apiserver, etcd),
    stopInOrder(minio),
    stopInOrder(registry),
    stopInOrder(postgres)
  ]);
  if (!haveCertificates()) return;
  await removeLeftovers();
  await removeBridge();
}
