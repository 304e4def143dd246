// How the cluster is, a line for each of its parts.
import { apiserver } from './apiserver.mjs';
import { bridgeIsThere } from './bridge.mjs';
import { describe } from './component.mjs';
import { containerd } from './containerd.mjs';
import { controllers, scheduler } from './controllers.mjs';
import { readDescription } from './description.mjs';
import { etcd } from './etcd.mjs';
import { kubelet } from './kubelet.mjs';
import { kwok } from './kwok.mjs';
import { minio } from './minio.mjs';
import { adminKubeconfig, bridge, description } from './places.mjs';
import { postgres } from './postgres.mjs';
import { registry } from './registry.mjs';

const components = [etcd, apiserver, controllers, scheduler, containerd, kubelet, minio, postgres, registry];

/** {lines, well}: `well` where everything that belongs to a cluster of ours runs and answers. */
export async function status() {
  const found = readDescription();
  const lines = [];
  let well = found !== undefined;
  const report = (name, line) => lines.push(`${name.padEnd(20)}${line}`);
  report('bridge', bridgeIsThere() ? `${bridge.name} ${bridge.address}` : 'not there');
  const looks = await Promise.all([...components, kwok].map(describe));
  for (const [index, component] of [...components, kwok].entries()) {
    const look = looks[index];
    report(component.name, look.line);
    // KWOK runs on demand, and what another cluster or store stands in for does not run here.
    const wanted = component !== kwok && (found === undefined || found.kubeconfig === adminKubeconfig);
    if (!look.well && (wanted || look.line !== 'not running')) well = false;
  }
  report('described in', found ? description : 'nothing: the cluster is not up');
  return { lines, well };
}
