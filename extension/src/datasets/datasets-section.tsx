import type { TranslationBundle } from '@jupyterlab/translation';
import { caretDownIcon, caretRightIcon, type LabIcon } from '@jupyterlab/ui-components';
import * as React from 'react';
import { describeError } from '../ui/error-notice';
import { shortAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import { datasetIcon, derivativeIcon, queryIcon, shardIcon, versionIcon } from '../ui/icons';
import { ListState } from '../ui/list-state';
import { SearchField, Section } from '../ui/section';
import { useSignal } from '../ui/use-signal';
import { VirtualList, type IVirtualListRow } from '../ui/virtual-list';
import type { DatasetModel, DatasetRow } from './dataset-model';

const rowHeight = 26;

export interface IDatasetsSectionActions {
  open: (row: DatasetRow) => void;
  menu: (row: DatasetRow, x: number, y: number) => void;
  register: () => void;
}

/** The section Datasets of the sidebar. */
export class DatasetsSection extends Section {
  constructor(model: DatasetModel, trans: TranslationBundle, actions: IDatasetsSectionActions) {
    super('labscale-datasets', 'jp-Labscale-Datasets', model, () => (
      <Datasets model={model} trans={trans} actions={actions} />
    ));
  }
}

interface IDatasetsProps {
  model: DatasetModel;
  trans: TranslationBundle;
  actions: IDatasetsSectionActions;
}

function Datasets(props: IDatasetsProps): JSX.Element {
  const { model, trans, actions } = props;
  useSignal(model.changed);
  const ensure = React.useCallback((first: number, last: number) => model.ensure(first, last), [model]);
  return (
    <>
      <SearchField
        model={model}
        placeholder={trans.__('Words, or sub=01 age>60')}
        label={trans.__('Search datasets by words, and their shards by entity=value')}
      />
      <ListState
        trans={trans}
        loading={model.loading}
        error={model.error}
        empty={model.rowCount === 0}
        emptyText={
          model.search === ''
            ? trans.__('No dataset yet. Register a folder: its files stay where they are and are seen as shards.')
            : trans.__('No dataset has these words.')
        }
        emptyAction={
          model.search === ''
            ? { label: trans.__('Register folder…'), onClick: actions.register }
            : { label: trans.__('Clear search'), onClick: () => model.setSearch('') }
        }
        onRetry={() => void model.refresh()}
      >
        <VirtualList
          role="tree"
          label={trans.__('Datasets')}
          count={model.rowCount}
          rowHeight={rowHeight}
          row={(index) => drawRow(model, index, trans)}
          rowKey={(index) => model.row(index).key}
          selectedIndex={model.selectedIndex}
          onSelect={(index) => model.select(index)}
          onOpen={(index) => {
            const row = model.row(index);
            if (row.kind === 'failed') row.retry();
            else actions.open(row);
          }}
          onExpand={(index, expanded) => model.expand(index, expanded)}
          onMenu={(index, x, y) => actions.menu(model.row(index), x, y)}
          onRange={ensure}
        />
      </ListState>
    </>
  );
}

function drawRow(model: DatasetModel, index: number, trans: TranslationBundle): IVirtualListRow {
  const row = model.row(index);
  const toggle = (expanded: boolean) => (
    <span
      className="jp-Labscale-Twisty"
      onClick={(event) => {
        event.stopPropagation();
        model.select(index);
        model.expand(index, !expanded);
      }}
    >
      {expanded ? <caretDownIcon.react tag="span" /> : <caretRightIcon.react tag="span" />}
    </span>
  );
  const drawn = (content: React.ReactNode, more: Partial<IVirtualListRow> = {}): IVirtualListRow => ({
    level: row.level,
    className: `jp-mod-level-${row.level}`,
    ...more,
    content
  });
  const label = (icon: LabIcon, text: string, dim: string) => (
    <>
      <icon.react tag="span" className="jp-Labscale-Row-icon" />
      <span className="jp-Labscale-grow">{text}</span>
      <span className="jp-Labscale-dim">{dim}</span>
    </>
  );
  switch (row.kind) {
    case 'dataset': {
      const { dataset, expanded } = row;
      const { latestVersion: latest } = dataset;
      const Icon = dataset.source.kind === 'derivatives' ? derivativeIcon : datasetIcon;
      const title = [
        dataset.name,
        trans._n('%1 shard', '%1 shards', latest.shardCount, formatCount(latest.shardCount)) +
          `, ${formatSize(latest.sizeBytes)}`,
        dataset.description
      ];
      return drawn(
        <>
          {toggle(expanded)}
          <Icon.react tag="span" className="jp-Labscale-Row-icon" />
          <span className="jp-Labscale-grow">{dataset.name}</span>
          {model.isOutdated(dataset.id) && (
            <span className="jp-Labscale-Badge jp-mod-accent" title={trans.__('The folder has newer data')}>
              {trans.__('newer')}
            </span>
          )}
          {dataset.derivativeCount > 0 && (
            <span
              className="jp-Labscale-Badge"
              title={trans._n(
                '%1 run published derivatives of it',
                '%1 runs published derivatives of it',
                dataset.derivativeCount
              )}
            >
              <derivativeIcon.react tag="span" width="12px" height="12px" />
              {formatCount(dataset.derivativeCount)}
            </span>
          )}
          <span className="jp-Labscale-dim">
            {latest.indexing.state === 'digesting'
              ? indexingText(latest.indexing.done, latest.indexing.total)
              : formatCount(latest.shardCount)}
            {latest.indexing.state !== 'digesting' && (
              <span className="jp-Labscale-wide"> · {formatSize(latest.sizeBytes)}</span>
            )}
          </span>
        </>,
        { expanded, title: title.filter((line) => line !== '').join('\n') }
      );
    }
    case 'version': {
      const { version, expanded } = row;
      const { indexing } = version;
      const dim =
        indexing.state === 'digesting'
          ? indexingText(indexing.done, indexing.total)
          : indexing.state === 'failed'
            ? trans.__('indexing failed')
            : shortAge(version.createdAt);
      return drawn(
        <>
          {toggle(expanded)}
          {label(versionIcon, trans.__('Version %1', version.number), dim)}
        </>,
        { expanded, title: indexing.detail }
      );
    }
    case 'query':
      return drawn(
        <>
          {toggle(row.expanded)}
          <queryIcon.react tag="span" className="jp-Labscale-Row-icon" />
          <span className="jp-Labscale-grow jp-Labscale-Row-name">{row.query.name}</span>
          <span className="jp-Labscale-dim jp-Labscale-Row-detail">{row.query.filter}</span>
        </>,
        { expanded: row.expanded, title: row.query.filter }
      );
    case 'shard':
      return drawn(label(shardIcon, row.shard.key, formatSize(row.shard.sizeBytes)), { title: row.shard.key });
    case 'failed': {
      const text = describeError(row.error, trans);
      return drawn(
        <>
          <span className="jp-Labscale-grow jp-Labscale-Problem">{text.why}</span>
          <span className="jp-Labscale-Link">{trans.__('Retry')}</span>
        </>,
        { title: [text.what, text.why, text.mend ?? ''].join('\n') }
      );
    }
    case 'nothing':
      return drawn(<span className="jp-Labscale-dim">{trans.__('No shard fits.')}</span>);
    case 'loading':
    case 'more':
      return drawn(<span className="jp-Labscale-dim">{trans.__('Loading…')}</span>);
  }
}

function indexingText(done: number, total: number): string {
  return `${formatCount(done)} / ${formatCount(total)}`;
}
