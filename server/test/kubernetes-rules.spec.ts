import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../src/config.js';
import { jobOf, type Program, type Wave } from '../src/runner/kubernetes/job-manifest.js';
import type { Job, Pod } from '../src/runner/kubernetes/kubernetes-client.js';
import { packSize } from '../src/runner/kubernetes/pack-size.js';
import {
  bytesInWords,
  schedulerInWords,
  whyEnded,
  whyStuck,
  whyWaiting
} from '../src/runner/kubernetes/pod-reasons.js';
import { parseJournal, type JournalEntry } from '../src/runner/kubernetes/pod-journals.js';
import { allowsImage, readProfile, type Profile } from '../src/runner/kubernetes/profile.js';
import { inputsOf, joinInputs } from '../src/runner/kubernetes/run-secret.js';
import { planWaves } from '../src/runner/kubernetes/wave-launch.js';
import { readOrders, toPacks, writeOrders } from '../src/runner/kubernetes/wave-orders.js';
import { WaveTasks, parseIndexes } from '../src/runner/kubernetes/wave-tasks.js';
import type { RunOrder, TaskOrder } from '../src/runner/runner.js';

const resources = { cpus: 0.5, memoryBytes: 2 ** 29, timeLimitSeconds: 100, retries: 0, backoffSeconds: 0 };
const worker: Program = { kind: 'worker', image: 'science:1', python: 'python3' };
const store = { endpoint: 'http://store:9000', bucket: 'labscale', region: 'us-east-1', pathStyle: true };

function task(index: number, more: Partial<TaskOrder> = {}): TaskOrder {
  return {
    ...{ index, attempt: 1, parameterSetVersionId: 'pv-1', resources },
    shard: { key: `ü ${index}`, entities: {}, metadata: {}, digest: 'sha256:0', objects: [] },
    ...more
  };
}

