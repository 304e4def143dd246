import type { TranslationBundle } from '@jupyterlab/translation';
import type { TaskColumns, TaskState } from '@labscale/schema';
import type { ISignal } from '@lumino/signaling';
import * as React from 'react';
import { formatCount } from '../ui/format-count';
import { formatDuration } from '../ui/format-duration';
import { VirtualList } from '../ui/virtual-list';
import { metricText } from '../parameters/value-text';
import { metricNames } from './run-charts';
import type { RunModel } from './run-model';
import { taskStateText } from './run-text';
import { StateMark } from './shard-grid';

export interface ITaskTableProps {
  model: RunModel;
  trans: TranslationBundle;
  nameOf: (index: number) => string;
  /** Only tasks of this state, or all. */
  only: TaskState | null;
  selectedIndex: number | null;
  onSelect: (index: number) => void;
  onOpen: (index: number) => void;
  themeChanged: ISignal<unknown, unknown> | null;
}

type Order = { column: 'index' | 'state' | 'duration' | `metric:${string}`; descending: boolean };

/** Metrics that get a column; more make the table unreadable, and stand in the task's own pane. */
const mostMetrics = 3;

/** The tasks as rows. */
export function TaskTable(props: ITaskTableProps): JSX.Element {
  const { model, trans, nameOf, only, selectedIndex, themeChanged } = props;
  const [order, setOrder] = React.useState<Order>({ column: 'index', descending: false });
  const { columns } = model;
  const metrics = columns === null ? [] : metricNames(columns).slice(0, mostMetrics);
  const count = model.states.length;
  // Sorted anew with the columns, not with every event: rows that jump while one reads them are of no use.
  const sorted = React.useMemo(() => sortTasks(model, columns, count, order), [model, columns, count, order]);
  const indexes = only === null ? sorted : sorted.filter((index) => model.stateOf(index) === only);
  const heading = (column: Order['column'], label: string) => (
    <button
      type="button"
      key={column}
      aria-label={trans.__('Order by %1', label)}
      onClick={() => setOrder({ column, descending: order.column === column && !order.descending })}
    >
      {label}
      {order.column === column ? (order.descending ? ' ▾' : ' ▴') : ''}
    </button>
  );
  const template = `minmax(120px, 2fr) 96px 76px ${metrics.map(() => 'minmax(64px, 1fr)').join(' ')}`;
  const selected = selectedIndex === null ? -1 : indexes.indexOf(selectedIndex);
  return (
    <div className="jp-Labscale-TaskTable">
      <div className="jp-Labscale-TaskTable-head" style={{ gridTemplateColumns: template }}>
        {heading('index', trans.__('Task'))}
        {heading('state', trans.__('State'))}
        {heading('duration', trans.__('Time'))}
        {metrics.map((name) => heading(`metric:${name}`, name))}
      </div>
      {indexes.length === 0 ? (
        <div className="jp-Labscale-Field-help">{trans.__('No task is in this state.')}</div>
      ) : (
        <VirtualList
          label={trans.__('%1 tasks', formatCount(indexes.length))}
          role="listbox"
          count={indexes.length}
          rowHeight={24}
          rowKey={(row) => String(indexes[row])}
          selectedIndex={selected < 0 ? null : selected}
          onSelect={(row) => props.onSelect(indexes[row] as number)}
          onOpen={(row) => props.onOpen(indexes[row] as number)}
          row={(row) => {
            const index = indexes[row] as number;
            const state = model.stateOf(index) ?? 'waiting';
            const seconds = columns?.durationSeconds[index] ?? null;
            return {
              title: columns?.shardKey[index] ?? '',
              content: (
                <div className="jp-Labscale-TaskTable-row" style={{ gridTemplateColumns: template }}>
                  <span>{nameOf(index)}</span>
                  <span>
                    <StateMark state={state} themeChanged={themeChanged} />
                    {taskStateText(state, trans)}
                  </span>
                  <span>{seconds === null ? '' : formatDuration(seconds)}</span>
                  {metrics.map((name) => {
                    const value = columns?.metrics[name]?.[index] ?? null;
                    return <span key={name}>{value === null ? '' : metricText(value)}</span>;
                  })}
                </div>
              )
            };
          }}
        />
      )}
    </div>
  );
}

function sortTasks(model: RunModel, columns: TaskColumns | null, count: number, order: Order): number[] {
  const { column } = order;
  const key = (index: number): number | null => {
    if (column === 'index') return index;
    if (column === 'state') return model.states[index] ?? null;
    if (column === 'duration') return columns?.durationSeconds[index] ?? null;
    return columns?.metrics[column.slice('metric:'.length)]?.[index] ?? null;
  };
  const sign = order.descending ? -1 : 1;
  return Array.from({ length: count }, (_, index) => index).sort((a, b) => {
    const left = key(a);
    const right = key(b);
    // Tasks without a value are last in either direction.
    if (left === null || right === null) return left === right ? a - b : left === null ? 1 : -1;
    return sign * (left - right) || a - b;
  });
}
