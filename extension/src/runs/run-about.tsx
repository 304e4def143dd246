import type { TranslationBundle } from '@jupyterlab/translation';
import type { AnalysisVersion, Run } from '@labscale/schema';
import * as React from 'react';
import type { LabscaleClient } from '../api/client';
import { formatDuration } from '../ui/format-duration';
import { formatSize } from '../ui/format-size';

export interface IRunAboutProps {
  run: Run;
  client: Pick<LabscaleClient, 'call'>;
  trans: TranslationBundle;
  onNotebook: () => void;
  onSet: (parameterSetId: string) => void;
  onDataset: () => void;
}

/** What exactly the run was made from. */
export function RunAbout(props: IRunAboutProps): JSX.Element {
  const { run, client, trans } = props;
  const { resources } = run;
  const version = useAnalysisVersion(client, run.analysis.versionId);
  const named = trans.__('%1, version %2', run.analysis.name, run.analysis.number);
  return (
    <table className="jp-Labscale-Table">
      <tbody>
        <tr>
          <th scope="row">{trans.__('Analysis')}</th>
          <td>
            {version?.kind === 'notebook' ? (
              <button type="button" className="jp-Labscale-Link" onClick={props.onNotebook}>
                {named}
              </button>
            ) : (
              named
            )}
          </td>
        </tr>
        {version?.image && (
          <tr>
            <th scope="row">{trans.__('Image')}</th>
            <td>
              <code>{version.image.reference}</code> <code>{version.image.digest}</code>
            </td>
          </tr>
        )}
        {version?.command && (
          <tr>
            <th scope="row">{trans.__('Command line')}</th>
            <td>
              <code>{[...(version.image?.entrypoint ?? []), ...version.command].join(' ')}</code>
              {version.adapter !== null && version.adapter !== 'plain' && ` ${adapterText(version.adapter, trans)}`}
            </td>
          </tr>
        )}
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
              trans._n('%1 retry', '%1 retries', resources.retries),
              ...((resources.gpus ?? 0) > 0 ? [trans._n('%1 GPU', '%1 GPUs', resources.gpus ?? 0)] : [])
            ].join(', ')}
          </td>
        </tr>
        {run.shardsPerPod !== null && (
          <tr>
            <th scope="row">{trans.__('Each pod')}</th>
            <td>{trans._n('%1 shard', '%1 shards', run.shardsPerPod)}</td>
          </tr>
        )}
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

/** Null until it is there; what the run itself says is shown without it. */
function useAnalysisVersion(client: IRunAboutProps['client'], versionId: string): AnalysisVersion | null {
  const [version, setVersion] = React.useState<AnalysisVersion | null>(null);
  React.useEffect(() => {
    const abort = new AbortController();
    client.call('getAnalysisVersion', { params: { versionId }, signal: abort.signal }).then(
      (found) => setVersion(found),
      () => undefined
    );
    return () => abort.abort();
  }, [client, versionId]);
  return version?.id === versionId ? version : null;
}

function adapterText(adapter: 'bids-app' | 'chris', trans: TranslationBundle): string {
  return adapter === 'bids-app' ? trans.__('(as a BIDS App)') : trans.__('(as a ChRIS plugin)');
}
