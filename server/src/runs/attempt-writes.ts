import type { TaskState } from '@labscale/schema';
import type { Writing } from '../metadata/database.js';
import type { Tables } from '../metadata/tables.js';
import type { AttemptName, AttemptReport } from '../runner/runner.js';
import { failureGroupOf, readableFailure } from './failure-groups.js';
import type { Flight, LiveRun } from './live-run.js';
import { lossesAfter, type Action, type Loss } from './reconcile.js';
import type { OrderedTask, RunOrders } from './run-orders.js';
import { StateMoved, type RunWrites, type TaskEnd } from './run-writes.js';

/** What is done about one attempt, and with it about its task. */
export type AttemptAction = Exclude<Action, { kind: 'run' | 'publish' }>;

/** What the task is after that. */
export const taskStateAfter = {
  succeed: 'succeeded',
  retry: 'waiting',
  fail: 'failed',
  lose: 'waiting',
  'give-up': 'failed',
  stop: 'stopped'
} as const satisfies Record<AttemptAction['kind'], TaskState>;

/** A flight that ends because attempt `by` of its task has begun. */
export interface Replaced {
  flight: Flight;
  by: number;
  loss: Loss;
}

const unmeasured = { exitCode: null, durationSeconds: null, cpuSeconds: null, peakMemoryBytes: null };

/** Writes the rows of attempts and of their tasks: the intent of one to come, and the end that was decided for one. */
export class AttemptWrites {
  constructor(
    private readonly writes: RunWrites,
    private readonly orders: RunOrders
  ) {}

  /** The intent of the next attempts of tasks; their orders are for the runner once that is committed. */
  async order(writing: Writing, live: LiveRun, indexes: readonly number[], now: Date): Promise<OrderedTask[]> {
    if (indexes.length === 0) return [];
    const ordered = await this.orders.next(writing, live.facts, indexes);
    const attempts = ordered.map(({ order }) => newAttempt(live, order, now));
    await this.writes.insertAttempts(writing, attempts);
    return ordered;
  }

  /** The cluster has begun attempts of its own in place of those that it lost: these are closed, the tasks go on. */
  async replace(writing: Writing, live: LiveRun, replaced: readonly Replaced[], now: Date): Promise<void> {
    for (const { flight, by, loss } of replaced) {
      const { exitKind, detail } = loss;
      await this.writes.endAttempt(writing, 'lost', {
        ...{ runId: live.id, taskIndex: flight.index, number: flight.attempt, published: 0 },
        ...{ ...unmeasured, finishedAt: now.toISOString(), exitKind, reason: inOneLine(detail) }
      });
      await this.writes.setLosses(writing, live.id, flight.index, lossesAfter(flight.losses, loss));
      await this.writes.insertAttempts(writing, [newAttempt(live, { index: flight.index, attempt: by }, now)]);
    }
  }

