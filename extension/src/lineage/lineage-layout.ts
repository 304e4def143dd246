import type { Lineage } from '@labscale/schema';

export interface IPlacedNode {
  node: Lineage['nodes'][number];
  x: number;
  y: number;
}
export interface IPlacedEdge {
  edge: Lineage['edges'][number];
  /** Right side of the older node, left side of the newer one. */
  from: { x: number; y: number };
  to: { x: number; y: number };
}
export interface ILineageLayout {
  nodes: IPlacedNode[];
  edges: IPlacedEdge[];
  width: number;
  height: number;
}

export const nodeWidth = 190;
export const nodeHeight = 44;
const columnGap = 64;
const rowGap = 14;
const margin = 16;

/** Places what something was made from to the left of it, and what was made from it to the right. */
export function layOutLineage(lineage: Lineage): ILineageLayout {
  const byId = new Map(lineage.nodes.map((node) => [node.id, node]));
  // Edges are named by what they say ("cut from"), so their direction is not that of time; the column goes by time.
  const arrows = lineage.edges.flatMap((edge) => {
    const from = byId.get(edge.from);
    const to = byId.get(edge.to);
    if (!from || !to || from === to) return [];
    const [older, newer] = from.createdAt <= to.createdAt ? [from.id, to.id] : [to.id, from.id];
    return [{ edge, older, newer }];
  });
  const inTime = [...lineage.nodes].sort((a, b) =>
    a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : 0
  );
  const place = new Map(inTime.map((node, index) => [node.id, index]));
  const column = new Map<string, number>();
  for (const node of inTime) {
    const before = arrows.filter(
      (one) => one.newer === node.id && (place.get(one.older) ?? 0) < (place.get(node.id) ?? 0)
    );
    column.set(node.id, Math.max(0, ...before.map((one) => (column.get(one.older) ?? 0) + 1)));
  }
  const columns: Lineage['nodes'][] = [];
  for (const node of inTime) (columns[column.get(node.id) ?? 0] ??= []).push(node);

  // Each column in the order of the middle of what its nodes hang on: few crossings, and the same picture every time.
  const row = new Map<string, number>();
  for (const nodes of columns) {
    const middle = (id: string) => {
      const rows = arrows.filter((one) => one.newer === id).map((one) => row.get(one.older) ?? 0);
      return rows.length > 0 ? rows.reduce((sum, one) => sum + one, 0) / rows.length : -1;
    };
    nodes.sort((a, b) => middle(a.id) - middle(b.id) || a.noun.localeCompare(b.noun) || a.id.localeCompare(b.id));
    nodes.forEach((node, index) => row.set(node.id, index));
  }

  const tallest = Math.max(1, ...columns.map((nodes) => nodes.length));
  const height = 2 * margin + tallest * nodeHeight + (tallest - 1) * rowGap;
  const placed = new Map<string, IPlacedNode>();
  columns.forEach((nodes, index) => {
    const used = nodes.length * nodeHeight + (nodes.length - 1) * rowGap;
    nodes.forEach((node, at) => {
      placed.set(node.id, {
        node,
        x: margin + index * (nodeWidth + columnGap),
        y: (height - used) / 2 + at * (nodeHeight + rowGap)
      });
    });
  });
  const edges = arrows.flatMap(({ edge, older, newer }): IPlacedEdge[] => {
    const from = placed.get(older);
    const to = placed.get(newer);
    if (!from || !to) return [];
    return [
      {
        edge,
        from: { x: from.x + nodeWidth, y: from.y + nodeHeight / 2 },
        to: { x: to.x, y: to.y + nodeHeight / 2 }
      }
    ];
  });
  const width = 2 * margin + columns.length * nodeWidth + Math.max(0, columns.length - 1) * columnGap;
  return { nodes: [...placed.values()], edges, width, height };
}