async function profileOf(fields: object): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-profile-'));
  try {
    await writeFile(join(folder, 'profile.json'), JSON.stringify(fields));
    return readProfile(join(folder, 'profile.json'));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const least = { namespace: 'runs', agentImage: 'agent:1', image: 'science:1' };

describe('the profile', () => {
  test('needs little, and says what it takes for the rest', async () => {
    expect(await profileOf(least)).toEqual({
      ...least,
      ...{ images: [], python: 'python3', uid: 1000, imagePullPolicy: 'IfNotPresent', imagePullSecrets: [] },
      ...{ nodeSelector: {}, tolerations: [], priorityClassName: null, queue: null },
      ...{ gpu: { resource: 'nvidia.com/gpu', count: 0 }, cpuRequestFraction: 1, maxPods: 50 },
      scratchBytes: 10_737_418_240,
      ...{ caConfigMap: null, maxFailedFraction: null }
    });
  });

  test.each<[string, object, RegExp]>([
    ['an unknown field', { ...least, hostPath: '/' }, /"hostPath" is not a field/],
    ['an unknown field inside', { ...least, gpu: { resource: 'x', number: 1 } }, /"gpu.number" is not a field/],
    ['a missing field', { namespace: 'runs', image: 'i' }, /"agentImage" is missing/],
    ['root', { ...least, uid: 0 }, /"uid" must be >= 1/],
    ['a policy that is none', { ...least, imagePullPolicy: 'Sometimes' }, /must be one of Always, IfNotPresent, Never/],
    ['a namespace that is none', { ...least, namespace: 'Runs' }, /"namespace"/],
    ['no object', [], /cannot be used/]
  ])('refuses %s by name', async (_what, fields, says) => {
    await expect(profileOf(fields)).rejects.toThrow(says);
  });

  test('is asked for at the start, and a store that pods reach', () => {
    const start = (more: Record<string, string>) => () =>
      readConfig({ LABSCALE_HELPERS: '.', LABSCALE_RUNNER: 'kubernetes', ...more });
    const store = {
      ...{ LABSCALE_OBJECTS: 'minio', LABSCALE_S3_ENDPOINT: 'http://127.0.0.1:9', LABSCALE_S3_BUCKET: 'labscale' },
      ...{ LABSCALE_S3_ACCESS_KEY: 'a', LABSCALE_S3_SECRET_KEY: 'b' }
    };
    expect(start({})).toThrow(/LABSCALE_RUNNER is "kubernetes" and LABSCALE_OBJECTS is "local"/);
    expect(start(store)).toThrow(/LABSCALE_KUBERNETES_PROFILE must name/);
    expect(start({ ...store, LABSCALE_KUBERNETES_PROFILE: '/nowhere.json' })).toThrow(
      /LABSCALE_KUBERNETES_PROFILE: the profile \/nowhere.json cannot be read/
    );
  });

  test('allows images by pattern, and a dot is a dot', () => {
    const profile = { images: ['registry.lab/*', 'docker.io/bids/fmriprep@sha256:*'] };
    expect(allowsImage(profile, 'registry.lab/a/b@sha256:0')).toBe(true);
    expect(allowsImage(profile, 'registryxlab/a')).toBe(false);
    expect(allowsImage(profile, 'evil.io/registry.lab/a')).toBe(false);
    expect(allowsImage({ images: [] }, 'registry.lab/a')).toBe(false);
  });
});

test.each<[string, number, number | null, number, number | null, number]>([
  ['short tasks share a pod for half a minute', 100_000, 0.2, 50, null, 150],
  ['very short ones do not share it without bound', 100_000, 0.001, 50, null, 200],
  ['long ones have one each', 1_000, 45, 50, null, 1],
  ['all pods get something before any gets more', 100, 0.2, 50, null, 2],
  ['few tasks stay apart', 10, 0.2, 50, null, 1],
  ['what nothing is known of shares little', 100_000, null, 50, null, 10],
  ['one pod takes all that fits', 10, 0.5, 1, null, 10],
  ['a person may choose', 100, 0.2, 50, 25, 25],
  ['but not more than there is', 3, null, 50, 25, 3]
])('%s', (_what, tasks, seconds, pods, asked, expected) => {
  expect(packSize(tasks, seconds, pods, asked)).toBe(expected);
});

describe('the orders of a wave', () => {
  test('are found by a pod in 32 bytes, whatever stands in them', () => {
    const packs = toPacks(
      [0, 1, 2, 3, 4].map((index) => task(index)),
      2
    );
    const bytes = writeOrders(packs);
    for (const [pack, tasks] of packs.entries()) {
      const [from, to] = bytes
        .toString('latin1', 16 * pack, 16 * pack + 32)
        .trim()
        .split('\n')
        .map(Number);
      expect(JSON.parse(bytes.toString('utf8', from, to))).toEqual({ tasks });
    }
    expect(bytes.toString('latin1', 0, 16)).toBe('000000000000064\n');
    expect(readOrders(bytes)).toEqual(packs);
  });

  test('that were cut off are not taken for others', () => {
    const bytes = writeOrders([[task(0)], [task(1)]]);
    expect(() => readOrders(bytes.subarray(0, -1))).toThrow(RangeError);
    expect(() => readOrders(Buffer.from('{}'))).toThrow(RangeError);
  });

  test('go apart where a pod would have to be another', () => {
    const order = { secondsPerTask: null, shardsPerPod: 2 } as RunOrder;
    const large = { ...resources, memoryBytes: 2 ** 30 };
    const tasks = [
      task(0),
      task(1, { resources: large }),
      task(2),
      task(3, { resources: { ...resources, retries: 3 } })
    ];
    const waves = planWaves(order, tasks, () => worker, { maxPods: 50 } as Profile);
    expect(waves.map(({ packs }) => packs.map((pack) => pack.map(({ index }) => index)))).toEqual([
      [[0, 2], [3]],
      [[1]]
    ]);
    expect(waves.map((wave) => wave.resources.memoryBytes)).toEqual([2 ** 29, 2 ** 30]);
  });
});

describe('a Job', () => {
  const wave: Wave = { runId: 'run-0abc', wave: 2, packs: 120, tasksPerPod: 10, resources, program: worker };
  const make = async (fields: object = {}, more: Partial<Wave> = {}) =>
    jobOf({ ...wave, ...more }, await profileOf({ ...least, ...fields }), store);

  test('is one write whatever the number of shards, named by its run', async () => {
    const job = await make();
    expect(job.metadata).toMatchObject({
      name: 'labscale-run-0abc-2',
      labels: { 'labscale.dev/run': 'run-0abc', 'labscale.dev/wave': '2', 'app.kubernetes.io/managed-by': 'labscale' }
    });
    expect(job.spec).toMatchObject({
      ...{ completionMode: 'Indexed', completions: 120, parallelism: 50, backoffLimitPerIndex: 3 },
      podFailurePolicy: {
        rules: [
          { action: 'FailIndex', onExitCodes: { containerName: 'transfer', operator: 'In', values: [65] } },
          { action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }
        ]
      }
    });
    expect(job.spec).not.toHaveProperty('maxFailedIndexes');
    const large = await make({}, { packs: 100_000 });
    expect(JSON.stringify(large).length - JSON.stringify(job).length).toBeLessThan(10);
  });

  test('has no right but those that its pod needs', async () => {
    const pod = (await make({ caConfigMap: 'store-ca' })).spec!.template.spec!;
    expect(pod).toMatchObject({
      ...{ automountServiceAccountToken: false, enableServiceLinks: false, restartPolicy: 'Never' },
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } }
    });
    const containers = [...pod.initContainers!, ...pod.containers];
    expect(containers.map(({ name }) => name)).toEqual(['bring', 'analyze', 'transfer']);
    for (const { securityContext } of containers) {
      expect(securityContext).toMatchObject({
        ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, runAsNonRoot: true },
        ...{ capabilities: { drop: ['ALL'] }, seccompProfile: { type: 'RuntimeDefault' } }
      });
    }
    // Keys of the store are where only the transfer is.
    const withKeys = containers.filter(({ volumeMounts }) => volumeMounts!.some(({ name }) => name === 'credentials'));
    expect(withKeys.map(({ name }) => name)).toEqual(['transfer']);
    expect(JSON.stringify(containers.find(({ name }) => name === 'analyze'))).not.toMatch(/S3_|store:9000/);
    expect(pod.volumes!.map((volume) => Object.keys(volume).sort().join()).sort()).toEqual([
      ...['configMap,name', 'emptyDir,name', 'emptyDir,name', 'emptyDir,name', 'name,secret']
    ]);
  });

  test('asks for what a task asks for, with room for the worker, and ends what outlasts all its tasks', async () => {
    const pod = (await make({ gpu: { resource: 'lab/gpu', count: 1 } }, { resources: { ...resources, gpus: 1 } })).spec!
      .template.spec!;
    const analyze = pod.containers.find(({ name }) => name === 'analyze')!;
    expect(analyze.resources).toMatchObject({
      requests: { cpu: '0.400', memory: String(2 ** 29 + 2 ** 28), 'lab/gpu': '1', 'ephemeral-storage': '64Mi' },
      limits: { cpu: '0.5', memory: String(2 ** 29 + 2 ** 28), 'lab/gpu': '1', 'ephemeral-storage': '10737418240' }
    });
    expect(pod.activeDeadlineSeconds).toBeGreaterThan(10 * 100);
  });

  test('carries what the administrator laid down', async () => {
    const job = await make({
      ...{ nodeSelector: { pool: 'batch' }, tolerations: [{ key: 'batch', operator: 'Exists' }] },
      ...{ priorityClassName: 'low', imagePullSecrets: ['lab'], queue: 'lab', maxFailedFraction: 0.1, maxPods: 7 }
    });
    expect(job.metadata?.labels).toMatchObject({ 'kueue.x-k8s.io/queue-name': 'lab' });
    expect(job.spec).toMatchObject({ suspend: true, maxFailedIndexes: 12, parallelism: 7 });
    expect(job.spec?.template.spec).toMatchObject({
      ...{ nodeSelector: { pool: 'batch' }, tolerations: [{ key: 'batch', operator: 'Exists' }] },
      ...{ priorityClassName: 'low', imagePullSecrets: [{ name: 'lab' }] }
    });
  });

  test('of an image hands its arguments over as they are: the kubelet fills in nothing', async () => {
    const args = ['--a=$(HOME)', '; rm -rf /', '{{x}}', 'two\nlines', '$$(B)', ''];
    const program: Program = { kind: 'container', image: 'i', entrypoint: ['/run'], args, workingDirectory: null };
    const analyze = (await make({}, { program })).spec!.template.spec!.containers.find(
      ({ name }) => name === 'analyze'
    )!;
    expect(analyze.command).toEqual(['/labscale/bin/busybox', 'sh', '/labscale/bin/run-tasks']);
    // As the kubelet reads them: `$$` is one dollar, and only `$(` after that would be a variable.
    expect(analyze.args!.map((text) => text.replaceAll('$$', '$'))).toEqual(['/run', ...args]);
    expect(analyze.args!.join('').replaceAll('$$', '')).not.toContain('$');
  });

  test('of another making is told by its annotation, and made twice is the same', async () => {
    const hashOf = (job: Job) => job.metadata?.annotations?.['labscale.dev/spec'];
    expect(hashOf(await make())).toBe(hashOf(await make()));
    expect(hashOf(await make())).not.toBe(hashOf(await make({ uid: 7 })));
  });
});

