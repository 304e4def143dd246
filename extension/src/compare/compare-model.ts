import type { JsonValue, ParameterComparison } from '@labscale/schema';
import { sameValue } from '../parameters/value-text';

type ComparedVersion = ParameterComparison['versions'][number];

export interface ICompareColumn {
  kind: 'parameter' | 'metric';
  name: string;
}

/** The columns of the table: what differs, then metrics; all parameters where asked for. */
export function compareColumns(comparison: ParameterComparison, all: boolean): ICompareColumn[] {
  const parameters = all ? [...comparison.differing, ...comparison.same] : comparison.differing;
  return [
    ...parameters.map((name): ICompareColumn => ({ kind: 'parameter', name })),
    ...comparison.metricNames.map((name): ICompareColumn => ({ kind: 'metric', name }))
  ];
}

export function cellValue(row: ComparedVersion, column: ICompareColumn): JsonValue | undefined {
  const from = column.kind === 'parameter' ? row.version.values : row.version.metrics;
  return Object.hasOwn(from, column.name) ? from[column.name] : undefined;
}

/** How a cell stands to the pinned row: the same, another value, or by how much it is more or less. */
export interface IDifference {
  same: boolean;
  /** Numbers only. */
  delta: number | null;
  /** Part of the baseline's magnitude; null where that is 0. */
  relative: number | null;
}

export function difference(value: JsonValue | undefined, baseline: JsonValue | undefined): IDifference {
  if (typeof value === 'number' && typeof baseline === 'number') {
    const delta = value - baseline;
    return { same: delta === 0, delta, relative: baseline === 0 ? null : delta / Math.abs(baseline) };
  }
  return { same: sameValue(value, baseline), delta: null, relative: null };
}

/** Columns that have nothing but numbers, in two rows or more: what parallel coordinates and scatter can show. */
export function numericColumns(comparison: ParameterComparison): ICompareColumn[] {
  return compareColumns(comparison, false).filter((column) => {
    const values = comparison.versions.map((row) => cellValue(row, column)).filter((value) => value !== undefined);
    return values.length > 1 && values.every((value) => typeof value === 'number');
  });
}

export function rowName(row: ComparedVersion): string {
  return `${row.parameterSetName} v${row.version.number}`;
}

/** Order of the rows by a column, numbers by size and the rest by text; rows without a value last. */
export function sortRows(
  rows: readonly ComparedVersion[],
  column: ICompareColumn | null,
  descending: boolean
): ComparedVersion[] {
  if (column === null) return [...rows];
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = cellValue(a, column);
    const right = cellValue(b, column);
    if (left === undefined || right === undefined) return left === right ? 0 : left === undefined ? 1 : -1;
    if (typeof left === 'number' && typeof right === 'number') return sign * (left - right);
    return sign * JSON.stringify(left).localeCompare(JSON.stringify(right));
  });
}
