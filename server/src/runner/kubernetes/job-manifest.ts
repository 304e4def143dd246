import { hash } from 'node:crypto';
import type { Resources } from '@labscale/schema';
import { canonicalJson } from '../../metadata/canonical-json.js';
import type { Container, Job, JobSpec, PodSpec, Volume } from './kubernetes-client.js';
import type { Profile } from './profile.js';

/** Where pods find the object store. */
export interface StoreOfPods {
  endpoint: string;
  bucket: string;
  region: string;
  pathStyle: boolean;
}

/** How the tasks of a wave are run. */
export type Program =
  | { kind: 'worker'; image: string; python: string }
  /** `entrypoint` and `args` as the image and the analysis have them; the same for every task of the wave. */
  | {
      kind: 'container';
      image: string;
      entrypoint: readonly string[];
      args: readonly string[];
      workingDirectory: string | null;
    };

export interface Wave {
  runId: string;
  wave: number;
  packs: number;
  /** Tasks of the largest pack. */
  tasksPerPod: number;
  resources: Resources;
  program: Program;
}

/** Exit code of the transfer: all tasks of the pack have ended and were reported, some failed; no other pod is to try. */
export const failedTasksExitCode = 65;
export const runLabel = 'labscale.dev/run';
export const waveLabel = 'labscale.dev/wave';
export const managedBy = { 'app.kubernetes.io/managed-by': 'labscale' };
export const specAnnotation = 'labscale.dev/spec';
export const indexLabel = 'batch.kubernetes.io/job-completion-index';

/** Beside what a task may use: the worker itself with what it preloads, and the kernel's buffers for its files. */
const workerMemoryBytes = 268_435_456;
const transferCpus = 0.1;
const transfer = { cpu: String(transferCpus), memory: '192Mi' };
const bring = { cpu: '0.05', memory: '64Mi' };
/** Where only a limit is given it is the request too, and a node would be full of pods that hardly write. */
const leastDisk = { 'ephemeral-storage': '64Mi' };
/** For images, the first shard and the last upload. */
const podStartSeconds = 1_800;
/** The transfer has said within ten seconds what there is to say. */
const secondsToEnd = 15;
/** A pod that dies without a verdict is tried again so often by the Job itself; `lostAttemptsAllowed` of the server is the same. */
const podsTriedAgain = 3;

export function jobName(runId: string, wave: number): string {
  return `labscale-${runId}-${wave}`;
}

export function secretName(runId: string): string {
  return `labscale-${runId}`;
}

export function labelsOf(runId: string): Record<string, string> {
  return { ...managedBy, [runLabel]: runId };
}

/** The Job of a wave. Nothing of a user stands in it but numbers, and of a container analysis the argument list. */
export function jobOf(wave: Wave, profile: Profile, store: StoreOfPods): Job {
  const { runId, packs } = wave;
  const labels = { ...labelsOf(runId), [waveLabel]: String(wave.wave) };
  const spec: JobSpec = {
    completionMode: 'Indexed',
    completions: packs,
    parallelism: Math.min(packs, profile.maxPods),
    backoffLimitPerIndex: podsTriedAgain,
    ...(profile.maxFailedFraction === null ? {} : { maxFailedIndexes: Math.floor(profile.maxFailedFraction * packs) }),
    // The only one that goes with a podFailurePolicy: a new pod only when the old one has ended.
    podReplacementPolicy: 'Failed',
    podFailurePolicy: {
      rules: [
        {
          action: 'FailIndex',
          onExitCodes: { containerName: 'transfer', operator: 'In', values: [failedTasksExitCode] }
        },
        { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }
      ]
    },
    ...(profile.queue === null ? {} : { suspend: true }),
    template: { metadata: { labels }, spec: podOf(wave, profile, store) }
  };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: {
      name: jobName(runId, wave.wave),
      labels: { ...labels, ...(profile.queue === null ? {} : { 'kueue.x-k8s.io/queue-name': profile.queue }) },
      annotations: { [specAnnotation]: hash('sha256', canonicalJson(spec)) }
    },
    spec
  };
}