describe('why a pod ended', () => {
  const terminated = (name: string, state: object) => ({ name, state: { terminated: { exitCode: 1, ...state } } });
  const pod = (status: object): Pod => ({
    metadata: { name: 'p' },
    spec: {
      ...{ nodeName: 'n1', activeDeadlineSeconds: 60 },
      containers: [{ name: 'analyze', image: 'i', resources: { limits: { memory: '536870912' } } }]
    },
    status: status as NonNullable<Pod['status']>
  });
  const disrupted = (reason: string) => ({ conditions: [{ type: 'DisruptionTarget', status: 'True', reason }] });

  test.each<[string, object, string, RegExp]>([
    [
      'too much memory',
      { containerStatuses: [terminated('analyze', { exitCode: 137, reason: 'OOMKilled' })] },
      'out-of-memory',
      /more than its 512 MiB of memory/
    ],
    [
      'its node is short',
      { reason: 'Evicted', message: 'The node was low on resource: memory.' },
      'evicted',
      /low on resource/
    ],
    [
      'a full disk',
      { reason: 'Evicted', message: 'Usage of EmptyDir volume "labscale" exceeds the limit "10Gi". ' },
      'disk-full',
      /more to its disk than the 10 GiB/
    ],
    [
      'a full disk of a container',
      { reason: 'Evicted', message: 'Pod ephemeral local storage usage exceeds the total limit of containers 10Gi. ' },
      'disk-full',
      /10 GiB/
    ],
    ['its deadline', { reason: 'DeadlineExceeded', message: 'x' }, 'deadline', /after 60 seconds/],
    ['its node is gone', disrupted('DeletionByTaintManager'), 'node-lost', /node n1 was lost/],
    ['its node was deleted', disrupted('DeletionByPodGC'), 'node-lost', /node n1 was lost/],
    ['its node is emptied', disrupted('EvictionByEvictionAPI'), 'evicted', /n1 is being emptied/],
    ['another is more urgent', disrupted('PreemptionByScheduler'), 'evicted', /higher priority/],
    [
      'the transfer gave up',
      {
        containerStatuses: [
          terminated('analyze', { exitCode: 0 }),
          terminated('transfer', { exitCode: 75, message: 'a\nThe store is away.\n' })
        ]
      },
      'worker-lost',
      /^The container transfer of its pod ended with exit code 75: The store is away\.$/
    ],
    [
      'the agent image is not one',
      { initContainerStatuses: [terminated('bring', { exitCode: 127 })] },
      'worker-lost',
      /bring of its pod ended with exit code 127\.$/
    ]
  ])('%s', (_what, status, exitKind, says) => {
    const reason = whyEnded(pod(status));
    expect(reason?.exitKind).toBe(exitKind);
    expect(reason?.detail).toMatch(says);
  });

  test('is not made up', () => {
    expect(whyEnded(pod({ phase: 'Failed' }))).toBeUndefined();
    expect(whyEnded(pod({ containerStatuses: [terminated('analyze', { exitCode: 0 })] }))).toBeUndefined();
  });

  test('says sizes as people do', () => {
    expect(['512Mi', '1Gi', '1610612736', '2.5Gi'].map(bytesInWords)).toEqual(['512 MiB', '1 GiB', '1.5 GiB', '2.5Gi']);
  });
});

