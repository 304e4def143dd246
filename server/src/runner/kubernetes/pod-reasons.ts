import type { ExitKind } from '@labscale/schema';
import type { ClusterEvent, Job, Pod } from './kubernetes-client.js';

export interface Reason {
  /** In plain words, a sentence. */
  detail: string;
  exitKind: ExitKind;
}

/** Why a pod has ended early; undefined where the pod does not say. */
export function whyEnded(pod: Pod): Reason | undefined {
  const { status } = pod;
  const message = status?.message ?? '';
  if (status?.reason === 'Evicted') return evicted(message);
  if (status?.reason === 'DeadlineExceeded') {
    const seconds = pod.spec?.activeDeadlineSeconds;
    return {
      exitKind: 'deadline',
      detail: `Its pod was ended after ${seconds ?? 'too many'} seconds: the time limits of all its tasks together.`
    };
  }
  const outOfMemory = endedContainers(pod).find(({ state }) => state.reason === 'OOMKilled');
  if (outOfMemory !== undefined) {
    const limit = pod.spec?.containers.find(({ name }) => name === outOfMemory.name)?.resources?.limits?.['memory'];
    return {
      exitKind: 'out-of-memory',
      detail: `The container ${outOfMemory.name} of its pod was ended: it used more than its ${bytesInWords(limit)} of memory.`
    };
  }
  const node = pod.spec?.nodeName === undefined ? 'Its node' : `Its node ${pod.spec.nodeName}`;
  switch (disruptionOf(pod)?.reason ?? status?.reason ?? '') {
    case 'DeletionByTaintManager':
    case 'DeletionByPodGC':
    case 'NodeLost':
      return { exitKind: 'node-lost', detail: `${node} was lost.` };
    case 'PreemptionByScheduler':
      return { exitKind: 'evicted', detail: 'Its pod had to give way to one of higher priority.' };
    case 'EvictionByEvictionAPI':
      return { exitKind: 'evicted', detail: `${node} is being emptied.` };
    case 'TerminationByKubelet':
    case 'NodeShutdown':
    case 'Terminated':
      return { exitKind: 'evicted', detail: `${node} ended it. ${message}`.trim() };
  }
  const failed = endedContainers(pod).filter(({ state }) => state.exitCode !== 0);
  // What the transfer says covers the others: it watches them.
  const first = failed.find(({ name }) => name === 'transfer' || name === 'bring') ?? failed[0];
  if (first === undefined) return undefined;
  const { exitCode, signal } = first.state;
  const how = signal ? `by signal ${signal}` : `with exit code ${exitCode}`;
  const said = startInWords(first.state.message ?? '');
  return {
    exitKind: 'worker-lost',
    detail: `The container ${first.name} of its pod ended ${how}${said === '' ? '' : `: ${said}`}.`.replace(
      /\.\.$/,
      '.'
    )
  };
}

/** That the cluster takes a pod away, which is no fault of the pod. */
export function disruptionOf({ status }: Pod) {
  return status?.conditions?.find(({ type, status: is }) => type === 'DisruptionTarget' && is === 'True');
}

/** What keeps a pod that is there from ever running its tasks; `hopeless`: waiting longer changes nothing. */
export interface Trouble extends Reason {
  hopeless: boolean;
}

const imageReasons = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'ImageInspectError'
]);
const hopelessImage = /InvalidImageName|ErrImageNeverPull/;
/** After the time that a pod is given to end its kubelet has ended it, where it lives. */
const goneByMs = 30_000;

/** What keeps a pod that has not ended from running its tasks, of which it has begun none; undefined where nothing does. */
export function whyStuck(pod: Pod, now: number): Trouble | undefined {
  const { deletionTimestamp } = pod.metadata ?? {};
  if (deletionTimestamp !== undefined) {
    if (now - new Date(deletionTimestamp).getTime() < goneByMs) return undefined;
    const detail = `Its node ${pod.spec?.nodeName ?? ''} does not answer: its pod was to end there, and does not.`;
    return { exitKind: 'node-lost', detail, hopeless: true };
  }
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  // A status names an image by any of its names.
  const wanted = new Map(
    [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].map(({ name, image }) => [name, image])
  );
  for (const { name, state } of statuses) {
    const image = wanted.get(name);
    const reason = state?.waiting?.reason;
    const said = startInWords(state?.waiting?.message ?? '');
    const why = `${said === '' ? '' : `: ${said}`} (${reason}).`;
    if (reason !== undefined && imageReasons.has(reason)) {
      const detail = `The image ${image} cannot be had${why}`;
      return { exitKind: 'image-missing', detail, hopeless: hopelessImage.test(reason) };
    }
    if (
      reason !== undefined &&
      /^(CreateContainer|RunContainer|PreCreateHook|PreStartHook|PostStartHook)/.test(reason)
    ) {
      const detail = `The container ${name} of its pod cannot be started from the image ${image}${why}`;
      return { exitKind: 'worker-lost', detail, hopeless: false };
    }
  }
  // The transfer waits for a program that never came to it: nothing else tells it that there is none.
  const program = pod.status?.containerStatuses?.find(({ name }) => name === 'analyze');
  const ended = program?.state?.terminated;
  if (program === undefined || ended === undefined || ended.exitCode === 0) return undefined;
  const said = startInWords(ended.message ?? '');
  if (ended.reason === 'StartError' || ended.reason === 'ContainerCannotRun') {
    const detail = `The image ${wanted.get('analyze')} cannot be started: ${said} (${ended.reason}).`;
    return { exitKind: 'worker-lost', detail, hopeless: true };
  }
  const detail = `The program of its pod ended before it began any task, with exit code ${ended.exitCode}${said === '' ? '' : `: ${said}`}.`;
  return { exitKind: 'worker-lost', detail, hopeless: false };
}

