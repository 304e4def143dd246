import type { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import type { ParameterComparison } from '@labscale/schema';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import { isAborted } from '../api/client';
import { metricText, valueText } from '../parameters/value-text';
import { Chart } from '../runs/chart';
import type { ILabscale } from '../tokens';
import { focusFirst } from '../ui/focus-first';
import { LazyReactWidget } from '../ui/lazy-react-widget';
import { ListState } from '../ui/list-state';
import { SectionHeader } from '../ui/section-header';
import { parallelChart, scatterChart } from './compare-charts';
import {
  cellValue,
  compareColumns,
  difference,
  numericColumns,
  rowName,
  sortRows,
  type ICompareColumn
} from './compare-model';

export interface IComparePageOptions {
  versions: readonly string[];
  labscale: ILabscale;
  rendermime: IRenderMimeRegistry;
  themeChanged: ISignal<unknown, unknown> | null;
  openSet: (parameterSetId: string) => void;
  promote: (versionId: string) => void;
}

/** Set versions side by side. */
export class ComparePage extends LazyReactWidget {
  constructor(private readonly _options: IComparePageOptions) {
    super();
    this.versions = _options.versions;
    this.addClass('jp-Labscale-Document');
    this.addClass('jp-Labscale-Compare');
  }
  readonly versions: readonly string[];
  protected renderVisible(): JSX.Element {
    return <Page {...this._options} />;
  }
  protected override onActivateRequest(): void {
    focusFirst(this.node, 'input:enabled', 'button');
  }
}

function Page(props: IComparePageOptions): JSX.Element {
  const { labscale, versions } = props;
  const { client, trans } = labscale;
  const [comparison, setComparison] = React.useState<ParameterComparison | null>(null);
  const [error, setError] = React.useState<unknown>(null);
  const [round, setRound] = React.useState(0);
  React.useEffect(() => {
    const abort = new AbortController();
    setError(null);
    client
      .call('compareParameterSets', { query: { versions: versions.join(',') }, signal: abort.signal })
      .then(setComparison, (reason: unknown) => {
        if (!isAborted(reason) && !abort.signal.aborted) setError(reason);
      });
    return () => abort.abort();
  }, [client, versions, round]);
  return (
    <ListState
      trans={trans}
      loading={comparison === null}
      error={error}
      empty={false}
      emptyText=""
      onRetry={() => setRound(round + 1)}
    >
      {comparison && <Comparison {...props} comparison={comparison} />}
    </ListState>
  );
}

type IComparisonProps = IComparePageOptions & { comparison: ParameterComparison };

function Comparison(props: IComparisonProps): JSX.Element {
  const { comparison, labscale } = props;
  const { trans } = labscale;
  const [all, setAll] = React.useState(false);
  const [baselineId, setBaselineId] = React.useState<string | null>(null);
  return (
    <>
      <div className="jp-Labscale-Document-head">
        <div>
          <h1>{trans._n('%1 parameter set', '%1 parameter sets', comparison.versions.length)}</h1>
          <div className="jp-Labscale-Document-facts">
            {comparison.differing.length === 0
              ? trans.__('All values are the same.')
              : trans._n(
                  '%1 parameter differs, %2 do not',
                  '%1 parameters differ, %2 do not',
                  comparison.differing.length,
                  comparison.same.length
                )}
          </div>
        </div>
        <label className="jp-Labscale-Compare-all">
          <input
            type="checkbox"
            className="jp-Labscale-Checkbox"
            checked={all}
            disabled={comparison.same.length === 0}
            onChange={(event) => setAll(event.target.checked)}
          />
          {trans.__('Show what is the same, too')}
        </label>
      </div>
      <Table {...props} all={all} baselineId={baselineId} onBaseline={setBaselineId} />
      <Charts {...props} baselineId={baselineId} />
    </>
  );
}

interface ITableProps extends IComparisonProps {
  all: boolean;
  baselineId: string | null;
  onBaseline: (id: string | null) => void;
}

function Table(props: ITableProps): JSX.Element {
  const { comparison, all, baselineId, onBaseline, labscale } = props;
  const { trans, client } = labscale;
  const [order, setOrder] = React.useState<{ column: ICompareColumn; descending: boolean } | null>(null);
  const columns = compareColumns(comparison, all);
  const baseline = comparison.versions.find(({ version }) => version.id === baselineId) ?? null;
  const sorted = sortRows(comparison.versions, order?.column ?? null, order?.descending ?? false);
  // The pinned row stays on top, so that the differences can be read downwards.
  const rows = baseline === null ? sorted : [baseline, ...sorted.filter((row) => row !== baseline)];
  const pictures = rows.some(({ version }) => version.hasThumbnail);
  const isOrder = (column: ICompareColumn) =>
    order !== null && order.column.kind === column.kind && order.column.name === column.name;
  return (
    <div className="jp-Labscale-Compare-tableHolder">
      <table className="jp-Labscale-Compare-table">
        <thead>
          <tr>
            <th scope="col">{trans.__('Set')}</th>
            {pictures && <th scope="col">{trans.__('Output')}</th>}
            {columns.map((column) => (
              <th
                key={`${column.kind} ${column.name}`}
                scope="col"
                className={`jp-mod-${column.kind}`}
                aria-sort={isOrder(column) ? (order?.descending ? 'descending' : 'ascending') : 'none'}
              >
                <button
                  type="button"
                  onClick={() => setOrder({ column, descending: isOrder(column) && !order?.descending })}
                >
                  {column.name}
                  {isOrder(column) ? (order?.descending ? ' ▾' : ' ▴') : ''}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => {
            const { version } = row;
            const pinned = row === baseline;
            return (
              <tr key={version.id} className={pinned ? 'jp-mod-pinned' : undefined}>
                <th scope="row">
                  <button
                    type="button"
                    className="jp-Labscale-Link"
                    onClick={() => props.openSet(version.parameterSetId)}
                  >
                    {rowName(row)}
                  </button>
                  <div className="jp-Labscale-Compare-rowActions">
                    <button
                      type="button"
                      className="jp-Labscale-Button jp-mod-minimal"
                      aria-pressed={pinned}
                      onClick={() => onBaseline(pinned ? null : version.id)}
                    >
                      {pinned ? trans.__('Unpin') : trans.__('Pin as baseline')}
                    </button>
                    <button
                      type="button"
                      className="jp-Labscale-Button jp-mod-minimal"
                      onClick={() => props.promote(version.id)}
                    >
                      {trans.__('Promote…')}
                    </button>
                  </div>
                </th>
                {pictures && (
                  <td>
                    {version.hasThumbnail && (
                      <img
                        className="jp-Labscale-Compare-picture"
                        loading="lazy"
                        src={client.url('getThumbnail', { params: { versionId: version.id } })}
                        alt={trans.__('Output of %1', rowName(row))}
                      />
                    )}
                  </td>
                )}
                {columns.map((column) => (
                  <Cell
                    key={`${column.kind} ${column.name}`}
                    column={column}
                    value={cellValue(row, column)}
                    against={baseline === null || pinned ? undefined : { value: cellValue(baseline, column) }}
                  />
                ))}
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

interface ICellProps {
  column: ICompareColumn;
  value: ReturnType<typeof cellValue>;
  against: { value: ReturnType<typeof cellValue> } | undefined;
}

function Cell(props: ICellProps): JSX.Element {
  const { column, value, against } = props;
  const text = typeof value === 'number' && column.kind === 'metric' ? metricText(value) : valueText(value, 80);
  const differs = against === undefined ? null : difference(value, against.value);
  const delta = differs?.delta ?? null;
  return (
    <td className={`jp-mod-${column.kind}${differs && !differs.same ? ' jp-mod-changed' : ''}`}>
      <code>{text}</code>
      {delta !== null && delta !== 0 && (
        <div className="jp-Labscale-Compare-delta">
          {delta > 0 ? '+' : '−'}
          {metricText(Math.abs(delta))}
          {differs?.relative !== null && differs !== null && ` (${Math.round(Math.abs(differs.relative) * 100)} %)`}
        </div>
      )}
    </td>
  );
}

function Charts(props: IComparisonProps & { baselineId: string | null }): JSX.Element | null {
  const { comparison, baselineId, labscale, rendermime, themeChanged } = props;
  const { trans } = labscale;
  const columns = React.useMemo(() => numericColumns(comparison), [comparison]);
  const firstMetric = columns.findIndex(({ kind }) => kind === 'metric');
  const [across, setAcross] = React.useState(0);
  const [up, setUp] = React.useState(firstMetric > 0 ? firstMetric : Math.min(1, columns.length - 1));
  if (columns.length < 2) {
    return <div className="jp-Labscale-Field-help">{trans.__('Charts need at least two columns of numbers.')}</div>;
  }
  const x = columns[across] as ICompareColumn;
  const y = columns[up] as ICompareColumn;
  const choose = (label: string, value: number, onChange: (at: number) => void) => (
    <select
      className="jp-Labscale-Input"
      aria-label={label}
      value={value}
      onChange={(event) => onChange(Number(event.target.value))}
    >
      {columns.map((column, at) => (
        <option key={`${column.kind} ${column.name}`} value={at}>
          {column.name}
        </option>
      ))}
    </select>
  );
  const drawing = { rendermime, trans, themeChanged };
  return (
    <>
      <SectionHeader title={trans.__('Charts')} />
      <div className="jp-Labscale-RunPage-charts">
        <figure>
          <figcaption>{trans.__('All at once')}</figcaption>
          <Chart
            {...drawing}
            label={trans.__('Parallel coordinates of all numbers')}
            mark={baselineId}
            height={250}
            spec={(theme) => parallelChart(comparison, columns, baselineId, trans.__('set'), theme)}
          />
        </figure>
        <figure>
          <figcaption className="jp-Labscale-Compare-axes">
            {choose(trans.__('Upwards'), up, setUp)}
            {trans.__('over')}
            {choose(trans.__('Across'), across, setAcross)}
          </figcaption>
          <Chart
            {...drawing}
            label={trans.__('%1 over %2', y.name, x.name)}
            mark={`${across} ${up} ${baselineId}`}
            height={250}
            spec={(theme) => scatterChart(comparison, x, y, baselineId, trans.__('set'), theme)}
          />
        </figure>
      </div>
    </>
  );
}