describe('why tasks wait', () => {
  const job = { metadata: { name: 'j' }, spec: {}, status: {} } as Job;
  const pending = (status: object) => ({ status: { phase: 'Pending', ...status } }) as Pod;

  test.each<[string, Pod[], object[], RegExp]>([
    [
      'no room',
      [
        pending({
          conditions: [
            {
              ...{ type: 'PodScheduled', status: 'False', reason: 'Unschedulable' },
              message:
                '0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims.'
            }
          ]
        })
      ],
      [],
      /Waiting for room in the cluster: the only node has too little CPU free\./
    ],
    [
      'a quota',
      [],
      [
        {
          reason: 'FailedCreate',
          message:
            'Error creating: pods "x" is forbidden: exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2'
        }
      ],
      /quota "few" of the namespace is used up: asked for pods=1, used pods=2 of pods=2/
    ],
    [
      'an admission',
      [],
      [{ reason: 'FailedCreate', message: 'pods "x" is forbidden: violates PodSecurity' }],
      /refuses the pods: .*PodSecurity/
    ]
  ])('%s', (_what, pods, events, says) => expect(whyWaiting(job, pods, events as never)).toMatch(says));

  test('a queue, and nothing', () => {
    const suspended = { ...job, metadata: { labels: { 'kueue.x-k8s.io/queue-name': 'lab' } }, spec: { suspend: true } };
    expect(whyWaiting(suspended as unknown as Job, [], [])).toBe('Waiting for its turn in the queue lab.');
    expect(whyWaiting(job, [], [])).toBeUndefined();
  });

  test('of several causes says each', () => {
    const message =
      '0/6 nodes are available: 1 Insufficient cpu, 2 Insufficient memory, 3 node(s) had untolerated taint {a: }.';
    expect(schedulerInWords(message)).toBe(
      'of 6 nodes, 1 has too little CPU free, 2 have too little memory free, 3 keep these pods out by a taint.'
    );
  });
});

