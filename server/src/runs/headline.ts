import type { RunState, TaskCounts } from '@labscale/schema';
import { hasEnded } from './run-states.js';

export interface HeadlineFacts {
  state: RunState;
  counts: TaskCounts;
  taskCount: number;
  remainingSeconds: number | null;
  /** What the runner waits for, where tasks wait and none runs. */
  waitingFor: string | undefined;
  /** Why it cannot go on just now. */
  trouble: string | undefined;
  failure: string | null;
}

/** Where a run stands, in plain words. */
export function headline(facts: HeadlineFacts): string {
  const stands = standing(facts);
  // The step that ends a run tells of its end before the trouble of the steps before it is forgotten.
  return facts.trouble === undefined || hasEnded(facts.state)
    ? stands
    : `${stands.replace(/\.$/, '')}. It goes on once this is mended: ${facts.trouble}`;
}

function standing(facts: HeadlineFacts): string {
  const { state, counts, taskCount } = facts;
  const done = counts.succeeded + counts.reused;
  const failed = counts.failed > 0 ? `, ${tasks(counts.failed)} failed` : '';
  const reused = counts.reused > 0 ? ` (${counts.reused.toLocaleString('en')} reused)` : '';
  switch (state) {
    case 'starting':
      return `Starting ${tasks(taskCount - counts.reused)}${reused}`;
    case 'running': {
      if (counts.running === 0 && counts.waiting > 0 && facts.waitingFor !== undefined) {
        return `${facts.waitingFor} ${of(done, taskCount)} done${failed}`;
      }
      const left = facts.remainingSeconds === null ? '' : `, about ${duration(facts.remainingSeconds)} left`;
      return `Running ${counts.running.toLocaleString('en')}; ${of(done, taskCount)} done${reused}${failed}${left}`;
    }
    case 'awaiting-release':
      return `The trial has ended: ${tasks(counts.succeeded)} succeeded${failed}. Release the other ${counts.held.toLocaleString('en')}, or stop.`;
    case 'publishing':
      return `Publishing ${derivatives(done)}`;
    case 'stopping':
      return `Stopping; ${counts.running.toLocaleString('en')} still running`;
    case 'succeeded':
      return counts.failed > 0
        ? `Published ${derivatives(done)}${reused}; ${tasks(counts.failed)} failed`
        : `Published ${derivatives(done)}${reused}`;
    case 'failed':
      return (
        facts.failure ??
        `${of(counts.failed, taskCount)} failed; nothing is published. Retry what failed${done > 0 ? ', or publish what succeeded' : ''}.`
      );
    case 'stopped':
      return `Stopped; ${of(done, taskCount)} were done, nothing is published`;
  }
}

function of(part: number, whole: number): string {
  return `${part.toLocaleString('en')} of ${tasks(whole)}`;
}

function tasks(count: number): string {
  return count === 1 ? '1 task' : `${count.toLocaleString('en')} tasks`;
}

function derivatives(count: number): string {
  return count === 1 ? '1 derivative' : `${count.toLocaleString('en')} derivatives`;
}

function duration(seconds: number): string {
  if (seconds < 90) return plural(Math.max(1, Math.round(seconds)), 'second');
  if (seconds < 5_400) return plural(Math.round(seconds / 60), 'minute');
  if (seconds < 129_600) return plural(Math.round(seconds / 3_600), 'hour');
  return plural(Math.round(seconds / 86_400), 'day');
}

function plural(count: number, unit: string): string {
  return count === 1 ? `1 ${unit}` : `${count} ${unit}s`;
}
