// Nodes that only pretend to run their pods, for runs of many thousands of pods. Ordinary pods never land on them.
import { writeFileSync } from 'node:fs';
import { run } from '../../scripts/child.mjs';
import { troubleAt } from './answers.mjs';
import { kwokStages } from './kwok-stages.mjs';
import { adminKubeconfig, inState, onLoopback } from './places.mjs';
import { programs } from './programs.mjs';

const annotation = 'kwok.x-k8s.io/node';
const count = 10;

export const kwok = {
  name: 'kwok',
  command: () => {
    const config = inState('kwok-stages.yaml');
    writeFileSync(config, kwokStages.map((stage) => JSON.stringify(stage)).join('\n---\n'));
    return {
      program: programs.kwok,
      args: [
        `--config=${config}`,
        `--kubeconfig=${adminKubeconfig}`,
        '--manage-all-nodes=false',
        `--manage-nodes-with-annotation-selector=${annotation}=fake`,
        '--node-lease-duration-seconds=40',
        `--server-address=${onLoopback('kwok')}`
      ]
    };
  },
  trouble: () => troubleAt(`http://${onLoopback('kwok')}/healthz`)
};

/** One node of KWOK. A pod gets there by a node selector `type: kwok` and a toleration of the taint. */
export function kwokNode(index) {
  const capacity = { cpu: '1000', memory: '10Ti', 'ephemeral-storage': '1Pi', pods: '2000' };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `kwok-${index}`, annotations: { [annotation]: 'fake' }, labels: { type: 'kwok' } },
    spec: { taints: [{ key: annotation, value: 'fake', effect: 'NoSchedule' }] },
    status: { capacity, allocatable: capacity, phase: 'Running' }
  };
}

export async function makeKwokNodes() {
  const file = inState('kwok-nodes.json');
  const items = Array.from({ length: count }, (_, index) => kwokNode(index));
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await run(programs.kubectl, ['--kubeconfig', adminKubeconfig, 'apply', '-f', file]);
}
