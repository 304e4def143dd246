import type { TranslationBundle } from '@jupyterlab/translation';
import type { DatasetVersion, Operations } from '@labscale/schema';
import * as React from 'react';
import { isAborted, type LabscaleClient } from '../api/client';
import { ErrorNotice } from '../ui/error-notice';
import { formatAge } from '../ui/format-age';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import { useSignal } from '../ui/use-signal';
import type { DatasetPageModel } from './dataset-page-model';

type ShardChanges = Operations['listShardChanges']['result'];

export interface IDatasetVersionsProps {
  model: DatasetPageModel;
  client: LabscaleClient;
  trans: TranslationBundle;
}

/** The versions of a dataset, newest first, and what changed in each. */
export function DatasetVersions(props: IDatasetVersionsProps): JSX.Element {
  const { model, client, trans } = props;
  useSignal(model.changed);
  const [open, setOpen] = React.useState<string | null>(null);
  return (
    <table className="jp-Labscale-Table">
      <thead>
        <tr>
          <th>{trans.__('Version')}</th>
          <th>{trans.__('Made')}</th>
          <th className="jp-mod-number">{trans.__('Shards')}</th>
          <th className="jp-mod-number">{trans.__('Size')}</th>
          <th>{trans.__('What changed')}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {model.versions.map((version) => (
          <React.Fragment key={version.id}>
            <tr aria-current={version.id === model.version?.id ? 'true' : undefined}>
              <td>{version.number}</td>
              <td title={version.createdAt}>{formatAge(version.createdAt)}</td>
              <td className="jp-mod-number">{formatCount(version.shardCount)}</td>
              <td className="jp-mod-number">{formatSize(version.sizeBytes)}</td>
              <td>
                {version.changes === null ? (
                  <span className="jp-Labscale-dim">{trans.__('the first version')}</span>
                ) : (
                  <button
                    type="button"
                    className="jp-Labscale-Link"
                    aria-expanded={open === version.id}
                    onClick={() => setOpen(open === version.id ? null : version.id)}
                  >
                    {changesText(version.changes, trans)}
                  </button>
                )}
              </td>
              <td>
                <button
                  type="button"
                  className="jp-Labscale-Link"
                  onClick={() => model.show({ versionId: version.id, tab: 'shards' })}
                >
                  {trans.__('Show shards')}
                </button>
              </td>
            </tr>
            {open === version.id && (
              <tr>
                <td colSpan={6}>
                  <Changes versionId={version.id} client={client} trans={trans} />
                </td>
              </tr>
            )}
          </React.Fragment>
        ))}
      </tbody>
    </table>
  );
}

export function changesText(changes: NonNullable<DatasetVersion['changes']>, trans: TranslationBundle): string {
  const parts = [
    changes.added > 0 ? trans.__('%1 added', formatCount(changes.added)) : '',
    changes.removed > 0 ? trans.__('%1 removed', formatCount(changes.removed)) : '',
    changes.modified > 0 ? trans.__('%1 changed', formatCount(changes.modified)) : ''
  ].filter((part) => part !== '');
  return parts.length > 0 ? parts.join(', ') : trans.__('nothing');
}

interface IChangesProps {
  versionId: string;
  client: LabscaleClient;
  trans: TranslationBundle;
}

function Changes(props: IChangesProps): JSX.Element {
  const { versionId, client, trans } = props;
  const [changes, setChanges] = React.useState<ShardChanges | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const [round, setRound] = React.useState(0);
  React.useEffect(() => {
    const abort = new AbortController();
    client.call('listShardChanges', { params: { versionId }, query: { limit: 200 }, signal: abort.signal }).then(
      (found) => {
        setChanges(found);
        setError(null);
      },
      (failure: unknown) => {
        if (!isAborted(failure)) setError(failure);
      }
    );
    return () => abort.abort();
  }, [client, versionId, round]);
  if (error !== null) return <ErrorNotice error={error} trans={trans} onRetry={() => setRound(round + 1)} />;
  if (changes === null) return <span className="jp-Labscale-dim">{trans.__('Loading…')}</span>;
  const words = { added: trans.__('added'), removed: trans.__('removed'), modified: trans.__('changed') };
  return (
    <ul className="jp-Labscale-Changes">
      {changes.items.map((one) => (
        <li key={one.key}>
          <span className={`jp-Labscale-Badge jp-mod-${one.change}`}>{words[one.change]}</span> {one.key}
        </li>
      ))}
      {changes.total > changes.items.length && (
        <li className="jp-Labscale-dim">
          {trans.__('and %1 more', formatCount(changes.total - changes.items.length))}
        </li>
      )}
    </ul>
  );
}