function podOf(wave: Wave, profile: Profile, store: StoreOfPods): PodSpec {
  const { resources, program } = wave;
  const { uid } = profile;
  return {
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: secondsToEnd,
    activeDeadlineSeconds: podStartSeconds + Math.ceil(wave.tasksPerPod * (resources.timeLimitSeconds + 60)),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      fsGroup: uid,
      seccompProfile: { type: 'RuntimeDefault' }
    },
    ...(Object.keys(profile.nodeSelector).length === 0 ? {} : { nodeSelector: profile.nodeSelector }),
    ...(profile.tolerations.length === 0 ? {} : { tolerations: profile.tolerations }),
    ...(profile.priorityClassName === null ? {} : { priorityClassName: profile.priorityClassName }),
    ...(profile.imagePullSecrets.length === 0
      ? {}
      : { imagePullSecrets: profile.imagePullSecrets.map((name) => ({ name })) }),
    initContainers: [bringContainer(wave, profile)],
    containers: [
      program.kind === 'worker' ? workerContainer(wave, program, profile) : imageContainer(wave, program, profile),
      transferContainer(wave, profile, store)
    ],
    volumes: volumesOf(wave, profile)
  };
}

function volumesOf(wave: Wave, profile: Profile): Volume[] {
  return [
    { name: 'labscale', emptyDir: { sizeLimit: String(profile.scratchBytes) } },
    { name: 'tmp', emptyDir: { sizeLimit: String(profile.scratchBytes) } },
    { name: 'transfer-tmp', emptyDir: { sizeLimit: '64Mi' } },
    { name: 'credentials', secret: { secretName: secretName(wave.runId), defaultMode: 0o440 } },
    ...(profile.caConfigMap === null ? [] : [{ name: 'ca', configMap: { name: profile.caConfigMap } }])
  ];
}

const shared = { name: 'labscale', mountPath: '/labscale' };

/** What every container of a run has in common: no rights beyond its files. */
function confined(profile: Profile, container: Omit<Container, 'securityContext' | 'imagePullPolicy'>): Container {
  return {
    ...container,
    imagePullPolicy: profile.imagePullPolicy,
    // Without a log that fits it, the end of what it printed tells why it ended.
    terminationMessagePolicy: 'FallbackToLogsOnError',
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      capabilities: { drop: ['ALL'] },
      seccompProfile: { type: 'RuntimeDefault' }
    }
  };
}

function bringContainer(wave: Wave, profile: Profile): Container {
  return confined(profile, {
    name: 'bring',
    image: profile.agentImage,
    command: ['python3', '-m', 'labscale.transfer', 'bring', '/labscale'],
    env: [
      { name: 'LABSCALE_KIND', value: wave.program.kind },
      { name: 'HOME', value: '/tmp' }
    ],
    resources: { requests: { ...bring, ...leastDisk }, limits: { memory: bring.memory } },
    volumeMounts: [shared, { name: 'transfer-tmp', mountPath: '/tmp' }]
  });
}

