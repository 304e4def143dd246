import { ProgressBar } from '@jupyterlab/statusbar';
import { GroupItem, TextItem } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import { ReactWidget } from '@jupyterlab/ui-components';
import * as React from 'react';
import { formatCount } from '../ui/format-count';
import { useSignal } from '../ui/use-signal';
import type { RunWatch } from './run-watch';
import { settledCount, taskTotal } from './task-states';

/** The runs that are going, in the status bar. */
export class RunStatus extends ReactWidget {
  constructor(
    private readonly _watch: RunWatch,
    private readonly _trans: TranslationBundle,
    private readonly _open: () => void
  ) {
    super();
    this.addClass('jp-mod-highlighted');
    this.addClass('jp-Labscale-RunStatus');
  }

  protected render(): JSX.Element {
    return <Status watch={this._watch} trans={this._trans} open={this._open} />;
  }
}

function Status(props: { watch: RunWatch; trans: TranslationBundle; open: () => void }): JSX.Element | null {
  const { watch, trans, open } = props;
  useSignal(watch.changed);
  const runs = [...watch.runs.values()];
  if (runs.length === 0) return null;
  const done = runs.reduce((sum, run) => sum + settledCount(run.counts), 0);
  const total = runs.reduce((sum, run) => sum + taskTotal(run.counts), 0);
  const label = trans._n(
    '%1 run: %2 of %3 tasks',
    '%1 runs: %2 of %3 tasks',
    runs.length,
    formatCount(done),
    formatCount(total)
  );
  return (
    <button type="button" className="jp-Labscale-RunStatus-button" onClick={open} title={label} aria-label={label}>
      <GroupItem spacing={4}>
        <TextItem source={`${formatCount(done)}/${formatCount(total)}`} />
        <ProgressBar percentage={total === 0 ? 0 : (done / total) * 100} />
      </GroupItem>
    </button>
  );
}
