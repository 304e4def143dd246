import example from '@labscale/schema/example.json';
import type { ParameterComparison, ParameterSetVersion } from '@labscale/schema';
import { parallelChart, scatterChart } from './compare-charts';
import { cellValue, compareColumns, difference, numericColumns, rowName, sortRows } from './compare-model';

const base = example.ParameterComparison as unknown as ParameterComparison;
const version = example.ParameterSetVersion as unknown as ParameterSetVersion;
const [first, second] = ['pv-a', 'pv-b'].map((id, at) => ({
  parameterSetName: 'best',
  version: {
    ...version,
    id,
    number: at + 1,
    values: { sigma: 1 + at, mode: at ? 'x' : 'y', kept: 3 },
    metrics: { snr: 10 - at }
  }
}));
const comparison: ParameterComparison = {
  versions: [first!, second!],
  differing: ['sigma', 'mode'],
  same: ['kept'],
  metricNames: ['snr']
};
const theme = { text: 'a', faint: 'b', background: 'c', font: 'd', mark: 'e', series: ['f'] };

it('shows what differs, and all where asked for', () => {
  expect(compareColumns(comparison, false).map(({ name }) => name)).toEqual(['sigma', 'mode', 'snr']);
  expect(compareColumns(comparison, true).map(({ name }) => name)).toEqual(['sigma', 'mode', 'kept', 'snr']);
});

it('reads every cell of the example', () => {
  for (const row of base.versions) {
    for (const column of compareColumns(base, true)) {
      expect([column.name, cellValue(row, column) === undefined]).toEqual([
        column.name,
        !(column.name in (column.kind === 'parameter' ? row.version.values : row.version.metrics))
      ]);
    }
  }
});

it('does not take what every object has for a value', () => {
  expect(cellValue(first!, { kind: 'parameter', name: 'constructor' })).toBeUndefined();
});

it('tells by how much a number differs from the pinned row, and only whether anything else does', () => {
  expect(difference(3, 2)).toEqual({ same: false, delta: 1, relative: 0.5 });
  expect(difference(3, 0)).toEqual({ same: false, delta: 3, relative: null });
  expect(difference({ a: 1, b: 2 }, { b: 2, a: 1 })).toEqual({ same: true, delta: null, relative: null });
  expect(difference('x', undefined)).toEqual({ same: false, delta: null, relative: null });
});

it('leaves a row without a value out of the charts, and a column with other than numbers', () => {
  const third = { ...first!, version: { ...first!.version, id: 'pv-c', number: 3, metrics: {} } };
  const three = { ...comparison, versions: [first!, second!, third] };
  const [across, up] = numericColumns(three);
  expect([across?.name, up?.name]).toEqual(['sigma', 'snr']);
  const points = scatterChart(three, across!, up!, null, 'set', theme).data as { values: { id: string }[] };
  expect(points.values.map(({ id }) => id)).toEqual(['pv-a', 'pv-b']);
  const lone = { ...comparison, versions: [first!, third] };
  expect(numericColumns(lone).map(({ name }) => name)).toEqual(['sigma']);
});

it('draws only columns that are numbers', () => {
  expect(numericColumns(comparison).map(({ name }) => name)).toEqual(['sigma', 'snr']);
  const spec = parallelChart(comparison, numericColumns(comparison), 'pv-a', 'set', theme);
  const lines = (spec.layer as { data: { values: { column: string; height: number }[] } }[])[0]!.data.values;
  expect(lines.map(({ column, height }) => [column, height])).toEqual([
    ['sigma', 0],
    ['snr', 1],
    ['sigma', 1],
    ['snr', 0]
  ]);
  const [across, up] = numericColumns(comparison);
  const scatter = scatterChart(comparison, across!, up!, null, 'set', theme);
  expect((scatter.data as { values: unknown[] }).values).toEqual([
    { set: 'best v1', id: 'pv-a', x: 1, y: 10 },
    { set: 'best v2', id: 'pv-b', x: 2, y: 9 }
  ]);
});

it('sorts by a column with missing values last, in both directions', () => {
  const without = { ...first!, version: { ...first!.version, id: 'pv-c', number: 3, metrics: {} } };
  const rows = [without, second!, first!];
  const snr = { kind: 'metric', name: 'snr' } as const;
  expect(sortRows(rows, snr, false).map(rowName)).toEqual(['best v2', 'best v1', 'best v3']);
  expect(sortRows(rows, snr, true).map(rowName)).toEqual(['best v1', 'best v2', 'best v3']);
  expect(sortRows(rows, null, false)).toEqual(rows);
});
