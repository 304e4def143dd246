import type { TaskColumns } from '@labscale/schema';
import {
  durations,
  groupingEntities,
  histogram,
  histogramChart,
  maxPoints,
  metricByEntity,
  metricNames,
  metricOverShards,
  quantile,
  type IChartTheme
} from './run-charts';

const theme: IChartTheme = { text: 'a', faint: 'b', background: 'c', font: 'd', mark: 'e', series: ['f', 'g'] };
const text = { title: 't', task: 'Task', shard: 'Shard', parameterSet: 'Set', tasks: 'Tasks' };
const columns: TaskColumns = {
  runId: 'run-1',
  index: [0, 1, 2, 3],
  shardKey: ['a', 'b', 'c', 'd'],
  parameterSetVersionId: ['pv-1', 'pv-1', 'pv-2', 'pv-2'],
  state: ['succeeded', 'reused', 'succeeded', 'failed'],
  durationSeconds: [1, 9, 3, null],
  entities: { sub: ['01', '01', '02', null], run: ['1', '2', '3', '4'], only: ['x', 'x', 'x', 'x'] },
  metrics: { snr: [1, 2, 4, null], none: [null, null, null, null] }
};
const dataOf = (spec: Record<string, unknown>) => (spec.data as { values: Record<string, unknown>[] }).values;

it('bins numbers between round bounds and loses none', () => {
  const bins = histogram([0.1, 0.11, 0.19, 0.3], 4);
  expect(bins.reduce((sum, bin) => sum + bin.count, 0)).toBe(4);
  expect(bins[0]).toEqual({ from: 0.1, to: 0.15, count: 2 });
  expect(histogram([2, 2], 4)).toEqual([{ from: 2, to: 2, count: 2 }]);
  expect(histogram([], 4)).toEqual([]);
});

it('draws equal values as one bar with a label, since a bin without width is invisible', () => {
  expect(dataOf(histogramChart([2, 2], { title: 't', axis: 's', tasks: 'n' }, theme))).toEqual([
    { from: 2, to: 2, count: 2, label: '2' }
  ]);
});

it('takes durations of tasks that ran, not of reused ones', () => {
  expect(durations(columns)).toEqual([1, 3]);
});

it('offers metrics that have a value and entities that group', () => {
  expect(metricNames(columns)).toEqual(['snr']);
  expect(groupingEntities(columns)).toEqual(['sub']);
});

it('colours the sets only where there is more than one', () => {
  const names = new Map([
    ['pv-1', 'best'],
    ['pv-2', 'other']
  ]);
  const several = metricOverShards(columns, 'snr', names, text, theme);
  expect(dataOf(several)[2]).toEqual({ task: 2, shard: 'c', set: 'other', value: 4 });
  expect((several.encoding as Record<string, unknown>).color).toBeDefined();
  const single = metricOverShards(
    { ...columns, parameterSetVersionId: ['pv-1', 'pv-1', 'pv-1', 'pv-1'] },
    'snr',
    names,
    text,
    theme
  );
  expect((single.encoding as Record<string, unknown>).color).toBeUndefined();
});

it('bins what is too many to draw one by one', () => {
  const many = maxPoints + 1;
  const spec = metricOverShards(
    {
      ...columns,
      index: Array.from({ length: many }, (_, at) => at),
      metrics: { snr: Array.from({ length: many }, (_, at) => at) }
    },
    'snr',
    new Map(),
    text,
    theme
  );
  expect(spec.mark).toBe('rect');
});

it('gives quartiles by entity and leaves out tasks without it', () => {
  expect(dataOf(metricByEntity(columns, 'snr', 'sub', text, theme))).toEqual([
    { label: '01', count: 2, low: 1, q1: 1.25, median: 1.5, q3: 1.75, high: 2 },
    { label: '02', count: 1, low: 4, q1: 4, median: 4, q3: 4, high: 4 }
  ]);
  expect(quantile([1, 2, 3], 0.5)).toBe(2);
});
