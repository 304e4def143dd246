import assert from 'node:assert/strict';
import { test } from 'node:test';
import { armOrder, interleave, median, summary } from './measure.mjs';
import { verdict } from './verdict.mjs';

test('arms take turns A,B,B,A', () => {
  assert.deepEqual(armOrder(3).flat(), ['ours', 'peer', 'peer', 'ours', 'ours', 'peer']);
});

test('the ratio is the median of the ratios within pairs, the control that of neighbours of one arm', async () => {
  const given = { ours: [1, 8, 2], peer: [2, 4, 8] };
  const next = { ours: 0, peer: 0 };
  const arm = (name) => () => given[name][next[name]++];
  const result = await interleave(3, { ours: arm('ours'), peer: arm('peer') });
  assert.deepEqual(result.ours, given.ours);
  assert.deepEqual(result.peer, given.peer);
  assert.equal(result.ratio, 0.5);
  // Neighbours: peer 2 then 4, ours 8 then 2.
  assert.equal(result.control, (2 + 0.25) / 2);
});

test('a median of an even number lies between the middle two', () => {
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.deepEqual(summary([3, 1, 2]), { median: 2, min: 1, max: 3, n: 3 });
});

const goals = [{ figure: 'ratio', says: 'ours over theirs', atMost: 1.15 }];

test('a figure past its goal falls short and says by how much', () => {
  const short = verdict({ ratio: 1.4 }, goals, 1);
  assert.equal(short.pass, false);
  assert.deepEqual(short.shortfalls, ['ours over theirs: 1.4, wanted at most 1.15']);
  assert.equal(verdict({ ratio: 1.1 }, goals, 1).pass, true);
});

test('noise leaves a verdict open only where it could turn it', () => {
  assert.equal(verdict({ ratio: 1.1 }, goals, 0.8).conclusive, false);
  assert.equal(verdict({ ratio: 1.1 }, goals, 0.8).pass, false);
  assert.equal(verdict({ ratio: 0.5 }, goals, 0.8).pass, true);
  assert.equal(verdict({ ratio: 1.1 }, [{ ...goals[0], exact: true }], 0.8).pass, true);
});
