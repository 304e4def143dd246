import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import * as React from 'react';
import { formatAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { ListState } from '../ui/list-state';
import { useSignal } from '../ui/use-signal';
import type { DatasetPageModel } from './dataset-page-model';

export interface IDatasetDerivativesProps {
  model: DatasetPageModel;
  trans: TranslationBundle;
  openDataset: (datasetId: string, versionId: string) => void;
  openRun: ((runId: string) => void) | null;
}

/** What runs made from this dataset, each a dataset of its own. */
export function DatasetDerivatives(props: IDatasetDerivativesProps): JSX.Element {
  const { model, trans, openDataset, openRun } = props;
  useSignal(model.changed);
  return (
    <ListState
      trans={trans}
      loading={model.runs === null}
      error={model.runsError}
      empty={model.runs?.length === 0}
      emptyText={trans.__(
        'No run has published derivatives of this dataset yet. Open a snippet, tune, save the parameters and promote them.'
      )}
      onRetry={() => void model.fetchRuns()}
    >
      <table className="jp-Labscale-Table">
        <thead>
          <tr>
            <th>{trans.__('Derivatives')}</th>
            <th>{trans.__('Analysis')}</th>
            <th>{trans.__('Parameters')}</th>
            <th>{trans.__('From version')}</th>
            <th>{trans.__('Published')}</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {(model.runs ?? []).map((run) => (
            <DerivativeRow key={run.id} run={run} {...{ trans, openDataset, openRun }} />
          ))}
        </tbody>
      </table>
    </ListState>
  );
}

interface IDerivativeRowProps extends Omit<IDatasetDerivativesProps, 'model'> {
  run: Run;
}

function DerivativeRow(props: IDerivativeRowProps): JSX.Element | null {
  const { run, trans, openDataset, openRun } = props;
  const { derivatives } = run;
  if (!derivatives) return null;
  return (
    <tr>
      <td>
        <button
          type="button"
          className="jp-Labscale-Link"
          onClick={() => openDataset(derivatives.datasetId, derivatives.datasetVersionId)}
        >
          {trans._n('%1 shard', '%1 shards', derivatives.shardCount, formatCount(derivatives.shardCount))}
        </button>
      </td>
      <td>
        {run.analysis.name} {trans.__('v%1', run.analysis.number)}
      </td>
      <td>{run.parameterSets.map((set) => `${set.name} ${trans.__('v%1', set.number)}`).join(', ')}</td>
      <td>{run.dataset.number}</td>
      <td title={run.finishedAt ?? undefined}>{run.finishedAt === null ? '' : formatAge(run.finishedAt)}</td>
      <td>
        {openRun && (
          <button type="button" className="jp-Labscale-Link" onClick={() => openRun(run.id)}>
            {trans.__('Open run')}
          </button>
        )}
      </td>
    </tr>
  );
}
