import type { TaskState } from '@labscale/schema';
import {
  applyTaskChanges,
  countTaskStates,
  forEachRange,
  parseTaskStates,
  settledCount,
  taskStateList,
  taskTotal
} from './task-states';

const codes: Record<TaskState, string> = {
  held: 'h',
  waiting: 'w',
  running: 'a',
  succeeded: 's',
  reused: 'r',
  failed: 'f',
  stopped: 'x'
};
const named = (states: Uint8Array) => [...states].map((place) => taskStateList[place]);

it('reads a state string by the codes that came with it', () => {
  expect(named(parseTaskStates({ states: 'hwasrfx', codes }))).toEqual(taskStateList);
  expect(named(parseTaskStates({ states: '?', codes: { ...codes, failed: '?' } }))).toEqual(['failed']);
});

it('refuses a character that no code names', () => {
  expect(() => parseTaskStates({ states: 'wz', codes })).toThrow('Task 1 has the unknown state z');
});

it('reads ranges and passes over what is none', () => {
  const found: number[][] = [];
  forEachRange('0-4,7,,x,9-', (first, last) => found.push([first, last]));
  expect(found).toEqual([
    [0, 4],
    [7, 7]
  ]);
});

it('applies the ranges of an event, and none beyond the last task', () => {
  const states = parseTaskStates({ states: 'wwwww', codes });
  expect(applyTaskChanges(states, { running: '0-1', failed: '3-99', unheard: '2', succeeded: '7' })).toEqual([
    [0, 1],
    [3, 4]
  ]);
  expect(named(states)).toEqual(['running', 'running', 'waiting', 'failed', 'failed']);
});

it('counts what an event leaves', () => {
  const states = parseTaskStates({ states: 'hwasrfx', codes });
  const counts = countTaskStates(states);
  expect(taskTotal(counts)).toBe(7);
  expect(settledCount(counts)).toBe(4);
  applyTaskChanges(states, { succeeded: '0-6' });
  expect(countTaskStates(states)).toEqual({
    held: 0,
    waiting: 0,
    running: 0,
    succeeded: 7,
    reused: 0,
    failed: 0,
    stopped: 0
  });
});

it('100,000 tasks are read and counted', () => {
  const counts = countTaskStates(parseTaskStates({ states: 'sw'.repeat(50_000), codes }));
  expect([counts.succeeded, counts.waiting]).toEqual([50_000, 50_000]);
});
