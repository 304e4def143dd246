// What the apiserver writes to its audit log: enough to count what a run costs the cluster, and nothing of any content.
import { serverNamespace } from './places.mjs';

export const auditPolicy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [
    // Heartbeats and events are written without end and by nobody's run.
    { level: 'None', resources: [{ group: 'coordination.k8s.io', resources: ['leases'] }] },
    {
      level: 'None',
      resources: [
        { group: '', resources: ['events'] },
        { group: 'events.k8s.io', resources: ['events'] }
      ]
    },
    { level: 'Metadata', users: [`system:serviceaccount:${serverNamespace}:labscale-server`] },
    { level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete', 'deletecollection'] },
    { level: 'None' }
  ]
};
