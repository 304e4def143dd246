import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon } from '@jupyterlab/ui-components';
import type { ParameterSet } from '@labscale/schema';
import * as React from 'react';
import { shortAge } from '../ui/format-age';
import { starFilledIcon } from '../ui/icons';
import { ListState } from '../ui/list-state';
import { SearchField, Section } from '../ui/section';
import { useSignal } from '../ui/use-signal';
import { VirtualList, type IVirtualListRow } from '../ui/virtual-list';
import type { ParameterListModel, ParameterRow } from './parameter-list-model';
import { metricText, valueText } from './value-text';

const rowHeight = 40;

export interface IParametersSectionActions {
  open: (set: ParameterSet) => void;
  menu: (set: ParameterSet, x: number, y: number) => void;
  /** What to do where there is no set yet. */
  begin: () => void;
}

/** The section Parameters of the sidebar. */
export class ParametersSection extends Section {
  constructor(model: ParameterListModel, trans: TranslationBundle, actions: IParametersSectionActions) {
    super('labscale-parameters', 'jp-Labscale-Parameters', model, () => (
      <Parameters model={model} trans={trans} actions={actions} />
    ));
  }
}

interface IParametersProps {
  model: ParameterListModel;
  trans: TranslationBundle;
  actions: IParametersSectionActions;
}

function Parameters(props: IParametersProps): JSX.Element {
  const { model, trans, actions } = props;
  useSignal(model.changed);
  const { rows } = model;
  const selectedIndex = rows.findIndex((row) => rowId(row) === model.selectedId);
  const onRange = React.useCallback(
    (_: number, last: number) => {
      const row = model.rows[last];
      if (row?.kind === 'more') void model.more(row.analysisId);
    },
    [model]
  );
  const open = (index: number) => {
    const row = rows[index];
    if (row?.kind === 'set') actions.open(row.set);
    else if (row?.kind === 'analysis') void model.setExpanded(row.analysis.id, !row.expanded);
    else if (row?.kind === 'more') void model.more(row.analysisId);
  };
  const onKeyDown = (event: React.KeyboardEvent) => {
    const set = model.selectedSet;
    if (set === null || event.target instanceof HTMLInputElement) return;
    if (event.key === ' ') {
      event.preventDefault();
      model.toggleTick(set);
    }
  };
  return (
    <>
      <SearchField
        model={model}
        placeholder={trans.__('Search sets, notes and tags')}
        label={trans.__('Search parameter sets')}
      />
      <div className="jp-Labscale-Parameters-list" onKeyDown={onKeyDown}>
        <ListState
          trans={trans}
          loading={model.loading}
          error={model.error}
          empty={rows.length === 0}
          emptyText={
            model.search === ''
              ? trans.__('Tuned values will be kept here. Open a notebook, tune it, and choose Save parameters.')
              : trans.__('No set fits this search.')
          }
          {...(model.search === ''
            ? { emptyAction: { label: trans.__('Choose a dataset to tune on'), onClick: actions.begin } }
            : {})}
          onRetry={() => void model.refresh()}
        >
          <VirtualList
            label={trans.__('Parameter sets by analysis')}
            role="tree"
            count={rows.length}
            rowHeight={rowHeight}
            row={(index) => drawRow(rows[index] as ParameterRow, props)}
            rowKey={(index) => rowId(rows[index] as ParameterRow)}
            selectedIndex={selectedIndex < 0 ? null : selectedIndex}
            onSelect={(index) => model.select(rowId(rows[index] as ParameterRow))}
            onOpen={open}
            onExpand={(index, expanded) => {
              const row = rows[index];
              if (row?.kind === 'analysis') void model.setExpanded(row.analysis.id, expanded);
            }}
            onMenu={(index, x, y) => {
              const row = rows[index];
              if (row?.kind === 'set') actions.menu(row.set, x, y);
            }}
            onRange={onRange}
          />
        </ListState>
      </div>
    </>
  );
}

function rowId(row: ParameterRow): string {
  if (row.kind === 'set') return row.set.id;
  if (row.kind === 'analysis') return row.analysis.id;
  return `${row.kind}-${row.analysisId}`;
}