describe('what keeps a pod from starting', () => {
  const now = Date.parse('2026-01-01T00:10:00Z');
  const waits = (reason: string, message = 'not found') => ({ waiting: { reason, message } });
  const ended = (exitCode: number, more: object = {}) => ({ terminated: { exitCode, ...more } });
  const pod = (state: object, metadata: object = {}) =>
    ({
      ...{ metadata, spec: { nodeName: 'n1', containers: [{ name: 'analyze', image: 'nope:1' }] } },
      status: { containerStatuses: [{ name: 'analyze', image: 'another-name:1', state }] }
    }) as unknown as Pod;
  const runc = 'runc create failed: unable to start container process: exec: "x": not found in $PATH: unknown';

  test.each<[string, Pod, string, RegExp, boolean]>([
    ['no image', pod(waits('ImagePullBackOff')), 'image-missing', /^The image nope:1 cannot be had: not found/, false],
    ['no name of an image', pod(waits('InvalidImageName')), 'image-missing', /InvalidImageName/, true],
    ['an image that may not be pulled', pod(waits('ErrImageNeverPull')), 'image-missing', /nope:1/, true],
    ['its setting', pod(waits('CreateContainerConfigError')), 'worker-lost', /analyze .* from the image nope:1/, false],
    [
      'no such program',
      pod(ended(128, { reason: 'StartError', message: runc })),
      'worker-lost',
      /^The image nope:1 cannot be started: exec: "x": not found in \$PATH \(StartError\)\.$/,
      true
    ],
    [
      'its program',
      pod(ended(1, { message: 'Traceback\nSyntaxError: x' })),
      'worker-lost',
      /before it began any task, with exit code 1: SyntaxError: x\.$/,
      false
    ],
    [
      'its node',
      pod(ended(0), { deletionTimestamp: '2026-01-01T00:09:00Z' }),
      'node-lost',
      /^Its node n1 does not answer/,
      true
    ]
  ])('%s', (_what, stuck, exitKind, says, hopeless) => {
    expect(whyStuck(stuck, now)).toMatchObject({ exitKind, hopeless, detail: expect.stringMatching(says) });
  });

  test('nothing, where it has but begun, is done, or has the time to end', () => {
    for (const state of [waits('ContainerCreating'), waits('PodInitializing'), { running: {} }, ended(0)]) {
      expect(whyStuck(pod(state), now)).toBeUndefined();
    }
    const ending = { deletionTimestamp: '2026-01-01T00:09:50Z' };
    expect(whyStuck(pod(waits('ErrImagePull'), ending), now)).toBeUndefined();
  });
});

