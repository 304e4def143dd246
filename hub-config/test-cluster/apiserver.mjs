// The Kubernetes API, on loopback only: pods have no business with it.
import { writeFileSync } from 'node:fs';
import { troubleAt } from './answers.mjs';
import { auditPolicy } from './audit-policy.mjs';
import { certificate, serviceAccountKeys } from './certificates.mjs';
import { etcdUrl } from './etcd.mjs';
import { adminKubeconfig, inState, onLoopback, ports, serviceAddresses } from './places.mjs';
import { programs } from './programs.mjs';
import { writeClientKubeconfig } from './kubeconfig.mjs';

export const auditLog = inState('audit.log');
export const apiserverUrl = `https://${onLoopback('apiserver')}`;

export const apiserver = {
  name: 'apiserver',
  command() {
    const policy = inState('audit-policy.json');
    writeFileSync(policy, JSON.stringify(auditPolicy, null, 2));
    writeClientKubeconfig(adminKubeconfig, 'admin');
    return {
      program: programs['kube-apiserver'],
      args: [
        `--etcd-servers=${etcdUrl}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${ports.apiserver}`,
        `--service-cluster-ip-range=${serviceAddresses.subnet}`,
        // An endpoint on loopback is refused; nobody looks for the API by its service here.
        '--endpoint-reconciler-type=none',
        '--authorization-mode=Node,RBAC',
        '--anonymous-auth=false',
        '--allow-privileged=false',
        `--client-ca-file=${certificate('ca').certificate}`,
        `--tls-cert-file=${certificate('apiserver').certificate}`,
        `--tls-private-key-file=${certificate('apiserver').key}`,
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${serviceAccountKeys.checks}`,
        `--service-account-signing-key-file=${serviceAccountKeys.signs}`,
        `--kubelet-certificate-authority=${certificate('ca').certificate}`,
        `--kubelet-client-certificate=${certificate('admin').certificate}`,
        `--kubelet-client-key=${certificate('admin').key}`,
        '--kubelet-preferred-address-types=Hostname',
        `--audit-policy-file=${policy}`,
        `--audit-log-path=${auditLog}`,
        '--audit-log-maxsize=200',
        '--audit-log-maxbackup=3'
      ]
    };
  },
  // It waits for watches to end long after it has stopped to answer; all it knows is in etcd.
  stopping: { seconds: 2 },
  trouble: () => troubleAt(`${apiserverUrl}/readyz`)
};