function drawRow(row: ParameterRow, props: IParametersProps): IVirtualListRow {
  const { trans } = props;
  switch (row.kind) {
    case 'analysis': {
      const Caret = row.expanded ? caretDownIcon : caretRightIcon;
      return {
        level: 1,
        expanded: row.expanded,
        className: 'jp-Labscale-Parameters-analysis',
        title: row.analysis.latestVersion.path ?? row.analysis.name,
        content: (
          <>
            <Caret.react tag="span" className="jp-Labscale-Parameters-caret" />
            <span className="jp-Labscale-Parameters-name">{row.analysis.name}</span>
            {row.total !== null && (
              <span className="jp-Labscale-Parameters-aside">{trans._n('%1 set', '%1 sets', row.total)}</span>
            )}
          </>
        )
      };
    }
    case 'set':
      return {
        level: 2,
        className: 'jp-Labscale-Parameters-set',
        title: describeSet(row.set, trans),
        content: <SetRow set={row.set} {...props} />
      };
    case 'more':
      return {
        level: 2,
        content: <span className="jp-Labscale-Parameters-hint">{trans._n('%1 more', '%1 more', row.left)}</span>
      };
    case 'none':
      return { level: 2, content: <span className="jp-Labscale-Parameters-hint">{trans.__('No set saved yet')}</span> };
    case 'loading':
      return { level: 2, content: <span className="jp-Labscale-Parameters-hint">{trans.__('Loading…')}</span> };
  }
}

function SetRow(props: IParametersProps & { set: ParameterSet }): JSX.Element {
  const { set, model, trans } = props;
  const version = set.latestVersion;
  const [metric] = Object.entries(version.metrics);
  const ticked = model.ticked.has(version.id);
  return (
    <>
      <input
        type="checkbox"
        className="jp-Labscale-Parameters-tick"
        tabIndex={-1}
        checked={ticked}
        aria-label={trans.__('Compare %1', set.name)}
        onChange={() => model.toggleTick(set)}
        onClick={(event) => event.stopPropagation()}
        onDoubleClick={(event) => event.stopPropagation()}
      />
      <span className="jp-Labscale-Parameters-lines">
        <span className="jp-Labscale-Parameters-line">
          {set.defaultForDatasetIds.length > 0 && (
            <starFilledIcon.react
              tag="span"
              className="jp-Labscale-Parameters-star"
              title={trans.__('The default for a dataset')}
            />
          )}
          <span className="jp-Labscale-Parameters-name">{set.name}</span>
          {set.versionCount > 1 && (
            <span className="jp-Labscale-Parameters-version">{trans.__('v%1', version.number)}</span>
          )}
          {metric && (
            <span className="jp-Labscale-Parameters-aside">
              {metric[0]} {metricText(metric[1])}
            </span>
          )}
        </span>
        <span className="jp-Labscale-Parameters-line jp-mod-second">
          <span className="jp-Labscale-Parameters-changes">{changesText(set, trans)}</span>
          <span className="jp-Labscale-Parameters-aside">
            {set.owner} · {shortAge(version.createdAt)}
          </span>
        </span>
      </span>
    </>
  );
}

/** What differs from the parent or the version before, with the new values; all values of a set without either. */
export function changesText(set: ParameterSet, trans: TranslationBundle): string {
  const { values } = set.latestVersion;
  const first = set.parent === null && set.latestVersion.number === 1;
  const names = first ? Object.keys(values) : set.changedFromParent;
  if (names.length === 0) return trans.__('same values');
  return names
    .slice(0, 3)
    .map((name) => `${name} ${valueText(values[name], 16)}`)
    .join(', ')
    .concat(names.length > 3 ? ` +${names.length - 3}` : '');
}

function describeSet(set: ParameterSet, trans: TranslationBundle): string {
  const metrics = Object.entries(set.latestVersion.metrics).map(([name, value]) => `${name} ${metricText(value)}`);
  const values = Object.entries(set.latestVersion.values).map(([name, value]) => `${name} = ${valueText(value)}`);
  return [
    trans.__('%1, version %2, by %3', set.name, set.latestVersion.number, set.owner),
    ...values.slice(0, 12),
    ...metrics,
    ...(set.note === '' ? [] : [set.note])
  ].join('\n');
}
