// Where the test cluster keeps its things, and what it listens on.
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const sources = dirname(fileURLToPath(import.meta.url));
const caches = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'labscale');

/** Built programs, by version, and image layers, by what they are made from: they outlive `reset`. */
export const programCache = join(caches, 'cluster');
export const layerCache = join(programCache, 'layers');

/** All that belongs to this cluster: `reset` removes the folder. */
export const state = join(caches, 'test-cluster');
export const inState = (...names) => join(state, ...names);
export const description = inState('cluster.json');
export const adminKubeconfig = inState('admin.kubeconfig');
export const serverKubeconfig = inState('server.kubeconfig');

/**
 * The kubelet registers no loopback address, and shall listen nowhere else: the apiserver finds it by the name of its node.
 */
export const nodeName = 'localhost';
export const serverNamespace = 'labscale';
export const runsNamespace = 'labscale-runs';

/** The bridge that pods are on. It leads nowhere else: pods get no default route, and the machine forwards nothing. */
export const bridge = { name: 'labscale0', address: '10.213.0.1', subnet: '10.213.0.0/20', prefix: 20 };
export const serviceAddresses = { subnet: '10.214.0.0/24', first: '10.214.0.1' };

const loopback = '127.0.0.1';
export const ports = {
  etcd: 27400,
  etcdPeers: 27401,
  controllers: 27402,
  scheduler: 27403,
  kubelet: 27410,
  kubeletHealth: 27411,
  minio: 27420,
  registry: 27430,
  postgres: 27440,
  apiserver: 27443,
  kwok: 27450
};
export const onLoopback = (name) => `${loopback}:${ports[name]}`;
export const onBridge = (name) => `${bridge.address}:${ports[name]}`;
export const containerdSocket = inState('containerd', 'state', 'containerd.sock');
