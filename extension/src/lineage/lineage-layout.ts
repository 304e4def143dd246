import type { Lineage } from '@labscale/schema';

type LineageNode = Lineage['nodes'][number];
type LineageEdge = Lineage['edges'][number];

export interface IPlacedNode {
  node: LineageNode;
  x: number;
  y: number;
}
export interface IPlacedEdge {
  edge: LineageEdge;
  /** From the right side of the older node to the left side of the newer one, past those between. */
  points: { x: number; y: number }[];
}
export interface ILineageLayout {
  nodes: IPlacedNode[];
  edges: IPlacedEdge[];
  width: number;
  height: number;
}

export const nodeWidth = 190;
export const nodeHeight = 44;
const columnGap = 44;
const rowGap = 14;
const laneHeight = 6;
const margin = 4;

/** What takes room in a column: a node, or the lane of an edge that passes by. */
interface ISlot {
  node: LineageNode | null;
  /** Where it hangs on: slots of the column before. */
  before: ISlot[];
  row: number;
  y: number;
}

/** Places what something was made from to the left of it, and what was made from it to the right. */
export function layOutLineage(lineage: Lineage): ILineageLayout {
  const byId = new Map(lineage.nodes.map((node) => [node.id, node]));
  const inTime = [...lineage.nodes].sort((a, b) => a.createdAt.localeCompare(b.createdAt) || a.id.localeCompare(b.id));
  const place = new Map(inTime.map((node, index) => [node.id, index]));
  // Edges are named by what they say ("cut from"), so their direction is not that of time; the column goes by time.
  const arrows = lineage.edges.flatMap((edge) => {
    const from = place.get(edge.from);
    const to = place.get(edge.to);
    if (from === undefined || to === undefined || from === to) return [];
    return [from < to ? { edge, older: edge.from, newer: edge.to } : { edge, older: edge.to, newer: edge.from }];
  });
  const column = new Map<string, number>();
  for (const { id } of inTime) {
    const before = arrows.filter((one) => one.newer === id).map((one) => (column.get(one.older) ?? 0) + 1);
    column.set(id, Math.max(0, ...before));
  }

  const columns: ISlot[][] = [];
  const addSlot = (at: number, node: LineageNode | null, before: ISlot[]): ISlot => {
    const slot = { node, before, row: 0, y: 0 };
    (columns[at] ??= []).push(slot);
    return slot;
  };
  const slots = new Map(inTime.map(({ id }) => [id, addSlot(column.get(id) ?? 0, byId.get(id) ?? null, [])]));
  const ways = arrows.flatMap(({ edge, older, newer }) => {
    const first = slots.get(older);
    const last = slots.get(newer);
    if (!first || !last) return [];
    const way = [first];
    for (let at = (column.get(older) ?? 0) + 1; at < (column.get(newer) ?? 0); at += 1) {
      way.push(addSlot(at, null, way.slice(-1)));
    }
    last.before.push(...way.slice(-1));
    return [{ edge, way: [...way, last] }];
  });

  // Each column in the order of the middle of what its slots hang on: few crossings, and the same picture every time.
  for (const column of columns) {
    const middle = (slot: ISlot) =>
      slot.before.length > 0 ? slot.before.reduce((sum, one) => sum + one.row, 0) / slot.before.length : -1;
    column.sort((a, b) => middle(a) - middle(b) || (a.node?.id ?? '~').localeCompare(b.node?.id ?? '~'));
    column.forEach((slot, row) => (slot.row = row));
  }

  const heightOf = (slot: ISlot) => (slot.node ? nodeHeight : laneHeight);
  const used = columns.map((column) => column.reduce((sum, slot) => sum + heightOf(slot) + rowGap, -rowGap));
  const height = 2 * margin + Math.max(nodeHeight, ...used);
  const xOf = (at: number) => margin + at * (nodeWidth + columnGap);
  const nodes: IPlacedNode[] = [];
  columns.forEach((column, at) => {
    let y = (height - (used[at] ?? 0)) / 2;
    for (const slot of column) {
      slot.y = y;
      y += heightOf(slot) + rowGap;
      if (slot.node) nodes.push({ node: slot.node, x: xOf(at), y: slot.y });
    }
  });
  const edges = ways.map(({ edge, way }): IPlacedEdge => {
    const start = columns.findIndex((one) => one.includes(way[0] as ISlot));
    const points = way.flatMap((slot, step) => {
      const y = slot.y + heightOf(slot) / 2;
      const left = { x: xOf(start + step), y };
      const right = { x: xOf(start + step) + nodeWidth, y };
      return step === 0 ? [right] : step === way.length - 1 ? [left] : [left, right];
    });
    return { edge, points };
  });
  const width = 2 * margin + columns.length * nodeWidth + Math.max(0, columns.length - 1) * columnGap;
  return { nodes, edges, width, height };
}