  /** The end of an attempt, and what that makes of its task. */
  async end(writing: Writing, live: LiveRun, action: AttemptAction, now: Date): Promise<void> {
    const runId = live.id;
    const { index, attempt } = action;
    const flight = live.flights.get(index);
    if (flight === undefined) throw new StateMoved(`task ${index} of ${runId} has no open attempt`);
    const finishedAt = now.toISOString();
    const task: TaskEnd = {
      ...{ runId, index, failureGroup: null, failureText: null, notBefore: null, metricsJson: '{}' },
      ...{ exitKind: null, reason: null, durationSeconds: null, cpuSeconds: null, peakMemoryBytes: null },
      ...{ failures: flight.failures, losses: flight.losses, startedAt: flight.startedAt, finishedAt }
    };
    const closing = {
      runId,
      taskIndex: index,
      number: attempt,
      published: 0,
      finishedAt,
      reason: null,
      exitKind: null
    };
    switch (action.kind) {
      case 'succeed': {
        const { claim, closes } = action;
        // A cluster may have begun it by itself while this server was away.
        if (claim.attempt > attempt) {
          const unknown = newAttempt(live, claim, new Date(claim.startedAt));
          await this.writes.insertAttempts(writing, [unknown], true);
        }
        await this.writes.endTask(writing, 'succeeded', {
          ...task,
          ...measured(claim),
          startedAt: claim.startedAt,
          exitKind: 'succeeded',
          metricsJson: JSON.stringify(claim.metrics)
        });
        await this.writes.endAttempt(writing, 'succeeded', {
          ...closing,
          ...measured(claim),
          number: claim.attempt,
          exitKind: 'succeeded',
          exitCode: claim.exitCode,
          published: 1
        });
        if (claim.attempt === attempt) return;
        if (closes === undefined) {
          await this.writes.endAttempt(writing, 'lost', {
            ...closing,
            ...unmeasured,
            reason: `Attempt ${claim.attempt} had succeeded.`
          });
        } else {
          const { exitKind, exitCode, reason } = closes;
          await this.writes.endAttempt(writing, closes.state, {
            ...closing,
            ...measured(closes),
            exitKind,
            exitCode,
            reason: reason === null ? null : inOneLine(reason)
          });
        }
        return;
      }
      case 'retry':
      case 'fail': {
        const { report } = action;
        const { exitKind, exitCode } = report;
        const reason = report.reason === null ? 'It failed.' : inOneLine(report.reason);
        await this.writes.endAttempt(writing, 'failed', {
          ...closing,
          ...measured(report),
          exitKind,
          exitCode,
          reason
        });
        const failureText = readableFailure(report.failureText ?? reason);
        const failed = {
          ...task,
          ...measured(report),
          startedAt: report.startedAt,
          exitKind,
          failures: flight.failures + 1,
          metricsJson: JSON.stringify(report.metrics)
        };
        if (action.kind === 'retry') {
          await this.writes.endTask(writing, 'waiting', {
            ...failed,
            reason: `Attempt ${attempt} failed: ${reason}`,
            notBefore: action.notBefore
          });
        } else {
          const failureGroup = failureGroupOf(exitKind, failureText, report.shardKey);
          await this.writes.endTask(writing, 'failed', { ...failed, reason, failureGroup, failureText });
        }
        return;
      }
      case 'lose':
      case 'give-up': {
        const { exitKind } = action;
        const lost = inOneLine(action.reason);
        const losses = flight.losses + 1;
        await this.writes.endAttempt(writing, 'lost', {
          ...closing,
          ...unmeasured,
          exitKind,
          reason: lost
        });
        if (action.kind === 'lose') {
          await this.writes.endTask(writing, 'waiting', { ...task, losses, startedAt: null, finishedAt: null });
        } else {
          const reason = losses === 1 ? lost : `Each of its last ${losses} attempts was lost: ${lost}`;
          await this.writes.endTask(writing, 'failed', {
            ...task,
            losses,
            exitKind,
            reason,
            failureGroup: failureGroupOf(exitKind, reason, undefined),
            failureText: reason
          });
        }
        return;
      }
      case 'stop': {
        const stopped = { exitKind: 'stopped', reason: 'The run was stopped.' } as const;
        await this.writes.endAttempt(writing, 'stopped', { ...closing, ...unmeasured, ...stopped });
        await this.writes.endTask(writing, 'stopped', { ...task, ...stopped });
      }
    }
  }
}

function newAttempt(live: LiveRun, { index, attempt }: AttemptName, startedAt: Date): Tables['attempt'] {
  return {
    runId: live.id,
    taskIndex: index,
    number: attempt,
    owner: live.facts.owner,
    state: 'running',
    workerId: null,
    exitKind: null,
    reason: null,
    exitCode: null,
    startedAt: startedAt.toISOString(),
    finishedAt: null,
    durationSeconds: null,
    cpuSeconds: null,
    peakMemoryBytes: null,
    published: 0
  };
}

function measured(report: AttemptReport) {
  const { finishedAt, durationSeconds, cpuSeconds, peakMemoryBytes } = report;
  return { finishedAt, durationSeconds, cpuSeconds, peakMemoryBytes };
}

/** One line that a person can read. */
function inOneLine(reason: string): string {
  return readableFailure(reason).replace(/\s+/g, ' ').trim().slice(0, 2_000);
}
