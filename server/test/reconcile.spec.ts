import type { RunState, TaskCounts } from '@labscale/schema';
import type { AttemptReport } from '../src/runner/runner.js';
import { emptyCounts } from '../src/runs/live-run.js';
import { attemptKey, lostAttemptsAllowed, reconcile, type OpenAttempt } from '../src/runs/reconcile.js';
import { mayBecome, sourcesOf, transitions, unfinishedRunStates } from '../src/runs/run-states.js';

const resources = { cpus: 1, memoryBytes: 2 ** 24, timeLimitSeconds: 1, retries: 2, backoffSeconds: 3 };
const now = new Date('2026-01-01T00:00:00.000Z');

function open(more: Partial<OpenAttempt> = {}): OpenAttempt {
  return { index: 0, attempt: 1, taskState: 'running', failures: 0, losses: 0, resources, ...more };
}

function report(more: Partial<AttemptReport> = {}): AttemptReport {
  return {
    ...{ version: 1, runId: 'run-1', index: 0, attempt: 1, shardKey: 'a', parameterSetVersionId: 'pv-1' },
    ...{ state: 'succeeded', claimed: true, exitKind: 'succeeded', reason: null, failureText: null, exitCode: 0 },
    ...{ startedAt: now.toISOString(), finishedAt: now.toISOString(), durationSeconds: 1, cpuSeconds: 1 },
    ...{ peakMemoryBytes: 1, metrics: {}, logSizeBytes: 0, objects: [] },
    ...more
  } as AttemptReport;
}

interface Facts {
  state?: RunState;
  counts?: Partial<TaskCounts>;
  publishPartial?: boolean;
  open?: OpenAttempt[];
  alive?: OpenAttempt[];
  hint?: AttemptReport;
  claim?: AttemptReport;
  stored?: AttemptReport;
  gone?: string;
  /** Whether what went stays gone. */
  final?: boolean;
}

function decide(facts: Facts) {
  const attempts = facts.open ?? [];
  const counts = { ...emptyCounts(), ...facts.counts };
  const of = (given: AttemptReport | undefined) => new Map(given === undefined ? [] : [[attemptKey(given), given]]);
  return reconcile(
    {
      run: { state: facts.state ?? 'running', publishPartial: facts.publishPartial ?? false, counts },
      open: attempts
    },
    {
      alive: new Set((facts.alive ?? []).map(attemptKey)),
      reports: of(facts.hint),
      gone: new Map(
        facts.gone === undefined
          ? []
          : [
              [
                attemptKey(attempts[0]!),
                { detail: facts.gone, exitKind: 'evicted' as const, final: facts.final ?? false }
              ]
            ]
      )
    },
    { claims: new Map(facts.claim === undefined ? [] : [[facts.claim.index, facts.claim]]), reports: of(facts.stored) },
    now
  );
}

const one = open();
const running = { running: 1, waiting: 1 };

describe('an open attempt', () => {
  test('that something works at is left alone', () => {
    expect(decide({ open: [one], alive: [one], counts: running })).toEqual([]);
  });

  test('has succeeded when its claim is in the store, whatever else is said', () => {
    const claim = report();
    expect(decide({ open: [one], claim, counts: running })).toMatchObject([{ kind: 'succeed', attempt: 1, claim }]);
    const failed = report({ state: 'failed', exitKind: 'exception' });
    expect(decide({ open: [one], claim, hint: failed, counts: running })).toMatchObject([{ kind: 'succeed' }]);
  });

  test('that says it succeeded but has no claim is lost, not believed', () => {
    expect(decide({ open: [one], alive: [one], hint: report(), counts: running })).toMatchObject([
      { kind: 'lose', reason: expect.stringContaining('claim is not in the object store') }
    ]);
  });

  test('that lost to another leaves the task to the winner', () => {
    const second = open({ attempt: 2 });
    const own = report({ attempt: 2, claimed: false });
    expect(decide({ open: [second], alive: [second], hint: own, claim: report(), counts: running })).toMatchObject([
      { kind: 'succeed', index: 0, attempt: 2, claim: { attempt: 1 }, closes: own }
    ]);
  });

  test('ended as its report in the store says where no word came', () => {
    const stored = report({ state: 'failed', claimed: false, exitKind: 'exit-code' });
    expect(decide({ open: [one], stored, counts: running })).toMatchObject([{ kind: 'retry', report: stored }]);
  });

  test.each([
    [0, '2026-01-01T00:00:03.000Z'],
    [1, '2026-01-01T00:00:06.000Z']
  ])('that failed after %i failures is tried again, later each time', (failures, notBefore) => {
    const hint = report({ state: 'failed', claimed: false, exitKind: 'exception' });
    expect(decide({ open: [open({ failures })], hint, counts: running })).toMatchObject([{ kind: 'retry', notBefore }]);
  });

  test('that failed as often as it may has failed for good', () => {
    const hint = report({ state: 'failed', claimed: false, exitKind: 'exception' });
    expect(decide({ open: [open({ failures: 2 })], hint, counts: running })).toMatchObject([{ kind: 'fail' }]);
  });

  test.each(['shard-changed', 'shard-missing', 'parameters-unusable', 'kernel-missing'] as const)(
    'that failed by %s is not tried again: it would fail again',
    (exitKind) => {
      const hint = report({ state: 'failed', claimed: false, exitKind });
      expect(decide({ open: [one], hint, counts: running })).toMatchObject([{ kind: 'fail' }]);
    }
  );

  test('that vanished is tried anew, which is no failure of its own; but not for ever', () => {
    expect(decide({ open: [one], gone: 'killed', counts: running })).toEqual([
      { kind: 'lose', index: 0, attempt: 1, reason: 'killed', exitKind: 'evicted' }
    ]);
    const often = open({ losses: lostAttemptsAllowed });
    expect(decide({ open: [often], gone: 'killed', counts: running })).toMatchObject([{ kind: 'give-up' }]);
    const forGood = { open: [one], gone: 'no image', final: true, counts: running };
    expect(decide(forGood)).toMatchObject([{ kind: 'give-up', reason: 'no image' }]);
    const hint = report({ state: 'failed', claimed: false, exitKind: 'worker-lost', reason: 'its slot died' });
    expect(decide({ open: [one], hint, counts: running })).toMatchObject([{ kind: 'lose', reason: 'its slot died' }]);
  });
});

