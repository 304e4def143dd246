import type { Lineage } from '@labscale/schema';
import { layOutLineage, nodeHeight, nodeWidth } from './lineage-layout';

type Node = Lineage['nodes'][number];
const node = (id: string, noun: Node['noun'], second: number): Node => ({
  id,
  noun,
  parentId: null,
  name: id,
  number: 1,
  createdAt: `2026-01-01T00:00:0${second}.000Z`,
  superseded: false
});

const lineage: Lineage = {
  focus: 'run',
  nodes: [
    node('made', 'dataset-version', 5),
    node('data', 'dataset-version', 0),
    node('snippet', 'snippet', 1),
    node('analysis', 'analysis-version', 2),
    node('set', 'parameter-set-version', 3),
    node('run', 'run', 4)
  ],
  edges: [
    { from: 'snippet', to: 'data', relation: 'cut-from' },
    { from: 'set', to: 'snippet', relation: 'tuned-on' },
    { from: 'set', to: 'analysis', relation: 'values-for' },
    { from: 'data', to: 'run', relation: 'input' },
    { from: 'analysis', to: 'run', relation: 'analysis' },
    { from: 'set', to: 'run', relation: 'parameters' },
    { from: 'run', to: 'made', relation: 'made' }
  ]
};

describe('layOutLineage', () => {
  const layout = layOutLineage(lineage);
  const x = (id: string) => layout.nodes.find((one) => one.node.id === id)?.x ?? NaN;

  it('puts what came first to the left, whatever an edge is called', () => {
    expect(x('data')).toBeLessThan(x('snippet'));
    expect(x('snippet')).toBeLessThan(x('set'));
    expect(x('analysis')).toBeLessThan(x('set'));
    expect(x('set')).toBeLessThan(x('run'));
    expect(x('run')).toBeLessThan(x('made'));
  });

  it('draws every edge from left to right, past the boxes between', () => {
    expect(layout.edges).toHaveLength(lineage.edges.length);
    for (const { points } of layout.edges) {
      points.slice(1).forEach((point, index) => expect(point.x).toBeGreaterThan(points[index]?.x ?? NaN));
      for (const { x: left, y: top } of layout.nodes) {
        for (const point of points.slice(1, -1)) {
          const inside = point.x >= left && point.x <= left + nodeWidth && point.y > top && point.y < top + nodeHeight;
          expect(inside).toBe(false);
        }
      }
    }
    // The data go straight to the run too, past snippet and set.
    expect(layout.edges.find((one) => one.edge.relation === 'input')?.points).toHaveLength(6);
  });

  it('keeps all nodes apart and inside', () => {
    for (const a of layout.nodes) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.x + nodeWidth).toBeLessThanOrEqual(layout.width);
      expect(a.y + nodeHeight).toBeLessThanOrEqual(layout.height);
      for (const b of layout.nodes) {
        if (a !== b && a.x === b.x) expect(Math.abs(a.y - b.y)).toBeGreaterThanOrEqual(nodeHeight);
      }
    }
  });

  it('leaves out an edge whose end is not there', () => {
    const cut = { ...lineage, nodes: lineage.nodes.filter((one) => one.id !== 'snippet') };
    expect(layOutLineage(cut).edges).toHaveLength(lineage.edges.length - 2);
  });
});
