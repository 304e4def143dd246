// Stops the cluster: each program by its own process id, then what pods left on the machine.
import { removeBridge } from './bridge.mjs';
import { removeDescription } from './description.mjs';
import { removeLeftovers } from './leftovers.mjs';
import { stop } from './processes.mjs';

export async function down() {
  removeDescription();
  const inOrder = async (...names) => {
    for (const name of names) await stop(name);
  };
  await Promise.all([
    inOrder('kubelet', 'containerd').then(removeLeftovers),
    inOrder('kwok', 'scheduler', 'controller-manager', 'apiserver', 'etcd'),
    inOrder('minio'),
    inOrder('registry'),
    // SIGTERM would wait until the last client has gone; by SIGINT PostgreSQL closes their connections.
    stop('postgres', { signal: 'SIGINT' })
  ]);
  await removeBridge();
}
