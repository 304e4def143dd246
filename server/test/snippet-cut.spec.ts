import { cutSnippet } from '../src/snippets/snippet-cut.js';

const hundred = Array.from({ length: 100 }, (_, place) => place * 3);

test('the same seed gives the same shards, in the order of the manifest', () => {
  const cut = cutSnippet(hundred, 5, 7);
  expect(cut).toHaveLength(5);
  expect(new Set(cut).size).toBe(5);
  expect([...cut].sort((a, b) => a - b)).toEqual(cut);
  expect(cut.every((index) => hundred.includes(index))).toBe(true);
  expect(cutSnippet(hundred, 5, 7)).toEqual(cut);
});

test('another seed gives other shards', () => {
  expect(cutSnippet(hundred, 5, 8)).not.toEqual(cutSnippet(hundred, 5, 7));
});

test('a cut larger than what there is takes all', () => {
  expect(cutSnippet([4, 9], 5, 1)).toEqual([4, 9]);
});

test('every shard comes up about as often as any other', () => {
  const times = new Map<number, number>();
  for (let seed = 0; seed < 2_000; seed++)
    for (const index of cutSnippet(hundred, 10, seed)) times.set(index, (times.get(index) ?? 0) + 1);
  // 200 expected each; five standard deviations are 67.
  for (const index of hundred) expect(Math.abs((times.get(index) ?? 0) - 200)).toBeLessThan(67);
});
