import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { ErrorNotice } from '../ui/error-notice';
import { formatAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import { useSignal } from '../ui/use-signal';
import type { DatasetPageModel, DatasetTab } from './dataset-page-model';
import { indexedPart } from './indexed-part';

export interface IDatasetHeaderProps {
  model: DatasetPageModel;
  trans: TranslationBundle;
  onSnippet: () => void;
  onCheck: () => void;
  onOpenRun: ((runId: string) => void) | null;
}

/** Name, numbers, version and the tabs of a dataset page. */
export function DatasetHeader(props: IDatasetHeaderProps): JSX.Element {
  const { model, trans } = props;
  useSignal(model.changed);
  const { dataset, version } = model;
  if (!dataset || !version) {
    return model.error !== null ? (
      <ErrorNotice error={model.error} trans={trans} onRetry={() => void model.refresh()} />
    ) : (
      <div className="jp-Labscale-PageHeader" role="status" aria-label={trans.__('Loading…')}>
        <div className="jp-Labscale-Skeleton-row" style={{ width: '30%' }} />
        <div className="jp-Labscale-Skeleton-row" style={{ width: '50%' }} />
      </div>
    );
  }
  const tabs: [DatasetTab, string][] = [
    ['shards', trans.__('Shards')],
    ['versions', trans.__('Versions')],
    ['derivatives', trans.__('Derivatives')],
    ['lineage', trans.__('Lineage')],
    ['about', trans.__('About')]
  ];
  const { indexing } = version;
  return (
    <div className="jp-Labscale-PageHeader">
      <div className="jp-Labscale-PageHeader-line">
        <h1>{dataset.name}</h1>
        <select
          className="jp-Labscale-Input jp-Labscale-PageHeader-version"
          aria-label={trans.__('Version')}
          value={version.id}
          onChange={(event) => model.show({ versionId: event.target.value })}
        >
          {model.versions.map((one) => (
            <option key={one.id} value={one.id}>
              {trans.__('Version %1', one.number)}
            </option>
          ))}
        </select>
        <span className="jp-Labscale-dim jp-Labscale-grow">
          {trans._n('%1 shard', '%1 shards', version.shardCount, formatCount(version.shardCount))}
          {' · '}
          {formatSize(version.sizeBytes)}
          {' · '}
          {formatAge(version.createdAt)}
        </span>
        {dataset.source.kind !== 'derivatives' && (
          <button type="button" className="jp-Labscale-Button" onClick={props.onCheck}>
            {trans.__('Check for new data')}
          </button>
        )}
        <button
          type="button"
          className="jp-Labscale-Button jp-mod-accept"
          disabled={indexing.state !== 'ready' || version.shardCount === 0}
          onClick={props.onSnippet}
        >
          {trans.__('Open snippet in notebook…')}
        </button>
      </div>
      {dataset.description !== '' && <p className="jp-Labscale-PageHeader-description">{dataset.description}</p>}
      {version.madeByRunId !== null && props.onOpenRun && (
        <p className="jp-Labscale-PageHeader-description">
          <button
            type="button"
            className="jp-Labscale-Link"
            onClick={() => version.madeByRunId !== null && props.onOpenRun?.(version.madeByRunId)}
          >
            {trans.__('Made by a run')}
          </button>
        </p>
      )}
      {indexing.state === 'digesting' && (
        <div className="jp-Labscale-PageHeader-indexing" role="status">
          <progress max={1} value={indexedPart(indexing)} />
          {trans.__('Indexing: %1 of %2 shards', formatCount(indexing.done), formatCount(indexing.total))}
          {indexing.doneBytes !== undefined &&
            ` · ${trans.__('%1 of %2', formatSize(indexing.doneBytes), formatSize(indexing.totalBytes ?? 0))}`}
        </div>
      )}
      {indexing.state === 'failed' && (
        <div className="jp-Labscale-Problem" role="alert">
          {trans.__('Indexing failed: %1', indexing.detail ?? '')}
        </div>
      )}
      {model.error !== null && <ErrorNotice error={model.error} trans={trans} onRetry={() => void model.refresh()} />}
      <div
        className="jp-Labscale-Tabs"
        role="tablist"
        aria-label={trans.__('Parts of the dataset')}
        onKeyDown={(event) => {
          const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
          if (step === 0) return;
          event.preventDefault();
          const at = tabs.findIndex(([tab]) => tab === model.tab);
          const next = tabs[(at + step + tabs.length) % tabs.length];
          if (!next) return;
          model.setTab(next[0]);
          event.currentTarget.querySelectorAll<HTMLElement>('[role="tab"]')[tabs.indexOf(next)]?.focus();
        }}
      >
        {tabs.map(([tab, label]) => (
          <button
            key={tab}
            type="button"
            role="tab"
            aria-selected={model.tab === tab}
            tabIndex={model.tab === tab ? 0 : -1}
            onClick={() => model.setTab(tab)}
          >
            {label}
            {tab === 'derivatives' && dataset.derivativeCount > 0 && (
              <span className="jp-Labscale-Badge">{formatCount(dataset.derivativeCount)}</span>
            )}
          </button>
        ))}
      </div>
    </div>
  );
}
