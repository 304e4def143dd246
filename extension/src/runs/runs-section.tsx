import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import * as React from 'react';
import { shortAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { ListState } from '../ui/list-state';
import { SearchField, Section } from '../ui/section';
import { useSignal } from '../ui/use-signal';
import { VirtualList } from '../ui/virtual-list';
import { RunProgress } from './run-head';
import type { RunListModel } from './run-list-model';
import { endedStates } from './run-model';
import { countsText, runStateText } from './run-text';
import { settledCount, taskTotal } from './task-states';

export interface IRunsSectionActions {
  open: (run: Run) => void;
  menu: (run: Run, x: number, y: number) => void;
  begin: () => void;
}

/** The section Runs of the sidebar. */
export class RunsSection extends Section {
  constructor(model: RunListModel, trans: TranslationBundle, actions: IRunsSectionActions) {
    super('labscale-runs', 'jp-Labscale-Runs', model, () => <Runs model={model} trans={trans} actions={actions} />);
  }
}

interface IRunsProps {
  model: RunListModel;
  trans: TranslationBundle;
  actions: IRunsSectionActions;
}

function Runs(props: IRunsProps): JSX.Element {
  const { model, trans, actions } = props;
  useSignal(model.changed);
  const { runs } = model;
  const selected = runs.findIndex(({ id }) => id === model.selectedId);
  const onRange = React.useCallback(
    (_: number, last: number) => {
      if (last >= model.runs.length - 5) void model.more();
    },
    [model]
  );
  return (
    <>
      <SearchField model={model} placeholder={trans.__('Search runs')} label={trans.__('Search runs')} />
      <ListState
        trans={trans}
        loading={model.loading}
        error={model.error}
        empty={runs.length === 0}
        emptyText={
          model.search === ''
            ? trans.__('Runs will be listed here. Save the parameters of a tuned notebook, then promote them.')
            : trans.__('No run fits this search.')
        }
        {...(model.search === '' ? { emptyAction: { label: trans.__('Promote…'), onClick: actions.begin } } : {})}
        onRetry={() => void model.refresh()}
      >
        <VirtualList
          label={trans.__('Runs')}
          role="listbox"
          count={runs.length}
          rowHeight={56}
          rowKey={(index) => runs[index]?.id ?? ''}
          selectedIndex={selected < 0 ? null : selected}
          onSelect={(index) => model.select(runs[index]?.id ?? null)}
          onOpen={(index) => {
            const run = runs[index];
            if (run) actions.open(run);
          }}
          onMenu={(index, x, y) => {
            const run = runs[index];
            if (run) actions.menu(run, x, y);
          }}
          onRange={onRange}
          row={(index) => {
            const run = runs[index] as Run;
            return {
              className: `jp-Labscale-Runs-run jp-mod-${run.state}`,
              title: [run.name, run.headline, countsText(run.counts, trans)].join('\n'),
              content: <RunRow run={run} trans={trans} />
            };
          }}
        />
      </ListState>
    </>
  );
}

function RunRow(props: { run: Run; trans: TranslationBundle }): JSX.Element {
  const { run, trans } = props;
  const { counts } = run;
  const ended = endedStates.has(run.state);
  return (
    <span className="jp-Labscale-Runs-lines">
      <span className="jp-Labscale-Parameters-line">
        <span className="jp-Labscale-Parameters-name">{run.name}</span>
        <span className="jp-Labscale-Runs-state">
          {ended || run.state !== 'running'
            ? runStateText(run.state, trans)
            : `${formatCount(settledCount(counts))} / ${formatCount(taskTotal(counts))}`}
        </span>
      </span>
      <RunProgress run={run} trans={trans} />
      <span className="jp-Labscale-Parameters-line jp-mod-second">
        <span className="jp-Labscale-Parameters-changes">{countsText(counts, trans)}</span>
        <span className="jp-Labscale-Parameters-aside">
          {run.owner} · {shortAge(run.createdAt)}
        </span>
      </span>
    </span>
  );
}
