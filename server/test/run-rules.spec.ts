import { failureGroupOf, failureTitle, normalizeFailure, readableFailure } from '../src/runs/failure-groups.js';
import { headline } from '../src/runs/headline.js';
import { toIndexRanges } from '../src/runs/index-ranges.js';
import { emptyCounts, LiveRun, TaskStateBytes } from '../src/runs/live-run.js';
import { nextToServe, placesFor } from '../src/runner/fair-share.js';
import { setLabels } from '../src/runs/derivative-shards.js';
import type { TaskState } from '@labscale/schema';

describe('failures', () => {
  const text = (shard: string, number: number) =>
    `\u001b[31mTraceback\u001b[0m\n  File "/tmp/x/scratch/run-a/${number}-1/work/lib.py", line 12, in f\nValueError: ${shard} has ${number}.5e3 at 0x7f${number} d41d8cd98f00b204e9800998ecf8427e`;

  test('are alike when only shard, numbers, addresses and folders differ', () => {
    expect(normalizeFailure(text('sub-01', 7), 'sub-01')).toBe(normalizeFailure(text('sub-02', 8), 'sub-02'));
    expect(failureGroupOf('exception', text('a', 1), 'a')).toBe(failureGroupOf('exception', text('b', 22), 'b'));
  });

  test('are not alike when the message, the file or the kind of end differ', () => {
    const group = failureGroupOf('exception', text('a', 1), 'a');
    expect(failureGroupOf('exception', text('a', 1).replace('ValueError', 'KeyError'), 'a')).not.toBe(group);
    expect(failureGroupOf('exception', text('a', 1).replace('lib.py', 'other.py'), 'a')).not.toBe(group);
    expect(failureGroupOf('signal', text('a', 1), 'a')).not.toBe(group);
  });

  test('are read without colour codes, the end of a long one first', () => {
    expect(failureTitle('\u001b[0;31mZeroDivisionError\u001b[0m: division by zero\n\n')).toBe(
      'ZeroDivisionError: division by zero'
    );
    const long = readableFailure(`${'x'.repeat(20_000)}\nthe end\u0000`);
    expect(long.length).toBeLessThanOrEqual(8_192);
    expect(long.endsWith('the end')).toBe(true);
  });

  test('of any text are normalised in a moment', () => {
    const start = process.cpuUsage().user;
    for (const nasty of ['/'.repeat(8_000), '/a'.repeat(4_000), '0x'.repeat(4_000), '\u001b['.repeat(4_000)]) {
      normalizeFailure(nasty, 'k');
    }
    expect(process.cpuUsage().user - start).toBeLessThan(2_000_000);
  });
});

test('index ranges', () => {
  expect(toIndexRanges([])).toBe('');
  expect(toIndexRanges([7, 0, 1, 2, 3, 4, 4])).toBe('0-4,7');
  expect(toIndexRanges([5, 3])).toBe('3,5');
});

describe('the headline', () => {
  const facts = {
    counts: emptyCounts(),
    taskCount: 1_240,
    remainingSeconds: null,
    waitingFor: undefined,
    trouble: undefined,
    failure: null
  };
  test.each([
    [
      { state: 'running' as const, counts: { running: 2, succeeded: 40, failed: 1 }, remainingSeconds: 610 },
      'Running 2; 40 of 1,240 tasks done, 1 task failed, about 10 minutes left'
    ],
    [
      { state: 'running' as const, counts: { waiting: 9 }, waitingFor: 'Waiting for a CPU: 2 of 2 are busy with "x".' },
      'Waiting for a CPU: 2 of 2 are busy with "x". 0 of 1,240 tasks done'
    ],
    [
      { state: 'awaiting-release' as const, counts: { succeeded: 5, held: 1_235 } },
      'The trial has ended: 5 tasks succeeded. Release the other 1,235, or stop.'
    ],
    [
      { state: 'succeeded' as const, counts: { succeeded: 680, reused: 560 } },
      'Published 1,240 derivatives (560 reused)'
    ],
    [
      { state: 'failed' as const, counts: { failed: 1_240 } },
      '1,240 of 1,240 tasks failed; nothing is published. Retry what failed.'
    ],
    [{ state: 'failed' as const, counts: {}, failure: 'The disk is full.' }, 'The disk is full.'],
    [
      { state: 'publishing' as const, counts: { succeeded: 1_240 }, trouble: 'There is no room left on the disk.' },
      'Publishing 1,240 derivatives. It goes on once this is mended: There is no room left on the disk.'
    ],
    [
      { state: 'succeeded' as const, counts: { succeeded: 1_240 }, trouble: 'There was no room left on the disk.' },
      'Published 1,240 derivatives'
    ],
    [
      { state: 'stopped' as const, counts: { succeeded: 3 } },
      'Stopped; 3 of 1,240 tasks were done, nothing is published'
    ]
  ])('of %o', (more, text) => {
    expect(headline({ ...facts, ...more, counts: { ...emptyCounts(), ...more.counts } })).toBe(text);
  });
});