function transferContainer(wave: Wave, profile: Profile, store: StoreOfPods): Container {
  const values: Record<string, string> = {
    LABSCALE_KIND: wave.program.kind,
    LABSCALE_RUN: wave.runId,
    LABSCALE_WAVE: String(wave.wave),
    LABSCALE_S3_ENDPOINT: store.endpoint,
    LABSCALE_S3_BUCKET: store.bucket,
    LABSCALE_S3_REGION: store.region,
    LABSCALE_S3_PATH_STYLE: String(store.pathStyle),
    ...(profile.caConfigMap === null ? {} : { LABSCALE_S3_CA_FILE: '/labscale-ca/ca.crt' }),
    LABSCALE_S3_CREDENTIALS_FILE: '/labscale-credentials/credentials',
    HOME: '/tmp'
  };
  return confined(profile, {
    name: 'transfer',
    image: profile.agentImage,
    command: ['python3', '-m', 'labscale.transfer', 'pod'],
    env: [
      ...Object.entries(values).map(([name, value]) => ({ name, value })),
      podNameVariable,
      { name: 'LABSCALE_PACK', valueFrom: { fieldRef: { fieldPath: `metadata.annotations['${indexLabel}']` } } }
    ],
    resources: { requests: { ...transfer, ...leastDisk }, limits: { memory: transfer.memory } },
    volumeMounts: [
      shared,
      { name: 'transfer-tmp', mountPath: '/tmp' },
      { name: 'credentials', mountPath: '/labscale-credentials', readOnly: true },
      ...(profile.caConfigMap === null ? [] : [{ name: 'ca', mountPath: '/labscale-ca', readOnly: true }])
    ]
  });
}

const podNameVariable = { name: 'LABSCALE_POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } };

function workerContainer(wave: Wave, program: Extract<Program, { kind: 'worker' }>, profile: Profile): Container {
  return confined(profile, {
    name: 'analyze',
    image: program.image,
    workingDir: '/labscale',
    command: [
      ...[program.python, '/labscale/helpers/labscale/worker.py'],
      ...['--data', '/labscale/data', '--objects', '/labscale/objects', '--run', wave.runId],
      ...['--worker', '$(LABSCALE_POD)', '--slots', '1', '--channel', '/labscale/channel.sock']
    ],
    env: [podNameVariable, { name: 'HOME', value: '/tmp' }, { name: 'PYTHONDONTWRITEBYTECODE', value: '1' }],
    resources: taskResources(wave, profile, workerMemoryBytes),
    volumeMounts: [shared, { name: 'tmp', mountPath: '/tmp' }]
  });
}

/** An image untouched: its entrypoint and arguments follow as a list, which no shell ever reads. */
function imageContainer(wave: Wave, program: Extract<Program, { kind: 'container' }>, profile: Profile): Container {
  const { image, entrypoint, args, workingDirectory } = program;
  return confined(profile, {
    name: 'analyze',
    image,
    workingDir: workingDirectory ?? '/',
    command: ['/labscale/bin/busybox', 'sh', '/labscale/bin/run-tasks'],
    args: [...entrypoint, ...args].map(asItIs),
    env: [{ name: 'HOME', value: '/tmp' }],
    resources: taskResources(wave, profile, 0),
    volumeMounts: [
      { ...shared },
      { name: 'labscale', mountPath: '/in', subPath: 'task/in', readOnly: true },
      { name: 'labscale', mountPath: '/out', subPath: 'task/out' },
      { name: 'labscale', mountPath: '/params.json', subPath: 'task/params.json', readOnly: true },
      { name: 'tmp', mountPath: '/tmp' }
    ]
  });
}

/** The kubelet puts the values of variables for `$(NAME)`; `$$` is how it is told of one dollar. */
function asItIs(argument: string): string {
  return argument.replaceAll('$', '$$$$');
}

function taskResources({ resources }: Wave, profile: Profile, overheadBytes: number) {
  const memory = String(resources.memoryBytes + overheadBytes);
  // With the transfer's part it is what the task asked for, so that two of one CPU fit on a node of two.
  const cpu = Math.max(0.05, resources.cpus * profile.cpuRequestFraction - transferCpus).toFixed(3);
  const gpus: Record<string, string> = resources.gpus ? { [profile.gpu.resource]: String(resources.gpus) } : {};
  const disk = { 'ephemeral-storage': String(profile.scratchBytes) };
  return {
    requests: { cpu, memory, ...leastDisk, ...gpus },
    limits: { cpu: String(resources.cpus), memory, ...disk, ...gpus }
  };
}