/** Why the tasks of a Job wait, by its pods that are there and the events about it; undefined where nothing keeps them. */
export function whyWaiting(job: Job, pods: readonly Pod[], events: readonly ClusterEvent[]): string | undefined {
  if (job.spec?.suspend === true) {
    const queue = job.metadata?.labels?.['kueue.x-k8s.io/queue-name'];
    return queue === undefined ? 'The Job is suspended.' : `Waiting for its turn in the queue ${queue}.`;
  }
  const pending = pods.filter(({ status }) => status?.phase === 'Pending');
  for (const pod of pending) {
    const scheduled = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
    if (scheduled?.reason === 'Unschedulable') {
      return `Waiting for room in the cluster: ${schedulerInWords(scheduled.message ?? '')}`;
    }
  }
  const refused = [...events].reverse().find(({ reason }) => reason === 'FailedCreate');
  if (refused !== undefined && pending.length === 0 && (job.status?.active ?? 0) === 0) {
    const message = refused.message ?? '';
    const quota = /exceeded quota: ([^,]+), requested: (.+), used: (.+), limited: (.+)$/.exec(message);
    return quota === null
      ? `The cluster refuses the pods: ${lastLine(message)}`
      : `The quota "${quota[1]}" of the namespace is used up: asked for ${quota[2]}, used ${quota[3]} of ${quota[4]}.`;
  }
  return pending.length > 0 ? 'The pods are starting: images are being brought to the nodes.' : undefined;
}

/** What a scheduler says of nodes, without what only it can use. */
export function schedulerInWords(message: string): string {
  const [, all, causes] = /^\d+\/(\d+) nodes are available: (.*)$/s.exec(message) ?? [];
  if (causes === undefined) return message;
  const words = causes
    .replace(/\s*(preemption: .*|no new claims to deallocate, ?)/gs, '')
    .replace(/\.\s*$/, '')
    .split(/, (?=\d+ )/)
    .map((cause) => causeInWords(cause, all === '1' ? 'the only node' : undefined));
  return `${all === '1' ? '' : `of ${all} nodes, `}${words.join(', ')}.`;
}

/** What a scheduler says, then what it means of one node and of several. */
const schedulerCauses: readonly [RegExp, string, string][] = [
  [/^Insufficient (\S+)$/, 'has too little $1 free', 'have too little $1 free'],
  [/^node\(s\) had untolerated taint.*$/s, 'keeps these pods out by a taint', 'keep these pods out by a taint'],
  [
    /^node\(s\) didn't match Pod's node affinity\/selector$/,
    'is not what the profile selects',
    'are not what the profile selects'
  ],
  [/^node\(s\) were unschedulable$/, 'takes no new pods', 'take no new pods']
];

/** `node`: what stands for the number where there is but one node. */
function causeInWords(cause: string, node: string | undefined): string {
  const [, count = '', what = cause] = /^(\d+) (.*)$/s.exec(cause) ?? [];
  const words = schedulerCauses.reduce(
    (text, [pattern, one, many]) => text.replace(pattern, count === '1' ? one : many),
    what.replace(/ cpu$/, ' CPU')
  );
  return `${node ?? count} ${words}`;
}

function evicted(message: string): Reason {
  const disk =
    /(?:usage of emptydir volume .* exceeds the limit "([^"]+)"|ephemeral local storage usage exceeds .*?(?:limit of containers (\S+?)\.?$|limit))/i;
  const found = disk.exec(message.trim());
  if (found !== null) {
    const limit = found[1] ?? found[2];
    return {
      exitKind: 'disk-full',
      detail: `Its pod wrote more to its disk than ${limit === undefined ? 'it may' : `the ${bytesInWords(limit)} that it may`}.`
    };
  }
  return {
    exitKind: 'evicted',
    detail: `Its pod was put off its node: ${message === '' ? 'no reason was given.' : message}`
  };
}

function endedContainers(pod: Pod) {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  return statuses.flatMap(({ name, state }) =>
    state?.terminated === undefined ? [] : [{ name, state: state.terminated }]
  );
}

/** What a container runtime says of a start that failed, without the names of those who passed it on. */
function startInWords(message: string): string {
  return lastLine(message)
    .replace(/^.*unable to start container process: /, '')
    .replace(/: unknown$/, '');
}

function lastLine(text: string): string {
  return (text.trim().split('\n').at(-1) ?? '').trim().slice(0, 1_000).replace(/\.$/, '');
}

const units: Record<string, number> = {
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40
};

/** A quantity of Kubernetes, such as `536870912` or `512Mi`, for people. */
export function bytesInWords(quantity: string | undefined): string {
  const [, digits, unit] = /^(\d+)([A-Za-z]*)$/.exec(quantity ?? '') ?? [];
  const factor = units[unit ?? ''];
  if (digits === undefined || factor === undefined) return quantity ?? 'limit';
  const bytes = Number(digits) * factor;
  return bytes >= 2 ** 30 ? `${trimmed(bytes / 2 ** 30)} GiB` : `${trimmed(bytes / 2 ** 20)} MiB`;
}

function trimmed(value: number): string {
  return value.toFixed(1).replace(/\.0$/, '');
}
