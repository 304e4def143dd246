import type { TranslationBundle } from '@jupyterlab/translation';
import type { Analysis, JsonValue, ParameterSet, ParameterSetVersion, Provenance } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { formatAge } from '../ui/format-age';
import { formatDuration } from '../ui/format-duration';
import { LazyReactWidget } from '../ui/lazy-react-widget';
import { ListState } from '../ui/list-state';
import { SectionHeader } from '../ui/section-header';
import { metricText, sameValue, valueText } from './value-text';

export interface IParameterPageActions {
  openInNotebook: (setId: string, versionId: string) => void;
  promote: (versionId: string) => void;
  fork: (setId: string, versionId: string) => void;
  compare: (versionIds: string[]) => void;
  star: (versionId: string) => void;
  lineage: (versionId: string, name: string) => void;
}

/** Everything about one parameter set. */
export class ParameterPage extends LazyReactWidget {
  constructor(
    readonly parameterSetId: string,
    private readonly _labscale: ILabscale,
    private readonly _actions: IParameterPageActions
  ) {
    super();
    this.addClass('jp-Labscale-Document');
    this.addClass('jp-Labscale-ParameterPage');
    this.visibilityChanged.connect((_, visible) => {
      this._listening?.dispose();
      this._listening = null;
      if (!visible) return;
      const again = () => this.update();
      this._listening = DisposableSet.from([
        _labscale.events.on('changed', ({ id }) => id === parameterSetId && this._refresh()),
        _labscale.events.on('reset', () => this._refresh())
      ]);
      again();
    });
  }

  override dispose(): void {
    this._listening?.dispose();
    super.dispose();
  }

  protected renderVisible(): JSX.Element {
    return (
      <Page
        labscale={this._labscale}
        actions={this._actions}
        parameterSetId={this.parameterSetId}
        round={this._round}
        onLoaded={this._onLoaded}
      />
    );
  }

  /** The same one at every drawing: the page reads anew where it is given another. */
  private readonly _onLoaded = (set: ParameterSet): void => {
    this.title.label = set.name;
  };

  private _refresh(): void {
    this._round += 1;
    this.update();
  }

  private _listening: IDisposable | null = null;
  private _round = 0;
}

interface IPageProps {
  labscale: ILabscale;
  actions: IParameterPageActions;
  parameterSetId: string;
  round: number;
  onLoaded: (set: ParameterSet) => void;
}

interface IPageData {
  set: ParameterSet;
  versions: readonly ParameterSetVersion[];
  analysis: Analysis;
}

function Page(props: IPageProps): JSX.Element {
  const { labscale, parameterSetId, round, onLoaded } = props;
  const { client, trans } = labscale;
  const [data, setData] = React.useState<IPageData | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const [retry, setRetry] = React.useState(0);
  const [versionId, setVersionId] = React.useState<string | null>(null);
  React.useEffect(() => {
    const abort = new AbortController();
    const { signal } = abort;
    const load = async () => {
      const params = { parameterSetId };
      const [set, versions] = await Promise.all([
        client.call('getParameterSet', { params, signal }),
        client.call('listParameterSetVersions', { params, query: { limit: 200 }, signal })
      ]);
      const analysis = await client.call('getAnalysis', { params: { analysisId: set.analysisId }, signal });
      setData({ set, versions: versions.items, analysis });
      setError(null);
      onLoaded(set);
    };
    load().catch((reason: unknown) => {
      if (!signal.aborted) setError(reason);
    });
    return () => abort.abort();
  }, [client, parameterSetId, onLoaded, round, retry]);
  return (
    <ListState
      trans={trans}
      loading={data === null}
      error={data === null ? error : null}
      empty={false}
      emptyText=""
      onRetry={() => setRetry(retry + 1)}
    >
      {data && (
        <Details
          {...props}
          data={data}
          version={data.versions.find(({ id }) => id === versionId) ?? data.set.latestVersion}
          onVersion={setVersionId}
        />
      )}
    </ListState>
  );
}

interface IDetailsProps extends IPageProps {
  data: IPageData;
  version: ParameterSetVersion;
  onVersion: (id: string) => void;
}

