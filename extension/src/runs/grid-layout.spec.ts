import { cellRect, groupByLabel, indexAt, layOutGrid, moveInGrid, placeAt } from './grid-layout';

const one = (count: number) => [{ label: 'all', indexes: Array.from({ length: count }, (_, index) => index) }];

it('takes large cells for few tasks and the smallest, scrolled, for 100,000', () => {
  expect(layOutGrid(one(64), 800, 300, false).pitch).toBe(44);
  const many = layOutGrid(one(100_000), 800, 300, false);
  expect(many.pitch).toBe(6);
  expect(many.height).toBe(Math.ceil(100_000 / 133) * 6);
});

it('finds the cell under a point, and none beside the last one', () => {
  const layout = layOutGrid(one(10), 100, 66, false);
  expect(layout.columns).toBe(4);
  expect(placeAt(layout, 23, 45)).toBe(9);
  expect(placeAt(layout, 45, 45)).toBeNull();
  expect(placeAt(layout, 99, 5)).toBeNull();
  expect(cellRect(layout, 9)).toEqual({ x: 22, y: 44 });
});

it('groups by label in order of appearance and draws each group by itself', () => {
  const groups = groupByLabel(['b', 'a', null, 'b'], 'none');
  expect(groups).toEqual([
    { label: 'b', indexes: [0, 3] },
    { label: 'a', indexes: [1] },
    { label: 'none', indexes: [2] }
  ]);
  const layout = layOutGrid(groups, 100, 150, true);
  expect([0, 1, 2, 3].map((at) => indexAt(layout, at))).toEqual([0, 3, 1, 2]);
  expect(placeAt(layout, 5, layout.groups[1]!.top + 5)).toBeNull();
});

it('arrows keep the column over short rows and from one group to the next', () => {
  const layout = layOutGrid(
    [
      { label: 'a', indexes: [0, 1, 2, 3, 4, 5] },
      { label: 'b', indexes: [6, 7] }
    ],
    100,
    115,
    true
  );
  expect(layout.columns).toBe(4);
  expect(moveInGrid(layout, 3, 'ArrowDown', 5)).toBe(5);
  expect(moveInGrid(layout, 5, 'ArrowDown', 5)).toBe(7);
  expect(moveInGrid(layout, 7, 'ArrowUp', 5)).toBe(5);
  expect(moveInGrid(layout, 0, 'ArrowUp', 5)).toBe(0);
  expect(moveInGrid(layout, 0, 'PageDown', 9)).toBe(6);
  expect(moveInGrid(layout, 7, 'ArrowRight', 5)).toBe(7);
  expect(moveInGrid(layout, 4, 'End', 5)).toBe(7);
});
