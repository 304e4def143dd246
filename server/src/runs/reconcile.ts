import type { ExitKind, Resources, RunState, TaskCounts, TaskState } from '@labscale/schema';
import type { AttemptName, AttemptReport } from '../runner/runner.js';

/** Attempts that may vanish with their worker before the task itself is held to be the cause. */
export const lostAttemptsAllowed = 3;

/** Failures that another try cannot mend. */
const finalExitKinds: ReadonlySet<string> = new Set([
  'shard-changed',
  'shard-missing',
  'parameters-unusable',
  'kernel-missing'
]);

/** What the database says: the truth about intent. */
export interface DatabaseFacts {
  run: { state: RunState; publishPartial: boolean; counts: TaskCounts };
  /** Attempts that were ordered and whose end is not written. */
  open: readonly OpenAttempt[];
}

export interface OpenAttempt extends AttemptName {
  taskState: TaskState;
  /** Attempts of the task that failed since it was last asked for. */
  failures: number;
  /** Attempts of the task that vanished since then. */
  losses: number;
  resources: Resources;
}

/** What the runner says: the truth about processes. Attempts that are not among `open` play no part. */
export interface RunnerFacts {
  /** Attempts that something still works at. */
  alive: ReadonlySet<string>;
  /** Ends that were reported; hints. */
  reports: ReadonlyMap<string, AttemptReport>;
  /** Why attempts that are not alive went, where it is known. */
  gone: ReadonlyMap<string, Loss>;
}

/** Why an attempt went without saying how it ended. */
export interface Loss {
  detail: string;
  exitKind: ExitKind;
  /** Whatever comes after it would go the same way. */
  final?: boolean;
}

/** What befalls an attempt without saying anything of its task. */
const chances: ReadonlySet<ExitKind> = new Set(['evicted', 'node-lost']);

/** How many losses of a task count when the cluster has begun it again by itself. */
export function lossesAfter(losses: number, { exitKind }: Loss): number {
  return chances.has(exitKind) ? losses : losses + 1;
}

/** What the store says of the open attempts that are not alive: the truth about outcomes. */
export interface StoreFacts {
  claims: ReadonlyMap<number, AttemptReport>;
  reports: ReadonlyMap<string, AttemptReport>;
}

export type Action =
  /** The claim of a task is there: the task has succeeded by the attempt that the claim names. */
  | { kind: 'succeed'; index: number; attempt: number; claim: AttemptReport; closes: AttemptReport | undefined }
  | { kind: 'retry'; index: number; attempt: number; report: AttemptReport; notBefore: string | null }
  | { kind: 'fail'; index: number; attempt: number; report: AttemptReport }
  | { kind: 'lose'; index: number; attempt: number; reason: string; exitKind: ExitKind }
  /** It vanished too often to be tried again, or for a reason that stays. */
  | { kind: 'give-up'; index: number; attempt: number; reason: string; exitKind: ExitKind }
  | { kind: 'stop'; index: number; attempt: number }
  | { kind: 'run'; to: 'running' | 'awaiting-release' | 'failed' | 'stopped' }
  | { kind: 'publish' };

export function attemptKey(name: AttemptName): string {
  return `${name.index}/${name.attempt}`;
}

/**
 * Brings database, runner and store together: what is to be done now, tasks first. Pure; the same for a live run, a run
 * after a restart and one taken over from an earlier server. Doing all of it and asking again gives no action on a task.
 */
export function reconcile(database: DatabaseFacts, runner: RunnerFacts, store: StoreFacts, now: Date): Action[] {
  const actions: Action[] = [];
  const counts = { ...database.run.counts };
  const stopping = database.run.state === 'stopping';
  const becomes = (open: OpenAttempt, state: TaskState) => {
    counts[open.taskState] -= 1;
    counts[state] += 1;
  };

  let busy = 0;
  for (const open of database.open) {
    const key = attemptKey(open);
    const claim = store.claims.get(open.index);
    const report = store.reports.get(key) ?? runner.reports.get(key);
    const ended = !runner.alive.has(key) || runner.reports.has(key);
    if (!ended) {
      busy += 1;
      continue;
    }
    const { index, attempt } = open;
    if (claim !== undefined) {
      actions.push({ kind: 'succeed', index, attempt, claim, closes: report });
      becomes(open, 'succeeded');
    } else if (stopping) {
      actions.push({ kind: 'stop', index, attempt });
      becomes(open, 'stopped');
    } else if (report?.state === 'failed' && report.exitKind !== 'worker-lost') {
      const again = !finalExitKinds.has(report.exitKind) && open.failures < open.resources.retries;
      if (again) {
        const waitSeconds = open.resources.backoffSeconds * 2 ** open.failures;
        const notBefore = waitSeconds > 0 ? new Date(now.getTime() + waitSeconds * 1_000).toISOString() : null;
        actions.push({ kind: 'retry', index, attempt, report, notBefore });
        becomes(open, 'waiting');
      } else {
        actions.push({ kind: 'fail', index, attempt, report });
        becomes(open, 'failed');
      }
    } else {
      const loss = runner.gone.get(key);
      const exitKind = loss?.exitKind ?? 'worker-lost';
      const reason =
        loss?.detail ??
        (report?.state === 'succeeded'
          ? 'The attempt said that it succeeded, but its claim is not in the object store.'
          : (report?.reason ?? 'The worker that had it is gone.'));
      if (open.losses < lostAttemptsAllowed && loss?.final !== true) {
        actions.push({ kind: 'lose', index, attempt, reason, exitKind });
        becomes(open, 'waiting');
      } else {
        actions.push({ kind: 'give-up', index, attempt, reason, exitKind });
        becomes(open, 'failed');
      }
    }
  }

  const next = nextOfRun(database.run, counts, busy);
  if (next !== undefined) actions.push(next);
  return actions;
}

function nextOfRun(run: DatabaseFacts['run'], counts: TaskCounts, busy: number): Action | undefined {
  const unfinished = counts.waiting + counts.running;
  switch (run.state) {
    case 'starting':
    case 'running':
      if (unfinished > 0) return run.state === 'starting' ? { kind: 'run', to: 'running' } : undefined;
      if (counts.held > 0)
        return run.state === 'starting' ? { kind: 'run', to: 'running' } : { kind: 'run', to: 'awaiting-release' };
      return counts.failed === 0 || run.publishPartial ? { kind: 'publish' } : { kind: 'run', to: 'failed' };
    case 'publishing':
      return { kind: 'publish' };
    case 'stopping':
      return busy === 0 ? { kind: 'run', to: 'stopped' } : undefined;
    default:
      return undefined;
  }
}
