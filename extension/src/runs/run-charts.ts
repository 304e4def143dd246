import type { TaskColumns } from '@labscale/schema';

/** Colours and font of the theme, read from Lab's CSS variables where the chart is drawn. */
export interface IChartTheme {
  text: string;
  faint: string;
  background: string;
  font: string;
  mark: string;
  /** Of several series. */
  series: readonly string[];
}

export type VegaLiteSpec = Record<string, unknown>;

/** Points drawn one by one; beyond that they are binned, else drawing 100,000 takes seconds. */
export const maxPoints = 4_000;

function base(theme: IChartTheme, title: string): VegaLiteSpec {
  return {
    ...chartFrame(theme, 190),
    description: title,
    width: 'container'
  };
}

/** What every chart has, whatever it shows. */
export function chartFrame(theme: IChartTheme, height: number): VegaLiteSpec {
  return {
    $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
    height,
    autosize: { type: 'fit', contains: 'padding' },
    background: 'transparent',
    config: chartConfig(theme)
  };
}

function chartConfig(theme: IChartTheme): VegaLiteSpec {
  return {
    font: theme.font,
    background: 'transparent',
    view: { stroke: null },
    title: { color: theme.text, fontSize: 12, fontWeight: 500, anchor: 'start' },
    axis: {
      labelColor: theme.text,
      titleColor: theme.text,
      domainColor: theme.faint,
      tickColor: theme.faint,
      gridColor: theme.faint,
      gridOpacity: 0.4,
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: 'normal',
      labelLimit: 140
    },
    legend: {
      labelColor: theme.text,
      titleColor: theme.text,
      labelFontSize: 11,
      titleFontSize: 11,
      titleFontWeight: 'normal'
    },
    range: { category: [...theme.series] }
  };
}

/** Numbers in equal bins; the bounds are round, as a person would choose them. */
export function histogram(values: readonly number[], bins: number): { from: number; to: number; count: number }[] {
  if (values.length === 0) return [];
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low === high) return [{ from: low, to: low, count: values.length }];
  const rough = (high - low) / bins;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power;
  const start = Math.floor(low / step);
  const counts = new Array<number>(Math.floor(high / step) - start + 1).fill(0);
  for (const value of values) {
    const bin = Math.min(counts.length - 1, Math.floor(value / step) - start);
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts.map((count, bin) => ({
    // Rounded to what the step can say: 3 * 0.1 is not to be labelled 0.30000000000000004.
    from: Number(((start + bin) * step).toPrecision(12)),
    to: Number(((start + bin + 1) * step).toPrecision(12)),
    count
  }));
}

export interface IHistogramText {
  title: string;
  axis: string;
  tasks: string;
}

/** How the values are spread, as bars. */
export function histogramChart(values: readonly number[], text: IHistogramText, theme: IChartTheme): VegaLiteSpec {
  const bins = histogram(values, 24);
  const single = bins.length === 1 && bins[0]?.from === bins[0]?.to;
  return {
    ...base(theme, text.title),
    data: { values: single ? bins.map((bin) => ({ ...bin, label: String(bin.from) })) : bins },
    mark: { type: 'bar', color: theme.mark, ...(single ? { size: 40 } : { binSpacing: 1 }) },
    encoding: single
      ? {
          x: { field: 'label', type: 'nominal', title: text.axis, axis: { labelAngle: 0 } },
          y: { field: 'count', type: 'quantitative', title: text.tasks, axis: { tickMinStep: 1 } },
          tooltip: [
            { field: 'label', title: text.axis },
            { field: 'count', title: text.tasks }
          ]
        }
      : {
          x: { field: 'from', type: 'quantitative', bin: { binned: true }, title: text.axis },
          x2: { field: 'to' },
          y: { field: 'count', type: 'quantitative', title: text.tasks, axis: { tickMinStep: 1 } },
          tooltip: [
            { field: 'from', title: '≥' },
            { field: 'to', title: '<' },
            { field: 'count', title: text.tasks }
          ]
        }
  };
}

export interface IMetricText {
  title: string;
  task: string;
  shard: string;
  parameterSet: string;
  tasks: string;
}

