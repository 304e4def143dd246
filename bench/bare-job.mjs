/** What the namespace of runs asks of every container. */
const confined = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' }
};

/**
 * The Indexed Job that somebody would write by hand: one container, nothing around it. `pod` adds to the pod's spec and
 * `container` to its container.
 */
export function bareJob(name, { completions, parallelism, pod = {}, container = {} }) {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels: { 'app.kubernetes.io/part-of': 'labscale-bench' } },
    spec: {
      completionMode: 'Indexed',
      completions,
      parallelism: Math.min(completions, parallelism),
      backoffLimit: 0,
      template: {
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
          ...pod,
          containers: [{ name: 'work', imagePullPolicy: 'IfNotPresent', securityContext: confined, ...container }]
        }
      }
    }
  };
}

/** The very Job of a run under another name, as it was before the apiserver added to it. */
export function sameJob(name, { spec, metadata }) {
  const { selector: _, ...rest } = structuredClone(spec);
  // These two would be refused in a new one, and the run's own would let the server take it for its own.
  delete rest.template.metadata;
  return { apiVersion: 'batch/v1', kind: 'Job', metadata: { name, annotations: metadata.annotations }, spec: rest };
}
