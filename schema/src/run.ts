import { Type, type Static } from 'typebox';
import { noun, nullable, strict } from './noun.js';
import { Digest, Entities, Filter, Id, Metrics, Name, ShardKey, SizeBytes, Time, UserName } from './primitives.js';
import { Resources } from './analysis.js';

export const runStates = [
  'starting',
  'running',
  'awaiting-release',
  'publishing',
  'stopping',
  'succeeded',
  'failed',
  'stopped'
] as const;
export type RunState = (typeof runStates)[number];
export const taskStates = ['held', 'waiting', 'running', 'succeeded', 'reused', 'failed', 'stopped'] as const;
export type TaskState = (typeof taskStates)[number];
/** One character a state, for the compact state string of a run: held, waiting, running (active), succeeded, reused, failed, stopped. */
export const taskStateCodes = {
  held: 'h',
  waiting: 'w',
  running: 'a',
  succeeded: 's',
  reused: 'r',
  failed: 'f',
  stopped: 'x'
} as const satisfies Record<TaskState, string>;
export const attemptStates = ['running', 'succeeded', 'failed', 'stopped', 'lost'] as const;
export type AttemptState = (typeof attemptStates)[number];
export const exitKinds = [
  'succeeded',
  'exit-code',
  'exception',
  'signal',
  'out-of-memory',
  'time-limit',
  'kernel-died',
  'kernel-missing',
  'output-missing',
  'output-empty',
  'output-unusable',
  'shard-changed',
  'shard-missing',
  'parameters-unusable',
  'disk-full',
  'store-unavailable',
  'worker-lost',
  'evicted',
  'deadline',
  'image-missing',
  'node-lost',
  'stopped'
] as const;
export type ExitKind = (typeof exitKinds)[number];

export const runnerKinds = ['local', 'kubernetes'] as const;
export type RunnerKind = (typeof runnerKinds)[number];

const ShardsPerPod = Type.Integer({
  minimum: 1,
  maximum: 1_000,
  description: "Tasks that one pod does one after another; where it is left out, it follows from the trial's timing."
});

const TaskCount = Type.Integer({ minimum: 0 });
export const TaskCounts = strict({
  held: TaskCount,
  waiting: TaskCount,
  running: TaskCount,
  succeeded: TaskCount,
  reused: TaskCount,
  failed: TaskCount,
  stopped: TaskCount
});
export type TaskCounts = Static<typeof TaskCounts>;

export const Promotion = noun(
  'Promotion',
  'What is to be run: an analysis, sets and a selection of a dataset version.',
  strict({
    analysisVersionId: Id,
    parameterSetVersionIds: Type.Array(Id, { minItems: 1, maxItems: 1_000, uniqueItems: true }),
    datasetVersionId: Id,
    filter: Type.Optional(Filter),
    trial: Type.Optional(
      strict({
        count: Type.Integer({ minimum: 1, maximum: 100_000 }),
        order: Type.Enum(['random', 'largest', 'first'] as const)
      })
    ),
    resources: Type.Optional(Type.Partial(Resources, { additionalProperties: false })),
    reuse: Type.Optional(
      Type.Boolean({ description: 'False runs every task even where its derivative exists. Default true.' })
    ),
    shardsPerPod: Type.Optional(ShardsPerPod)
  })
);
export type Promotion = Static<typeof Promotion>;

export const missReasons = [
  'new-shard',
  'shard-changed',
  'parameters-changed',
  'analysis-changed',
  'environment-changed',
  'never-run',
  'not-published',
  'reuse-off'
] as const;
export const Plan = noun(
  'Plan',
  'What a promotion would do; nothing has started.',
  strict({
    shards: Type.Integer({ minimum: 0, description: 'Shards that the selection matches.' }),
    tasks: Type.Integer({ minimum: 0 }),
    reused: Type.Integer({ minimum: 0 }),
    toRun: Type.Integer({ minimum: 0 }),
    inputBytes: SizeBytes,
    misses: Type.Array(
      strict({
        reason: Type.Enum(missReasons),
        count: Type.Integer({ minimum: 1 }),
        exampleShardKey: ShardKey,
        explanation: Type.String({ description: 'In plain words, as `sigma was 2, is 3`.' })
      })
    ),
    estimate: nullable(
      strict({
        seconds: Type.Number({ minimum: 0, description: 'Wall clock for what is to run.' }),
        secondsPerTask: Type.Number({ minimum: 0 }),
        parallel: Type.Integer({ minimum: 1 }),
        basis: Type.Enum(['earlier-runs', 'trial', 'snippet'] as const)
      })
    ),
    resources: Resources,
    environmentDigest: Digest,
    runner: Type.Enum(runnerKinds),
    shardsPerPod: nullable(ShardsPerPod)
  })
);
export type Plan = Static<typeof Plan>;

export const Run = noun(
  'Run',
  'An analysis version over parameter sets and a dataset version; one task per shard and set.',
  strict({
    id: Id,
    name: Name,
    owner: UserName,
    state: Type.Enum(runStates),
    headline: Type.String({ description: 'Where it stands, in plain words.' }),
    analysis: strict({ id: Id, versionId: Id, name: Name, number: Type.Integer({ minimum: 1 }) }),
    parameterSets: Type.Array(strict({ id: Id, versionId: Id, name: Name, number: Type.Integer({ minimum: 1 }) })),
    dataset: strict({ id: Id, versionId: Id, name: Name, number: Type.Integer({ minimum: 1 }) }),
    filter: Filter,
    trial: nullable(strict({ count: Type.Integer({ minimum: 1 }), released: Type.Boolean() })),
    resources: Resources,
    shardsPerPod: nullable(ShardsPerPod),
    environmentDigest: Digest,
    taskCount: Type.Integer({ minimum: 1 }),
    counts: TaskCounts,
    remainingSeconds: nullable(Type.Number({ minimum: 0 })),
    derivatives: nullable(strict({ datasetId: Id, datasetVersionId: Id, shardCount: Type.Integer({ minimum: 0 }) })),
    failure: nullable(
      Type.String({ description: "Why the run itself failed, where that is not the tasks' own failures." })
    ),
    createdAt: Time,
    startedAt: nullable(Time),
    finishedAt: nullable(Time)
  })
);
export type Run = Static<typeof Run>;

