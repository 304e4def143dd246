// Runs the containers, with a root, a state and a socket of its own beside any other containerd of the machine.
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { programOf } from './packages.mjs';
import { bridge, containerdSocket, inState, onBridge } from './places.mjs';

const home = inState('containerd');
export const containerdFolders = {
  root: join(home, 'root'),
  state: dirname(containerdSocket),
  network: join(home, 'network')
};
export const sandboxImage = `${onBridge('registry')}/labscale/pause:1`;

/** The text of the configuration, for the given folders. */
export function renderConfig({ root, state, socket, cni, hosts, sandbox }) {
  const quoted = JSON.stringify;
  return `version = 2
root = ${quoted(root)}
state = ${quoted(state)}

[grpc]
  address = ${quoted(socket)}

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = ${quoted(sandbox)}
  # Without CAP_SYS_RESOURCE nobody may lower a score; every sandbox would die while it is made.
  restrict_oom_score_adj = true
  # So that \`down\` finds the network namespaces of its pods, and of no others.
  netns_mounts_under_state_dir = true
  stream_server_address = "127.0.0.1"

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = ${quoted(cni)}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = ${quoted(hosts)}
`;
}

/** Where an image of the registry is asked for. Without a host of its own a server is not heard, and https is tried. */
const renderHosts = (server) => `server = "${server}"\n\n[host."${server}"]\n  capabilities = ["pull", "resolve"]\n`;

/**
 * The pods' network: the bridge and nothing beyond it. The bridge has its address already, and isGateway would turn on the
 * forwarding of packets for the whole machine.
 */
export const renderNetwork = (dataDir) => ({
  cniVersion: '1.0.0',
  name: 'labscale',
  plugins: [
    {
      type: 'bridge',
      bridge: bridge.name,
      isGateway: false,
      ipMasq: false,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: bridge.subnet, gateway: bridge.address }]] }
    }
  ]
});

export const ctr = (...args) => run('ctr', ['--address', containerdSocket, '--namespace', 'k8s.io', ...args]);

export const containerd = {
  name: 'containerd',
  command() {
    const cni = join(home, 'cni');
    const hosts = join(home, 'hosts');
    const registry = join(hosts, onBridge('registry'));
    for (const folder of [cni, registry, ...Object.values(containerdFolders)]) mkdirSync(folder, { recursive: true });
    writeFileSync(join(cni, '10-labscale.conflist'), JSON.stringify(renderNetwork(containerdFolders.network), null, 2));
    writeFileSync(join(registry, 'hosts.toml'), renderHosts(`http://${onBridge('registry')}`));
    const config = join(home, 'config.toml');
    writeFileSync(
      config,
      renderConfig({ ...containerdFolders, socket: containerdSocket, cni, hosts, sandbox: sandboxImage })
    );
    return { program: programOf('containerd'), args: ['--config', config] };
  },
  async trouble() {
    // ctr itself would try for ten seconds where nobody listens.
    const connection = connect(containerdSocket);
    await once(connection, 'connect');
    connection.destroy();
    await ctr('version');
    return undefined;
  }
};