describe('the next free place', () => {
  const machine = { cpus: 4, memoryBytes: 100 };
  const small = { cpus: 1, memoryBytes: 10 };
  const big = { cpus: 4, memoryBytes: 10 };

  test('goes to who holds least, among equals to who waited longest', () => {
    const first = { used: small, next: small, servedAt: 1 };
    const second = { used: { cpus: 0, memoryBytes: 0 }, next: small, servedAt: 2 };
    expect(nextToServe([first, second], machine, small)).toBe(second);
    expect(nextToServe([{ ...second, servedAt: 3 }, second], machine, small)).toBe(second);
  });

  test('is kept for a large task that holds least, so that small ones never starve it', () => {
    const large = { used: { cpus: 0, memoryBytes: 0 }, next: big, servedAt: 0 };
    const many = { used: small, next: small, servedAt: 1 };
    expect(nextToServe([many, large], machine, small)).toBeUndefined();
    expect(nextToServe([large], machine, { cpus: 0, memoryBytes: 0 })).toBe(large);
  });

  test('counts memory as it counts CPUs', () => {
    expect(placesFor({ cpus: 1, memoryBytes: 40 }, machine)).toBe(2);
    expect(placesFor({ cpus: 9, memoryBytes: 1 }, machine)).toBe(1);
  });
});

describe('a run in mind', () => {
  const live = () =>
    new LiveRun(
      {
        ...{ id: 'run-1', owner: 'ana', name: 'r', state: 'running', datasetVersionId: 'dv-1', interpreter: 'python' },
        resources: { cpus: 1, memoryBytes: 1, timeLimitSeconds: 1, retries: 0, backoffSeconds: 0 },
        publishPartial: false,
        image: null,
        shardsPerPod: null
      },
      new TaskStateBytes(Uint8Array.from([1, 1, 1, 3, 1]))
    );
  const none = new Map<number, TaskState>();

  test('orders what waits, not what is ordered already, nor before its time', () => {
    const run = live();
    run.flights.set(0, { index: 0, attempt: 1 } as never);
    run.notBefore.set(2, 1_000);
    expect(run.nextWaiting(9, none, new Set(), 500)).toEqual([1, 4]);
    expect(run.nextWaiting(9, none, new Set(), 1_000)).toEqual([1, 2, 4]);
    expect(run.nextWaiting(1, none, new Set([0]), 500)).toEqual([0]);
    expect(
      run.nextWaiting(
        9,
        new Map([
          [3, 'waiting'],
          [1, 'running']
        ]),
        new Set(),
        500
      )
    ).toEqual([3, 4]);
    expect(run.nextDue(500)).toBe(1_000);
    expect(run.nextDue(1_000)).toBeUndefined();
  });

  test('tells of each change once', () => {
    const run = live();
    run.apply(
      new Map([
        [0, 'running'],
        [1, 'running']
      ])
    );
    run.apply(new Map([[0, 'succeeded']]));
    expect(run.counts).toMatchObject({ waiting: 2, running: 1, succeeded: 2 });
    expect(run.takeChanges()?.states).toEqual({ succeeded: '0', running: '1' });
    expect(run.takeChanges()).toBeUndefined();
    expect(run.states.toText()).toBe('sawsw');
  });
});

test('labels of sets tell them apart and fit a key', () => {
  const labels = setLabels([
    { versionId: 'pv-1', name: 'sharp / soft', number: 1 },
    { versionId: 'pv-2', name: 'sharp', number: 1 },
    { versionId: 'pv-3', name: 'sharp', number: 2 },
    { versionId: 'pv-4', name: '..', number: 1 },
    { versionId: 'pv-5', name: 'sharp-soft', number: 1 }
  ]);
  expect([...labels.values()]).toEqual(['sharp-soft', 'sharp-v1', 'sharp-v2', 'set', 'sharp-soft_']);
});
