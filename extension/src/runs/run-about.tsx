import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import * as React from 'react';
import { formatDuration } from '../ui/format-duration';
import { formatSize } from '../ui/format-size';

export interface IRunAboutProps {
  run: Run;
  trans: TranslationBundle;
  onNotebook: () => void;
  onSet: (parameterSetId: string) => void;
  onDataset: () => void;
}

/** What exactly the run was made from. */
export function RunAbout(props: IRunAboutProps): JSX.Element {
  const { run, trans } = props;
  const { resources } = run;
  return (
    <table className="jp-Labscale-Table">
      <tbody>
        <tr>
          <th scope="row">{trans.__('Notebook')}</th>
          <td>
            <button type="button" className="jp-Labscale-Link" onClick={props.onNotebook}>
              {trans.__('%1, version %2', run.analysis.name, run.analysis.number)}
            </button>
          </td>
        </tr>
        <tr>
          <th scope="row">{trans.__('Parameter sets')}</th>
          <td>
            {run.parameterSets.map((set) => (
              <button
                key={set.versionId}
                type="button"
                className="jp-Labscale-Link"
                onClick={() => props.onSet(set.id)}
              >
                {trans.__('%1, version %2', set.name, set.number)}
              </button>
            ))}
          </td>
        </tr>
        <tr>
          <th scope="row">{trans.__('Dataset')}</th>
          <td>
            <button type="button" className="jp-Labscale-Link" onClick={props.onDataset}>
              {trans.__('%1, version %2', run.dataset.name, run.dataset.number)}
            </button>
            {run.filter !== '' && <code> {run.filter}</code>}
          </td>
        </tr>
        <tr>
          <th scope="row">{trans.__('Each task')}</th>
          <td>
            {[
              trans._n('%1 CPU', '%1 CPUs', resources.cpus),
              trans.__('%1 memory', formatSize(resources.memoryBytes)),
              trans.__('at most %1', formatDuration(resources.timeLimitSeconds)),
              trans._n('%1 retry', '%1 retries', resources.retries)
            ].join(', ')}
          </td>
        </tr>
        {run.trial !== null && (
          <tr>
            <th scope="row">{trans.__('Trial')}</th>
            <td>
              {run.trial.released
                ? trans.__('%1 tasks, then released', run.trial.count)
                : trans.__('%1 tasks, the others wait', run.trial.count)}
            </td>
          </tr>
        )}
        <tr>
          <th scope="row">{trans.__('Environment')}</th>
          <td>
            <code>{run.environmentDigest.slice(0, 19)}</code>
          </td>
        </tr>
        <tr>
          <th scope="row">{trans.__('Id')}</th>
          <td>
            <code>{run.id}</code>
          </td>
        </tr>
      </tbody>
    </table>
  );
}