describe('the tasks of a wave', () => {
  const at = '2026-01-01T00:00:00.000Z';
  const report = (index: number, attempt: number, more: object = {}) => ({
    ...{ version: 1, runId: 'run-1', index, attempt, shardKey: 's', parameterSetVersionId: 'pv-1', state: 'succeeded' },
    ...{
      claimed: true,
      exitKind: 'succeeded',
      reason: null,
      failureText: null,
      exitCode: 0,
      startedAt: at,
      finishedAt: at
    },
    ...{ durationSeconds: 1, cpuSeconds: 1, peakMemoryBytes: 1, metrics: {}, logSizeBytes: 0, objects: [], ...more }
  });
  const journal = (...tasks: JournalEntry[]) => ({ pod: 'pod-a', detail: null, tasks });
  const names = (...indexes: number[]) => indexes.map((index) => ({ index, attempt: 1 }));
  const make = () => new WaveTasks('run-1', [names(0, 1), names(2, 3)]);
  const kinds = (events: { kind: string }[]) => events.map(({ kind }) => kind);

  test('are told of once, however often a journal says it', () => {
    const tasks = make();
    const running = journal({ index: 0, attempt: 1, startedAt: at, progress: 0.5 });
    expect(kinds(tasks.hear(0, running))).toEqual(['started', 'progress']);
    expect(tasks.hear(0, running)).toEqual([]);
    const ended = journal(
      { index: 0, attempt: 1, report: report(0, 1) },
      { index: 1, attempt: 1, report: report(1, 1) }
    );
    expect(kinds(tasks.hear(0, ended))).toEqual(['ended', 'started', 'ended']);
    expect(tasks.hear(0, ended)).toEqual([]);
    expect(tasks.settle([0], { detail: 'x' })).toEqual([]);
    expect(tasks.settle([1], { detail: 'gone', exitKind: 'evicted' })).toEqual([
      { kind: 'gone', runId: 'run-1', attempts: names(2, 3), detail: 'gone', exitKind: 'evicted' }
    ]);
    expect(tasks.open).toBe(0);
  });

  test('that the cluster began again go on under the new number', () => {
    const tasks = make();
    tasks.hear(0, journal({ index: 0, attempt: 1, startedAt: at }));
    const again = tasks.hear(0, journal({ index: 0, attempt: 3, startedAt: at }));
    expect(again).toMatchObject([
      { kind: 'replaced', attempt: 1, by: 3 },
      { kind: 'started', attempt: 3 }
    ]);
    // The pod that was thought dead speaks again.
    expect(tasks.hear(0, journal({ index: 0, attempt: 1, report: report(0, 1) }))).toEqual([]);
    expect(tasks.settle([0], { detail: 'x' })).toMatchObject([
      {
        attempts: [
          { index: 0, attempt: 3 },
          { index: 1, attempt: 1 }
        ]
      }
    ]);
  });

  test('a pod speaks for its own only, and only what can be believed', () => {
    const tasks = make();
    for (const entry of [
      { index: 2, attempt: 1, report: report(2, 1) },
      { index: 0, attempt: 1, report: report(1, 1) },
      { index: 0, attempt: 1, report: report(0, 2) },
      { index: 0, attempt: 1, report: report(0, 1, { runId: 'run-2' }) },
      {
        index: 0,
        attempt: 1,
        report: report(0, 1, { objects: [{ path: '../x', digest: 'sha256:0', mediaType: 'a' }] })
      },
      { index: 0, attempt: 1, report: report(0, 1, { state: 'stopped', exitKind: 'stopped' }) },
      { index: 0, attempt: 0, startedAt: at },
      { index: 0, attempt: 1, startedAt: 'never' },
      { index: 0, attempt: 1, progress: 7 }
    ]) {
      expect(tasks.hear(0, journal(entry))).toEqual([]);
    }
    const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));
    const said = { version: 1, runId: 'run-1', wave: 1, pack: 0, pod: 'p', tasks: [{ index: 0, attempt: 'x' }] };
    expect(parseJournal(bytes(said), 'run-1', 1, 0)?.tasks).toEqual([]);
    expect(parseJournal(bytes({ ...said, runId: 'run-2' }), 'run-1', 1, 0)).toBeUndefined();
    expect(parseJournal(bytes({ ...said, pack: 1 }), 'run-1', 1, 0)).toBeUndefined();
    expect(parseJournal(bytes({ ...said, tasks: [null] }), 'run-1', 1, 0)).toBeUndefined();
    expect(parseJournal(Buffer.from('{"run'), 'run-1', 1, 0)).toBeUndefined();
  });

  test('after a restart are waited for by the numbers that the server knows', () => {
    const tasks = make();
    const known = [
      { index: 0, attempt: 2 },
      { index: 3, attempt: 1 },
      { index: 9, attempt: 1 }
    ];
    expect(tasks.adopt(known)).toEqual([
      { index: 0, attempt: 2 },
      { index: 3, attempt: 1 }
    ]);
    expect(tasks.open).toBe(2);
    expect(tasks.hear(0, journal({ index: 1, attempt: 1, report: report(1, 1) }))).toEqual([]);
  });

  test.each<[string | undefined, number[]]>([
    [undefined, []],
    ['', []],
    ['0-2,5,7-8', [0, 1, 2, 5, 7, 8]]
  ])('indexes %s', (text, indexes) => expect(parseIndexes(text)).toEqual(indexes));
});

test('what a run reads is named by folder: that of a dataset or run, and of other buckets what holds it all', () => {
  const inputs = inputsOf([
    { key: 'datasets/ds-1/objects/a' },
    { key: 'datasets/ds-1/objects/b/c' },
    { key: 'runs/run-2/attempts/0/1/out/x' },
    { bucket: 'lab', key: 'scans/2026/a/1.nii' },
    { bucket: 'lab', key: 'scans/2026/ab/2.nii' },
    {}
  ]);
  const expected = {
    prefixes: [
      { bucket: undefined, prefix: 'datasets/ds-1/' },
      { bucket: undefined, prefix: 'runs/run-2/' },
      { bucket: 'lab', prefix: 'scans/2026/' }
    ]
  };
  expect(inputs).toEqual(expected);
  expect(joinInputs([inputs, inputs])).toEqual(expected);
});