export const Task = noun(
  'Task',
  'The work of a run on one shard with one parameter set.',
  strict({
    runId: Id,
    index: Type.Integer({ minimum: 0 }),
    shardKey: ShardKey,
    shardIndex: Type.Integer({ minimum: 0 }),
    entities: Entities,
    parameterSetVersionId: Id,
    state: Type.Enum(taskStates),
    derivativeKey: Digest,
    reusedFrom: nullable(strict({ runId: Id, taskIndex: Type.Integer({ minimum: 0 }) })),
    attempts: Type.Integer({ minimum: 0 }),
    progress: nullable(Type.Number({ minimum: 0, maximum: 1 })),
    metrics: Metrics,
    exitKind: nullable(Type.Enum(exitKinds)),
    reason: nullable(Type.String({ description: 'Why it failed or waits, in plain words.' })),
    failureGroup: nullable(Type.String({ description: 'Digest of the normalised failure; equal for like failures.' })),
    notBefore: nullable(Time),
    startedAt: nullable(Time),
    finishedAt: nullable(Time),
    durationSeconds: nullable(Type.Number({ minimum: 0 })),
    cpuSeconds: nullable(Type.Number({ minimum: 0 })),
    peakMemoryBytes: nullable(SizeBytes)
  })
);
export type Task = Static<typeof Task>;

export const Attempt = noun(
  'Attempt',
  'One try at a task; its log and report are kept.',
  strict({
    runId: Id,
    taskIndex: Type.Integer({ minimum: 0 }),
    number: Type.Integer({ minimum: 1 }),
    state: Type.Enum(attemptStates),
    exitKind: nullable(Type.Enum(exitKinds)),
    reason: nullable(Type.String()),
    exitCode: nullable(Type.Integer()),
    startedAt: Time,
    finishedAt: nullable(Time),
    durationSeconds: nullable(Type.Number({ minimum: 0 })),
    cpuSeconds: nullable(Type.Number({ minimum: 0 })),
    peakMemoryBytes: nullable(SizeBytes),
    published: Type.Boolean({ description: 'True for the attempt that won the claim of its task.' })
  })
);
export type Attempt = Static<typeof Attempt>;

export const TaskStateString = strict({
  runId: Id,
  states: Type.String({ description: 'One character per task in index order; see `codes`.' }),
  codes: Type.Record(Type.Enum(taskStates), Type.String()),
  eventId: Type.String({ description: 'Events after this one bring it up to date.' })
});

export const TaskColumns = strict({
  runId: Id,
  index: Type.Array(Type.Integer()),
  shardKey: Type.Array(Type.String()),
  parameterSetVersionId: Type.Array(Type.String()),
  state: Type.Array(Type.Enum(taskStates)),
  durationSeconds: Type.Array(nullable(Type.Number())),
  entities: Type.Record(Type.String(), Type.Array(nullable(Type.String()))),
  metrics: Type.Record(Type.String(), Type.Array(nullable(Type.Number())))
});
export type TaskColumns = Static<typeof TaskColumns>;

export const FailureGroup = strict({
  id: Type.String({ description: 'As `failureGroup` of its tasks.' }),
  exitKind: Type.Enum(exitKinds),
  title: Type.String({ description: 'Last line of the normalised failure.' }),
  text: Type.String({ description: 'The failure of the first task, colour codes removed, at most 8 KiB.' }),
  count: Type.Integer({ minimum: 1 }),
  firstAt: Time,
  firstTaskIndex: Type.Integer({ minimum: 0 }),
  taskIndexes: Type.Array(Type.Integer({ minimum: 0 }), { description: 'At most the first 1,000.' })
});
export type FailureGroup = Static<typeof FailureGroup>;

export const LogPart = strict({
  text: Type.String(),
  nextOffset: Type.Integer({ minimum: 0, description: 'Bytes; pass as `offset` to go on.' }),
  sizeBytes: SizeBytes,
  ended: Type.Boolean({ description: 'True when nothing more will be written.' })
});
export type LogPart = Static<typeof LogPart>;

export const LogMatch = strict({
  taskIndex: Type.Integer({ minimum: 0 }),
  shardKey: ShardKey,
  attempt: Type.Integer({ minimum: 1 }),
  lineNumber: Type.Integer({ minimum: 1 }),
  line: Type.String()
});

export const Derivative = noun(
  'Derivative',
  'What a task published.',
  strict({
    runId: Id,
    taskIndex: Type.Integer({ minimum: 0 }),
    attempt: Type.Integer({ minimum: 1 }),
    shardKey: ShardKey,
    parameterSetVersionId: Id,
    derivativeKey: Digest,
    objects: Type.Array(
      strict({ path: Type.String(), sizeBytes: SizeBytes, digest: Digest, mediaType: Type.String() })
    ),
    metrics: Metrics,
    reusedFrom: nullable(strict({ runId: Id, taskIndex: Type.Integer({ minimum: 0 }) }))
  })
);
export type Derivative = Static<typeof Derivative>;
