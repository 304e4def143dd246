import type { ExitKind, Resources } from '@labscale/schema';

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
  cpuSeconds: number;
  peakMemoryBytes: number;
  metrics: Record<string, number>;
  logSizeBytes: number;
  objects: { path: string; sizeBytes: number; digest: string; mediaType: string }[];
}

export interface TaskOrder {
  index: number;
  attempt: number;
  parameterSetVersionId: string;
  resources: Resources;
  shard: {
    key: string;
    entities: Record<string, string>;
    metadata: Record<string, string | number | boolean>;
    digest: string;
    objects: { path: string; sizeBytes: number; digest: string; file?: string; key?: string; modifiedNs?: string }[];
  };
}

export interface RunOrder {
  runId: string;
  /** Interpreter that runs the analysis; null where the program of a command is started as it is. */
  interpreter: string | null;
}

export type RunnerEvent =
  | { kind: 'started'; runId: string; index: number; attempt: number; at: string; workerId: string }
  | { kind: 'progress'; runId: string; index: number; attempt: number; progress: number }
  | { kind: 'ended'; runId: string; index: number; attempt: number; report: AttemptReport }
  /** A worker has gone; what it had and did not report is to be decided by reconcile. */
  | { kind: 'worker-gone'; runId: string; workerId: string; detail: string };

/** What runs attempts. Everything it is told may be told again: it acts once. */
export interface Runner {
  /** Tasks of a run that it may be given now beyond those it has; 0 makes the caller wait for an event. */
  room(order: RunOrder, resources: Resources): number;
  submit(order: RunOrder, tasks: readonly TaskOrder[]): Promise<void>;
  /** Ends every process of a run's attempts, or of those named; resolves when they are gone. */
  stop(runId: string, attempts?: readonly { index: number; attempt: number }[]): Promise<void>;
  /** Nothing more comes for this run: idle workers may go. */
  finish(runId: string): Promise<void>;
  /** Attempts that some living process of this run still works at, those of a worker of an earlier server included. */
  alive(runId: string): Promise<readonly { index: number; attempt: number }[]>;
  onEvent(listener: (event: RunnerEvent) => void): void;
  /** Lets go of the workers, which finish what they do; nothing is ended. */
  close(): Promise<void>;
}
