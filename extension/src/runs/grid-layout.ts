/** Where each task of a run is drawn; pure, in CSS pixels. */
export interface IGridGroup {
  label: string;
  /** Task indexes in the order in which they are drawn. */
  indexes: ArrayLike<number>;
}

export interface IPlacedGroup extends IGridGroup {
  /** Top of the heading; cells start `headingHeight` below. */
  top: number;
  cellTop: number;
  /** Place in drawing order of its first cell. */
  first: number;
  rows: number;
}

export interface IGridLayout {
  columns: number;
  /** Side of a cell with the gap to the next. */
  pitch: number;
  groups: IPlacedGroup[];
  height: number;
  count: number;
}

export const headingHeight = 22;
const pitches = [44, 36, 28, 22, 18, 14, 11, 8, 6];

/** The largest cells with which all fit into the height; the smallest, scrolled, where none do. */
export function layOutGrid(
  groups: readonly IGridGroup[],
  width: number,
  height: number,
  headings: boolean
): IGridLayout {
  let layout = place(groups, width, pitches[0] as number, headings);
  for (const pitch of pitches) {
    layout = place(groups, width, pitch, headings);
    if (layout.height <= height) break;
  }
  return layout;
}

function place(groups: readonly IGridGroup[], width: number, pitch: number, headings: boolean): IGridLayout {
  const columns = Math.max(1, Math.floor(width / pitch));
  let top = 0;
  let first = 0;
  const placed = groups.map((group) => {
    const rows = Math.ceil(group.indexes.length / columns);
    const cellTop = top + (headings ? headingHeight : 0);
    const one = { ...group, top, cellTop, first, rows };
    top = cellTop + rows * pitch;
    first += group.indexes.length;
    return one;
  });
  return { columns, pitch, groups: placed, height: top, count: first };
}

/** The place in drawing order at a point, or null between cells. */
export function placeAt(layout: IGridLayout, x: number, y: number): number | null {
  const column = Math.floor(x / layout.pitch);
  if (column < 0 || column >= layout.columns) return null;
  for (const group of layout.groups) {
    if (y < group.cellTop || y >= group.cellTop + group.rows * layout.pitch) continue;
    const offset = Math.floor((y - group.cellTop) / layout.pitch) * layout.columns + column;
    return offset < group.indexes.length ? group.first + offset : null;
  }
  return null;
}

export function groupOf(layout: IGridLayout, at: number): IPlacedGroup | null {
  return layout.groups.find((group) => at >= group.first && at < group.first + group.indexes.length) ?? null;
}

/** Task index at a place in drawing order. */
export function indexAt(layout: IGridLayout, at: number): number | null {
  const group = groupOf(layout, at);
  return group === null ? null : (group.indexes[at - group.first] ?? null);
}

export function cellRect(layout: IGridLayout, at: number): { x: number; y: number } | null {
  const group = groupOf(layout, at);
  if (group === null) return null;
  const offset = at - group.first;
  return {
    x: (offset % layout.columns) * layout.pitch,
    y: group.cellTop + Math.floor(offset / layout.columns) * layout.pitch
  };
}

/** Where an arrow key leads: up and down keep the column, over the edge of a group too. */
export function moveInGrid(layout: IGridLayout, at: number, key: string, pageRows: number): number {
  const last = layout.count - 1;
  const clamp = (place: number) => Math.max(0, Math.min(last, place));
  switch (key) {
    case 'ArrowRight':
      return clamp(at + 1);
    case 'ArrowLeft':
      return clamp(at - 1);
    case 'Home':
      return 0;
    case 'End':
      return last;
    case 'ArrowDown':
      return moveRows(layout, at, 1);
    case 'ArrowUp':
      return moveRows(layout, at, -1);
    case 'PageDown':
      return moveRows(layout, at, pageRows);
    case 'PageUp':
      return moveRows(layout, at, -pageRows);
    default:
      return at;
  }
}

function moveRows(layout: IGridLayout, at: number, rows: number): number {
  let place = at;
  for (let step = 0; step < Math.abs(rows); step += 1) {
    const group = groupOf(layout, place);
    if (group === null) return place;
    const offset = place - group.first;
    const column = offset % layout.columns;
    const row = Math.floor(offset / layout.columns) + Math.sign(rows);
    const length = group.indexes.length;
    if (row >= 0 && row < group.rows) {
      place = group.first + Math.min(row * layout.columns + column, length - 1);
      continue;
    }
    const next = layout.groups[layout.groups.indexOf(group) + Math.sign(rows)];
    if (!next || next.indexes.length === 0) return place;
    const nextRow = rows > 0 ? 0 : next.rows - 1;
    place = next.first + Math.min(nextRow * layout.columns + column, next.indexes.length - 1);
  }
  return place;
}

/** Groups in order of first appearance; `other` holds the tasks without that entity. */
export function groupByLabel(labels: ArrayLike<string | null>, other: string): IGridGroup[] {
  const byLabel = new Map<string | null, number[]>();
  for (let index = 0; index < labels.length; index += 1) {
    const label = labels[index] ?? null;
    const indexes = byLabel.get(label);
    if (indexes) indexes.push(index);
    else byLabel.set(label, [index]);
  }
  return [...byLabel].map(([label, indexes]) => ({ label: label ?? other, indexes }));
}