function Details(props: IDetailsProps): JSX.Element {
  const { data, version, actions, labscale } = props;
  const { set } = data;
  const { trans, client } = labscale;
  return (
    <>
      <div className="jp-Labscale-Document-head">
        <div>
          <h1>{set.name}</h1>
          <div className="jp-Labscale-Document-facts">
            {[
              trans.__('version %1 of %2', version.number, set.versionCount),
              trans.__('for %1', data.analysis.name),
              trans.__('by %1', set.owner),
              formatAge(version.createdAt),
              trans._n('%1 run', '%1 runs', set.runCount)
            ].join(' · ')}
          </div>
          {set.parent && (
            <div className="jp-Labscale-Document-facts">
              {trans.__('forked from %1, version %2', set.parent.name, set.parent.number)}
            </div>
          )}
        </div>
        <div className="jp-Labscale-Document-actions">
          <button
            type="button"
            className="jp-Labscale-Button jp-mod-accept"
            onClick={() => actions.promote(version.id)}
          >
            {trans.__('Promote…')}
          </button>
          <button
            type="button"
            className="jp-Labscale-Button"
            onClick={() => actions.openInNotebook(set.id, version.id)}
          >
            {trans.__('Open in a notebook')}
          </button>
          <button type="button" className="jp-Labscale-Button" onClick={() => actions.fork(set.id, version.id)}>
            {trans.__('Fork…')}
          </button>
          <button type="button" className="jp-Labscale-Button" onClick={() => actions.star(version.id)}>
            {trans.__('Default for a dataset…')}
          </button>
          <button type="button" className="jp-Labscale-Button" onClick={() => actions.lineage(version.id, set.name)}>
            {trans.__('Lineage')}
          </button>
        </div>
      </div>
      <div className="jp-Labscale-ParameterPage-columns">
        <div>
          <SectionHeader title={trans.__('Values')} />
          <ValueTable {...props} />
          {Object.keys(version.metrics).length > 0 && (
            <>
              <SectionHeader title={trans.__('Metrics')} />
              <table className="jp-Labscale-Table">
                <tbody>
                  {Object.entries(version.metrics).map(([name, value]) => (
                    <tr key={name}>
                      <th scope="row">{name}</th>
                      <td>{metricText(value)}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </>
          )}
          <SectionHeader title={trans.__('Made from')} />
          <ProvenanceTable provenance={version.provenance} trans={trans} />
        </div>
        <div>
          {version.hasThumbnail && (
            <img
              className="jp-Labscale-ParameterPage-picture"
              src={client.url('getThumbnail', { params: { versionId: version.id } })}
              alt={trans.__('Output that goes with these values')}
            />
          )}
          <SectionHeader title={trans.__('Note and tags')} />
          <NoteEditor labscale={labscale} set={set} />
          <SectionHeader title={trans.__('Versions')}>
            {data.versions.length > 1 && (
              <button
                type="button"
                className="jp-Labscale-Button"
                onClick={() => actions.compare(data.versions.slice(0, 100).map(({ id }) => id))}
              >
                {trans.__('Compare versions')}
              </button>
            )}
          </SectionHeader>
          <ul className="jp-Labscale-ParameterPage-versions">
            {data.versions.map((one) => (
              <li key={one.id}>
                <button
                  type="button"
                  aria-current={one.id === version.id}
                  className={one.id === version.id ? 'jp-mod-selected' : undefined}
                  onClick={() => props.onVersion(one.id)}
                >
                  <span>{trans.__('Version %1', one.number)}</span>
                  <span className="jp-Labscale-Parameters-aside">
                    {one.owner} · {formatAge(one.createdAt)}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      </div>
    </>
  );
}

function ValueTable(props: IDetailsProps): JSX.Element {
  const { data, version, labscale } = props;
  const { trans } = labscale;
  const at = data.versions.findIndex(({ id }) => id === version.id);
  const before = data.versions[at + 1]?.values ?? null;
  const specs = new Map(data.analysis.latestVersion.contract.parameters.map((spec) => [spec.name, spec]));
  return (
    <table className="jp-Labscale-Table">
      <tbody>
        {Object.entries(version.values).map(([name, value]) => {
          const spec = specs.get(name);
          const was: JsonValue | undefined = before?.[name];
          const changed = before !== null && !sameValue(was, value);
          return (
            <tr key={name} className={changed ? 'jp-mod-changed' : undefined}>
              <th scope="row" title={spec?.description}>
                <code>{name}</code>
              </th>
              <td>
                <code>{valueText(value, 400)}</code> {spec?.unit}
                {changed && <span className="jp-Labscale-SaveForm-was">{trans.__('was %1', valueText(was, 40))}</span>}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

function ProvenanceTable(props: { provenance: Provenance; trans: TranslationBundle }): JSX.Element {
  const { provenance, trans } = props;
  const commit =
    provenance.gitCommit === null
      ? null
      : provenance.gitCommit.slice(0, 12) + (provenance.gitDirty ? ` ${trans.__('with changes not committed')}` : '');
  const packages = Object.entries(provenance.packages ?? {});
  const rows: [string, string | null][] = [
    [trans.__('Notebook'), provenance.notebookPath],
    [trans.__('Kernel'), [provenance.kernelName, provenance.languageVersion].filter(Boolean).join(' ') || null],
    [trans.__('Commit'), commit],
    [
      trans.__('Time per shard'),
      provenance.secondsPerShard === null ? null : formatDuration(provenance.secondsPerShard)
    ],
    [trans.__('Values from'), provenance.capturedFrom.map((from) => fromText(from, trans)).join(', ') || null]
  ];
  if (packages.length === 0 && rows.every(([, value]) => value === null)) {
    return <div className="jp-Labscale-Field-help">{trans.__('Nothing was recorded with these values.')}</div>;
  }
  return (
    <>
      <table className="jp-Labscale-Table">
        <tbody>
          {rows.map(([name, value]) =>
            value === null ? null : (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{value}</td>
              </tr>
            )
          )}
        </tbody>
      </table>
      {packages.length > 0 && (
        <details className="jp-Labscale-ParameterPage-packages">
          <summary>{trans._n('%1 package', '%1 packages', packages.length)}</summary>
          {packages.map(([name, version]) => (
            <code key={name}>
              {name} {version}
            </code>
          ))}
        </details>
      )}
    </>
  );
}

function fromText(from: Provenance['capturedFrom'][number], trans: TranslationBundle): string {
  const texts: Record<typeof from, string> = {
    'tagged-cell': trans.__('the parameters cell'),
    kernel: trans.__('the kernel'),
    widgets: trans.__('widgets'),
    call: trans.__('a call of save_parameters')
  };
  return texts[from];
}

function NoteEditor(props: { labscale: ILabscale; set: ParameterSet }): JSX.Element {
  const { set, labscale } = props;
  const { trans } = labscale;
  const [note, setNote] = React.useState(set.note);
  const [tags, setTags] = React.useState(set.tags.join(', '));
  const [busy, setBusy] = React.useState(false);
  const [error, setError] = React.useState<unknown>(null);
  const changed = note !== set.note || tags !== set.tags.join(', ');
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      const list = [
        ...new Set(
          tags
            .split(',')
            .map((tag) => tag.trim())
            .filter((tag) => tag !== '')
        )
      ];
      await labscale.client.call('updateParameterSet', {
        params: { parameterSetId: set.id },
        body: { note, tags: list }
      });
      setTags(list.join(', '));
    } catch (reason) {
      setError(reason);
    }
    setBusy(false);
  };
  return (
    <div className="jp-Labscale-ParameterPage-note">
      <textarea
        className="jp-Labscale-Input"
        rows={3}
        aria-label={trans.__('Note')}
        placeholder={trans.__('What is worth knowing about these values?')}
        value={note}
        onChange={(event) => setNote(event.target.value)}
      />
      <input
        className="jp-Labscale-Input"
        aria-label={trans.__('Tags, separated by commas')}
        placeholder={trans.__('Tags, separated by commas')}
        value={tags}
        onChange={(event) => setTags(event.target.value)}
      />
      {error !== null && (
        <ListState trans={trans} loading={false} error={error} empty={false} emptyText="" onRetry={() => void save()}>
          {null}
        </ListState>
      )}
      <button type="button" className="jp-Labscale-Button" disabled={!changed || busy} onClick={() => void save()}>
        {trans.__('Keep')}
      </button>
    </div>
  );
}
