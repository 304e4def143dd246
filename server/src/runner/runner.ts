import type { ExitKind, Resources } from '@labscale/schema';
import type { Capacity } from './fair-share.js';

/** What an attempt said of itself at its end; report.json of ARCHITECTURE.md. */
export interface AttemptReport {
  version: 1;
  runId: string;
  index: number;
  attempt: number;
  shardKey: string;
  parameterSetVersionId: string;
  state: 'succeeded' | 'failed' | 'stopped';
  claimed: boolean;
  exitKind: ExitKind;
  reason: string | null;
  failureText: string | null;
  exitCode: number | null;
  startedAt: string;
  finishedAt: string;
  durationSeconds: number;
  cpuSeconds: number | null;
  peakMemoryBytes: number | null;
  metrics: Record<string, number>;
  logSizeBytes: number;
  objects: { path: string; sizeBytes: number; digest: string; mediaType: string }[];
}

export interface AttemptName {
  index: number;
  attempt: number;
}

export interface TaskOrder extends AttemptName {
  parameterSetVersionId: string;
  resources: Resources;
  shard: {
    key: string;
    entities: Record<string, string>;
    metadata: Record<string, string | number | boolean>;
    digest: string;
    objects: {
      path: string;
      sizeBytes: number;
      digest: string;
      file?: string;
      key?: string;
      /** Where it is not that of the object store. */
      bucket?: string;
      modifiedNs?: string;
    }[];
  };
}

export interface RunOrder {
  runId: string;
  /** For the people who wait behind it. */
  name: string;
  /** Interpreter of the worker: that of the notebook's kernel, or Jupyter's for a command; that in `image` where there is one. */
  interpreter: string;
  /** What it runs in; null where that is this machine, or where the plan says it. */
  image: string | null;
  /** What most of its tasks ask for; says how many fit at once. */
  resources: Resources;
  /** Tasks still to run: no more places than that are of use. */
  tasks: number;
  /** Seconds that a task of it took so far; null while none has ended. Short tasks are queued further ahead. */
  secondsPerTask: number | null;
  /** Tasks that one pod is to do, where somebody chose. */
  shardsPerPod: number | null;
}

export type RunnerEvent =
  | { kind: 'started'; runId: string; index: number; attempt: number; at: string; workerId: string }
  | { kind: 'progress'; runId: string; index: number; attempt: number; progress: number }
  /** A hint: what decides is in the object store. */
  | { kind: 'ended'; runId: string; index: number; attempt: number; report: AttemptReport }
  /**
   * These attempts were given to something that has gone; the store says whether they ended before. `final`: others would
   * end the same way.
   */
  | { kind: 'gone'; runId: string; attempts: AttemptName[]; detail: string; exitKind?: ExitKind; final?: boolean }
  /** The cluster has begun an attempt of the task by itself, `by` its number, in place of one that was lost. */
  | { kind: 'replaced'; runId: string; index: number; attempt: number; by: number; detail: string; exitKind: ExitKind }
  /** `room` or `waitingFor` answers otherwise than before. */
  | { kind: 'changed'; runId: string }
  /** Its worker does not even start: nothing of the run can go on. */
  | { kind: 'unusable'; runId: string; detail: string };

/** What runs attempts. Everything it is told may be told again: it acts once. */
export interface Runner {
  /** The most that one task may ask for. */
  readonly largestTask: Capacity & { gpus: number };
  /** How many tasks that ask for so much it can run at once. */
  places(task: Capacity): number;
  /** How many more tasks of a run it is worth submitting now, so that nothing waits for the next commit. */
  room(order: RunOrder): number;
  /** Takes tasks whose intent is committed; `more`: others follow at once, which may go with them. */
  submit(order: RunOrder, tasks: readonly TaskOrder[], more?: boolean): void;
  /**
   * After a restart of the server: takes over those of the attempts that a living worker still works at, whose ends are then
   * told as events, and ends what is left of the others. Returns the ones taken over.
   */
  adopt(order: RunOrder, attempts: readonly (AttemptName & { resources: Resources })[]): Promise<AttemptName[]>;
  /** Ends every process of a run's attempts, or of those named; resolves when they are gone. */
  stop(runId: string, attempts?: readonly AttemptName[]): Promise<void>;
  /** Nothing more comes for this run for now: what is kept ready for it may go. Resolves when that was seen to. */
  finish(runId: string): Promise<void>;
  /** Why tasks of this run wait, in plain words; undefined where nothing keeps them. */
  waitingFor(order: RunOrder): string | undefined;
  onEvent(listener: (event: RunnerEvent) => void): void;
  /** Lets go of the workers, which finish what they do; nothing is ended. */
  close(): Promise<void>;
}
