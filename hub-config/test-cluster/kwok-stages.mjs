// What KWOK makes of its nodes and pods: without these it refuses to start.

/** How long a pod seems to run; the same for every pod, so that a bench compares runs and not pods. */
export const podMilliseconds = 1_000;

const here = '.status.conditions.[] | select( .type == "Ready" ) | .status';
const notDeleted = { key: '.metadata.deletionTimestamp', operator: 'DoesNotExist' };
const inPhase = (phase) => ({ key: '.status.phase', operator: 'In', values: [phase] });
const condition = (type) => `- { type: ${type}, status: "True", reason: Kwok, lastTransitionTime: {{ Now | Quote }} }`;

function stage(name, kind, matchExpressions, { next, delay }) {
  const spec = { resourceRef: { apiGroup: 'v1', kind }, selector: { matchExpressions }, next, ...(delay && { delay }) };
  return { apiVersion: 'kwok.x-k8s.io/v1alpha1', kind: 'Stage', metadata: { name }, spec };
}

/** Statuses of all containers of a list in the spec, each in one state. */
function containerStatuses(field, list, ready, state) {
  return `${field}:
{{ range .spec.${list} }}
- { name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", restartCount: 0, ready: ${ready}, state: ${state} }
{{ end }}`;
}

const ended =
  '{ terminated: { exitCode: 0, reason: Completed, startedAt: {{ Now | Quote }}, finishedAt: {{ Now | Quote }} } }';
const runs = '{ running: { startedAt: {{ Now | Quote }} } }';

export const kwokStages = [
  stage('node-ready', 'Node', [{ key: here, operator: 'NotIn', values: ['True'] }], {
    next: { statusTemplate: `conditions:\n${condition('Ready')}\nphase: Running\n` }
  }),
  stage('pod-starts', 'Pod', [notDeleted, inPhase('Pending')], {
    next: {
      statusTemplate: [
        'phase: Running',
        'startTime: {{ Now | Quote }}',
        'conditions:',
        ...['Initialized', 'Ready', 'ContainersReady'].map(condition),
        containerStatuses('containerStatuses', 'containers', true, runs),
        containerStatuses('initContainerStatuses', 'initContainers', true, ended)
      ].join('\n')
    }
  }),
  stage('pod-ends', 'Pod', [notDeleted, inPhase('Running')], {
    delay: { durationMilliseconds: podMilliseconds },
    next: {
      statusTemplate: ['phase: Succeeded', containerStatuses('containerStatuses', 'containers', false, ended)].join(
        '\n'
      )
    }
  }),
  stage('pod-goes', 'Pod', [{ key: '.metadata.deletionTimestamp', operator: 'Exists' }], { next: { delete: true } })
];
