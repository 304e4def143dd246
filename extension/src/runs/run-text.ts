import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run, TaskCounts, TaskState } from '@labscale/schema';
import { formatCount } from '../ui/format-count';
import { settledCount, taskTotal } from './task-states';

export function taskStateText(state: TaskState, trans: TranslationBundle): string {
  const texts: Record<TaskState, string> = {
    held: trans.__('held back'),
    waiting: trans.__('waiting'),
    running: trans.__('running'),
    succeeded: trans.__('succeeded'),
    reused: trans.__('reused'),
    failed: trans.__('failed'),
    stopped: trans.__('stopped')
  };
  return texts[state];
}

export function runStateText(state: Run['state'], trans: TranslationBundle): string {
  const texts: Record<Run['state'], string> = {
    starting: trans.__('starting'),
    running: trans.__('running'),
    'awaiting-release': trans.__('waiting for release'),
    publishing: trans.__('publishing'),
    stopping: trans.__('stopping'),
    succeeded: trans.__('succeeded'),
    failed: trans.__('failed'),
    stopped: trans.__('stopped')
  };
  return texts[state];
}

/** Counts that are not zero, as `640 done, 560 reused, 2 failed, 8 running`. */
export function countsText(counts: TaskCounts, trans: TranslationBundle): string {
  const parts: [number, string][] = [
    [counts.succeeded, trans.__('done')],
    [counts.reused, trans.__('reused')],
    [counts.failed, trans.__('failed')],
    [counts.running, trans.__('running')],
    [counts.waiting, trans.__('waiting')],
    [counts.held, trans.__('held back')],
    [counts.stopped, trans.__('stopped')]
  ];
  return parts.flatMap(([count, label]) => (count > 0 ? [`${formatCount(count)} ${label}`] : [])).join(', ');
}

/** Part of the tasks that are settled, 0 to 1. */
export function settledPart(counts: TaskCounts): number {
  const total = taskTotal(counts);
  return total === 0 ? 0 : settledCount(counts) / total;
}

/** What a run can be told to do in its present state. */
export interface IRunAbilities {
  stop: boolean;
  retry: boolean;
  release: boolean;
  publish: boolean;
}

export function runAbilities(run: Pick<Run, 'state' | 'counts' | 'trial' | 'derivatives'>): IRunAbilities {
  const { state, counts } = run;
  const going = state === 'running' || state === 'awaiting-release';
  return {
    stop: going || state === 'starting',
    retry: counts.failed > 0 && run.derivatives === null && (going || state === 'failed'),
    release: counts.held > 0 && run.trial?.released === false && state === 'awaiting-release',
    publish: state === 'failed' && run.derivatives === null && counts.succeeded + counts.reused > 0
  };
}
