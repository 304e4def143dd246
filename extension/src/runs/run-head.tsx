import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import { formatAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { formatDuration } from '../ui/format-duration';
import { endedStates } from './run-model';
import { countsText, runAbilities, settledPart, taskStateText } from './run-text';
import { StateMark } from './shard-grid';
import { taskStateList, taskTotal } from './task-states';

export interface IRunActions {
  stop: () => void;
  retry: () => void;
  release: () => void;
  publish: () => void;
  openResults: () => void;
  lineage: () => void;
}

export interface IRunHeadProps {
  run: Run;
  trans: TranslationBundle;
  actions: IRunActions;
  themeChanged: ISignal<unknown, unknown> | null;
}

/** Where the run stands, in plain words, and what can be done about it. */
export function RunHead(props: IRunHeadProps): JSX.Element {
  const { run, trans, actions, themeChanged } = props;
  const can = runAbilities(run);
  const ended = endedStates.has(run.state);
  const facts = [
    run.remainingSeconds !== null && !ended ? trans.__('about %1 to go', formatDuration(run.remainingSeconds)) : null,
    run.startedAt !== null && run.finishedAt !== null
      ? trans.__('took %1', formatDuration((Date.parse(run.finishedAt) - Date.parse(run.startedAt)) / 1_000))
      : null,
    trans.__('started %1', formatAge(run.createdAt)),
    trans.__('by %1', run.owner)
  ].filter((fact) => fact !== null);
  return (
    <header className={`jp-Labscale-RunHead jp-mod-${run.state}`}>
      <div className="jp-Labscale-Document-head">
        <div>
          <h1>{run.name}</h1>
          <div className="jp-Labscale-RunHead-line" role="status">
            {run.headline}
          </div>
          <div className="jp-Labscale-Document-facts">{facts.join(' · ')}</div>
        </div>
        <div className="jp-Labscale-Document-actions">
          {can.release && (
            <button type="button" className="jp-Labscale-Button jp-mod-accept" onClick={actions.release}>
              {trans._n('Release %1 task', 'Release %1 tasks', run.counts.held)}
            </button>
          )}
          {run.derivatives !== null && (
            <button type="button" className="jp-Labscale-Button jp-mod-accept" onClick={actions.openResults}>
              {trans.__('Open results')}
            </button>
          )}
          {can.retry && (
            <button type="button" className="jp-Labscale-Button" onClick={actions.retry}>
              {trans._n('Retry %1 failed…', 'Retry %1 failed…', run.counts.failed)}
            </button>
          )}
          {can.publish && (
            <button type="button" className="jp-Labscale-Button" onClick={actions.publish}>
              {trans.__('Publish what succeeded')}
            </button>
          )}
          {can.stop && (
            <button type="button" className="jp-Labscale-Button" onClick={actions.stop}>
              {trans.__('Stop')}
            </button>
          )}
          <button type="button" className="jp-Labscale-Button" onClick={actions.lineage}>
            {trans.__('Lineage')}
          </button>
        </div>
      </div>
      {run.failure !== null && (
        <div className="jp-Labscale-Notice jp-mod-problem" role="alert">
          <div className="jp-Labscale-Notice-what">{trans.__('The run itself failed')}</div>
          <div className="jp-Labscale-Notice-why">{run.failure}</div>
        </div>
      )}
      <RunProgress run={run} trans={trans} />
      <div className="jp-Labscale-RunHead-legend">
        {taskStateList.map((state) =>
          run.counts[state] > 0 ? (
            <span key={state}>
              <StateMark state={state} themeChanged={themeChanged} />
              {formatCount(run.counts[state])} {taskStateText(state, trans)}
            </span>
          ) : null
        )}
      </div>
    </header>
  );
}

/** One bar with a part for each state. */
export function RunProgress(props: { run: Pick<Run, 'counts'>; trans: TranslationBundle }): JSX.Element {
  const { run, trans } = props;
  const total = Math.max(1, taskTotal(run.counts));
  const parts = (['succeeded', 'reused', 'failed', 'stopped', 'running'] as const).filter(
    (state) => run.counts[state] > 0
  );
  return (
    <div
      className="jp-Labscale-Progress"
      role="progressbar"
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.round(settledPart(run.counts) * 100)}
      aria-valuetext={countsText(run.counts, trans)}
    >
      {parts.map((state) => (
        <div key={state} className={`jp-mod-${state}`} style={{ width: `${(run.counts[state] / total) * 100}%` }} />
      ))}
    </div>
  );
}