describe('a run', () => {
  test.each<[string, Facts, object[]]>([
    ['starts', { state: 'starting', counts: { waiting: 2 } }, [{ kind: 'run', to: 'running' }]],
    ['of reused tasks only is published', { state: 'starting', counts: { reused: 2 } }, [{ kind: 'publish' }]],
    ['goes on', { counts: { waiting: 1, succeeded: 1 } }, []],
    ['waits for its release', { counts: { succeeded: 1, held: 3 } }, [{ kind: 'run', to: 'awaiting-release' }]],
    [
      'waits for its release also where its trial failed',
      { counts: { failed: 1, held: 3 } },
      [{ kind: 'run', to: 'awaiting-release' }]
    ],
    ['stays there', { state: 'awaiting-release', counts: { succeeded: 1, held: 3 } }, []],
    ['is published when all is done', { counts: { succeeded: 2, reused: 1 } }, [{ kind: 'publish' }]],
    ['has failed where a task has', { counts: { succeeded: 2, failed: 1 } }, [{ kind: 'run', to: 'failed' }]],
    [
      'is published in part where that is asked',
      { counts: { succeeded: 2, failed: 1 }, publishPartial: true },
      [{ kind: 'publish' }]
    ],
    ['goes on publishing after a restart', { state: 'publishing', counts: { succeeded: 2 } }, [{ kind: 'publish' }]],
    [
      'has stopped when nothing runs',
      { state: 'stopping', counts: { stopped: 2, waiting: 3 } },
      [{ kind: 'run', to: 'stopped' }]
    ],
    [
      'is not stopped while an attempt lives',
      { state: 'stopping', counts: { waiting: 1 }, open: [open({ taskState: 'waiting' })], alive: [one] },
      []
    ],
    ['that ended is left alone', { state: 'succeeded', counts: { succeeded: 1 } }, []]
  ])('%s', (_what, facts, actions) => {
    expect(decide(facts)).toEqual(actions);
  });

  test('is judged after its tasks', () => {
    expect(
      decide({ open: [one], claim: report(), counts: { running: 1, succeeded: 4 } }).map(({ kind }) => kind)
    ).toEqual(['succeed', 'publish']);
  });

  test('that stops takes what had succeeded, stops what had not, and tries nothing again', () => {
    const other = open({ index: 1 });
    const facts = { state: 'stopping' as const, counts: { running: 2 }, open: [one, other], claim: report() };
    expect(decide(facts).map(({ kind }) => kind)).toEqual(['succeed', 'stop', 'run']);
    const hint = report({ state: 'failed', claimed: false, exitKind: 'exception' });
    expect(decide({ state: 'stopping', counts: { running: 1 }, open: [one], hint })[0]).toMatchObject({ kind: 'stop' });
  });
});

describe('the table of transitions', () => {
  test('lets every decision of reconcile through', () => {
    for (const state of ['waiting', 'running'] as const) {
      for (const to of ['succeeded', 'failed', 'stopped'] as const) expect(mayBecome('task', state, to)).toBe(true);
    }
    expect(mayBecome('task', 'running', 'waiting')).toBe(true);
  });

  test('keeps what has ended', () => {
    for (const to of Object.keys(transitions.run)) expect(mayBecome('run', 'succeeded', to as RunState)).toBe(false);
    for (const to of Object.keys(transitions.run)) expect(mayBecome('run', 'stopped', to as RunState)).toBe(false);
    expect(sourcesOf('task', 'running')).toEqual(['waiting']);
    expect(sourcesOf('run', 'succeeded')).toEqual(['publishing']);
    expect(sourcesOf('attempt', 'failed')).toEqual(['running']);
    expect(unfinishedRunStates).toEqual(['starting', 'running', 'awaiting-release', 'publishing', 'stopping']);
  });
});
