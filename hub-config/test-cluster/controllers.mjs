// The controller-manager and the scheduler.
import { writeFileSync } from 'node:fs';
import { troubleAt } from './answers.mjs';
import { certificate, serviceAccountKeys } from './certificates.mjs';
import { writeClientKubeconfig } from './kubeconfig.mjs';
import { inState, onLoopback, ports } from './places.mjs';
import { programs } from './programs.mjs';

/**
 * Requests to the apiserver that each of the two may make. The controller-manager's own default of 20 a second (burst 30) holds
 * any Job to about 10 new pods a second, so that a bench would measure this number; whoever states a rate states it too.
 */
export const apiRate = { qps: 500, burst: 1_000 };

const serves = () => [
  '--bind-address=127.0.0.1',
  `--tls-cert-file=${certificate('loopback').certificate}`,
  `--tls-private-key-file=${certificate('loopback').key}`
];

export const controllers = {
  name: 'controller-manager',
  command() {
    const kubeconfig = inState('controllers.kubeconfig');
    writeClientKubeconfig(kubeconfig, 'controllers');
    return {
      program: programs['kube-controller-manager'],
      args: [
        `--kubeconfig=${kubeconfig}`,
        ...serves(),
        `--secure-port=${ports.controllers}`,
        '--leader-elect=false',
        '--use-service-account-credentials=true',
        `--service-account-private-key-file=${serviceAccountKeys.signs}`,
        `--root-ca-file=${certificate('ca').certificate}`,
        `--kube-api-qps=${apiRate.qps}`,
        `--kube-api-burst=${apiRate.burst}`
      ]
    };
  },
  trouble: () => troubleAt(`https://${onLoopback('controllers')}/healthz`)
};

export const scheduler = {
  name: 'scheduler',
  command() {
    const kubeconfig = inState('scheduler.kubeconfig');
    writeClientKubeconfig(kubeconfig, 'scheduler');
    const config = inState('scheduler.json');
    writeFileSync(
      config,
      JSON.stringify({
        apiVersion: 'kubescheduler.config.k8s.io/v1',
        kind: 'KubeSchedulerConfiguration',
        leaderElection: { leaderElect: false },
        clientConnection: { kubeconfig, qps: apiRate.qps, burst: apiRate.burst }
      })
    );
    return {
      program: programs['kube-scheduler'],
      args: [`--config=${config}`, ...serves(), `--secure-port=${ports.scheduler}`]
    };
  },
  trouble: () => troubleAt(`https://${onLoopback('scheduler')}/healthz`)
};