/** One metric over the shards in index order, a colour for each parameter set; as a density where there are too many. */
export function metricOverShards(
  columns: TaskColumns,
  metric: string,
  setNames: ReadonlyMap<string, string>,
  text: IMetricText,
  theme: IChartTheme
): VegaLiteSpec {
  const values: { task: number; shard: string; set: string; value: number }[] = [];
  const column = columns.metrics[metric] ?? [];
  column.forEach((value, at) => {
    if (value === null) return;
    const setId = columns.parameterSetVersionId[at] ?? '';
    values.push({
      task: columns.index[at] ?? at,
      shard: columns.shardKey[at] ?? '',
      set: setNames.get(setId) ?? setId,
      value
    });
  });
  const several = new Set(values.map(({ set }) => set)).size > 1;
  const y = { field: 'value', type: 'quantitative', title: metric, scale: { zero: false } };
  const x = { field: 'task', type: 'quantitative', title: text.task, axis: { tickMinStep: 1 } };
  if (values.length > maxPoints) {
    return {
      ...base(theme, text.title),
      data: { values },
      mark: 'rect',
      encoding: {
        x: { ...x, bin: { maxbins: 120 } },
        y: { ...y, bin: { maxbins: 40 } },
        color: { aggregate: 'count', title: text.tasks, scale: { range: [theme.faint, theme.mark] } }
      }
    };
  }
  return {
    ...base(theme, text.title),
    data: { values },
    mark: { type: 'point', filled: true, size: 28, opacity: 0.8, color: theme.mark },
    encoding: {
      x,
      y,
      ...(several
        ? {
            color: { field: 'set', type: 'nominal', title: text.parameterSet },
            shape: { field: 'set', type: 'nominal', title: text.parameterSet }
          }
        : {}),
      tooltip: [
        { field: 'shard', title: text.shard },
        ...(several ? [{ field: 'set', title: text.parameterSet }] : []),
        { field: 'value', title: metric }
      ]
    }
  };
}

/** At most this many labels on an axis; the rest is left out, largest groups first kept. */
export const maxEntityLabels = 40;

/** One metric by the labels of an entity: the span, the quartiles and the median of each. */
export function metricByEntity(
  columns: TaskColumns,
  metric: string,
  entity: string,
  text: IMetricText,
  theme: IChartTheme
): VegaLiteSpec {
  const groups = new Map<string, number[]>();
  (columns.metrics[metric] ?? []).forEach((value, at) => {
    const label = columns.entities[entity]?.[at];
    if (value === null || label === null || label === undefined) return;
    const group = groups.get(label);
    if (group) group.push(value);
    else groups.set(label, [value]);
  });
  const kept = [...groups].sort((a, b) => b[1].length - a[1].length).slice(0, maxEntityLabels);
  const values = kept.map(([label, found]) => {
    const sorted = found.sort((a, b) => a - b);
    return {
      label,
      count: sorted.length,
      low: sorted[0],
      q1: quantile(sorted, 0.25),
      median: quantile(sorted, 0.5),
      q3: quantile(sorted, 0.75),
      high: sorted[sorted.length - 1]
    };
  });
  const x = { field: 'label', type: 'nominal', title: entity, sort: 'ascending', axis: { labelAngle: 0 } };
  const scale = { zero: false };
  return {
    ...base(theme, text.title),
    data: { values },
    encoding: {
      x,
      tooltip: [
        { field: 'label', title: entity },
        { field: 'count', title: text.tasks },
        ...['low', 'q1', 'median', 'q3', 'high'].map((field) => ({ field, format: '.4~g' }))
      ]
    },
    layer: [
      {
        mark: { type: 'rule', color: theme.faint },
        encoding: { y: { field: 'low', type: 'quantitative', title: metric, scale }, y2: { field: 'high' } }
      },
      {
        mark: { type: 'bar', size: 12, color: theme.mark, opacity: 0.75 },
        encoding: { y: { field: 'q1', type: 'quantitative', title: metric, scale }, y2: { field: 'q3' } }
      },
      {
        mark: { type: 'tick', color: theme.text, size: 14, thickness: 2 },
        encoding: { y: { field: 'median', type: 'quantitative', title: metric, scale } }
      }
    ]
  };
}

/** Of numbers in ascending order, between neighbours in proportion. */
export function quantile(sorted: readonly number[], at: number): number {
  const place = (sorted.length - 1) * at;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place - Math.floor(place));
}

/** Durations of the tasks that ran; reused ones took no time here. */
export function durations(columns: TaskColumns): number[] {
  return columns.durationSeconds.filter(
    (seconds, at): seconds is number => seconds !== null && columns.state[at] !== 'reused'
  );
}

/** Names of metrics of which at least one task has a value. */
export function metricNames(columns: TaskColumns): string[] {
  return Object.entries(columns.metrics).flatMap(([name, values]) =>
    values.some((value) => value !== null) ? [name] : []
  );
}

/** Entities with more than one label and fewer labels than tasks: by which grouping says something. */
export function groupingEntities(columns: TaskColumns): string[] {
  return Object.entries(columns.entities).flatMap(([name, labels]) => {
    const distinct = new Set(labels.filter((label) => label !== null)).size;
    return distinct > 1 && distinct < labels.length ? [name] : [];
  });
}
