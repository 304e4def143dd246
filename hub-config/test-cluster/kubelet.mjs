// The node of the cluster: this machine.
import { mkdirSync, writeFileSync } from 'node:fs';
import { get, troubleAt } from './answers.mjs';
import { apiserverUrl } from './apiserver.mjs';
import { cgroup, makeCgroup } from './cgroups.mjs';
import { certificate } from './certificates.mjs';
import { writeClientKubeconfig } from './kubeconfig.mjs';
import { bridge, containerdSocket, inState, nodeName, onLoopback, ports } from './places.mjs';
import { programs } from './programs.mjs';

export const kubeletFolder = inState('kubelet');
export const podLogs = inState('pod-logs');

const config = () => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: '127.0.0.1',
  port: ports.kubelet,
  healthzBindAddress: '127.0.0.1',
  healthzPort: ports.kubeletHealth,
  readOnlyPort: 0,
  tlsCertFile: certificate('kubelet').certificate,
  tlsPrivateKeyFile: certificate('kubelet').key,
  authentication: {
    anonymous: { enabled: false },
    webhook: { enabled: true },
    x509: { clientCAFile: certificate('ca').certificate }
  },
  authorization: { mode: 'Webhook' },
  containerRuntimeEndpoint: `unix://${containerdSocket}`,
  podLogsDir: podLogs,
  volumePluginDir: inState('kubelet-plugins'),
  cgroupDriver: 'cgroupfs',
  cgroupRoot: cgroup,
  failCgroupV1: false,
  failSwapOn: false,
  makeIPTablesUtilChains: false,
  // The machine is shared with whoever works on it: how full its disk is says nothing about the cluster.
  evictionHard: {},
  // How full a pod's own disk is it would look at once a minute, and a test of it waits for four pods.
  volumeStatsAggPeriod: '5s',
  imageGCHighThresholdPercent: 100,
  // Lowering its own score takes CAP_SYS_RESOURCE.
  oomScoreAdj: 0,
  maxPods: 250,
  podPidsLimit: 1024,
  serializeImagePulls: false,
  // There is no name server in the cluster: a lookup is refused at once, by the bridge's address.
  clusterDNS: [bridge.address],
  clusterDomain: 'cluster.local'
});

export const kubelet = {
  name: 'kubelet',
  command() {
    mkdirSync(kubeletFolder, { recursive: true });
    makeCgroup();
    const kubeconfig = inState('kubelet.kubeconfig');
    writeClientKubeconfig(kubeconfig, 'kubelet');
    const file = inState('kubelet.json');
    writeFileSync(file, JSON.stringify(config(), null, 2));
    return {
      program: programs.kubelet,
      args: [
        `--config=${file}`,
        `--kubeconfig=${kubeconfig}`,
        `--root-dir=${kubeletFolder}`,
        `--hostname-override=${nodeName}`,
        `--node-ip=${bridge.address}`
      ]
    };
  },
  async trouble() {
    const trouble = await troubleAt(`http://${onLoopback('kubeletHealth')}/healthz`);
    if (trouble) return trouble;
    const { status, body } = await get(`${apiserverUrl}/api/v1/nodes/${nodeName}`);
    if (status !== 200) return `the node is not registered yet (${status})`;
    const ready = JSON.parse(body).status.conditions?.find(({ type }) => type === 'Ready');
    return ready?.status === 'True' ? undefined : `the node is not ready: ${ready?.message}`;
  }
};
