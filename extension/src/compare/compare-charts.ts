import type { ParameterComparison } from '@labscale/schema';
import { chartFrame, type IChartTheme, type VegaLiteSpec } from '../runs/run-charts';
import { cellValue, rowName, type ICompareColumn } from './compare-model';

/** One line a set over the columns, each column scaled to its own span. */
export function parallelChart(
  comparison: ParameterComparison,
  columns: readonly ICompareColumn[],
  baselineId: string | null,
  setLabel: string,
  theme: IChartTheme
): VegaLiteSpec {
  const spans = new Map(
    columns.map((column) => {
      const values = comparison.versions.flatMap((row) => (cellValue(row, column) as number | undefined) ?? []);
      return [column.name, { low: Math.min(...values), high: Math.max(...values) }];
    })
  );
  const values = comparison.versions.flatMap((row) =>
    columns.flatMap((column, place) => {
      const value = cellValue(row, column) as number | undefined;
      if (value === undefined) return [];
      const { low, high } = spans.get(column.name) as { low: number; high: number };
      // A column whose values are all the same is drawn through the middle.
      const height = high === low ? 0.5 : (value - low) / (high - low);
      return { set: rowName(row), id: row.version.id, column: column.name, place, value, height };
    })
  );
  const ends = columns.flatMap((column) => {
    const { low, high } = spans.get(column.name) as { low: number; high: number };
    const text = (value: number) => String(Number(value.toPrecision(4)));
    return high === low
      ? [{ column: column.name, height: 0.5, text: text(low) }]
      : [
          { column: column.name, height: 0, text: text(low) },
          { column: column.name, height: 1, text: text(high) }
        ];
  });
  const x = {
    field: 'column',
    type: 'nominal',
    sort: columns.map(({ name }) => name),
    title: null,
    axis: { labelAngle: 0, grid: true, domain: false, ticks: false, labelPadding: 14 }
  };
  const y = { field: 'height', type: 'quantitative', axis: null, scale: { domain: [-0.12, 1.12] } };
  // Beyond the ends of a column, where no line runs through them.
  const endText = (at: (height: number) => boolean, dy: number) => ({
    data: { values: ends.filter(({ height }) => at(height)) },
    mark: { type: 'text', color: theme.text, fontSize: 11, dy },
    encoding: { x, y, text: { field: 'text' } }
  });
  const tooltip = [
    { field: 'set', title: setLabel },
    { field: 'column', title: ' ' },
    { field: 'value', title: '=' }
  ];
  const color = { field: 'set', type: 'nominal', title: setLabel };
  return {
    ...chartFrame(theme, 240),
    layer: [
      {
        data: { values },
        mark: { type: 'line', opacity: 0.85 },
        encoding: {
          x,
          y,
          color,
          detail: { field: 'id' },
          order: { field: 'place' },
          strokeWidth: { condition: { test: `datum.id === '${baselineId ?? ''}'`, value: 4 }, value: 1.5 },
          tooltip
        }
      },
      { data: { values }, mark: { type: 'point', filled: true, size: 40 }, encoding: { x, y, color, tooltip } },
      endText((height) => height > 0, -12),
      endText((height) => height === 0, 12)
    ]
  };
}

export function scatterChart(
  comparison: ParameterComparison,
  across: ICompareColumn,
  up: ICompareColumn,
  baselineId: string | null,
  setLabel: string,
  theme: IChartTheme
): VegaLiteSpec {
  const values = comparison.versions.flatMap((row) => {
    const x = cellValue(row, across);
    const y = cellValue(row, up);
    return x === undefined || y === undefined ? [] : { set: rowName(row), id: row.version.id, x, y };
  });
  const scale = { zero: false, padding: 12 };
  return {
    ...chartFrame(theme, 240),
    data: { values },
    mark: { type: 'point', filled: true, opacity: 0.9 },
    encoding: {
      x: { field: 'x', type: 'quantitative', title: across.name, scale },
      y: { field: 'y', type: 'quantitative', title: up.name, scale },
      color: { field: 'set', type: 'nominal', title: setLabel },
      size: { condition: { test: `datum.id === '${baselineId ?? ''}'`, value: 220 }, value: 90 },
      tooltip: [
        { field: 'set', title: setLabel },
        { field: 'x', title: across.name },
        { field: 'y', title: up.name }
      ]
    }
  };
}
