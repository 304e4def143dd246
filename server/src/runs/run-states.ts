import type { AttemptState, RunState, TaskState } from '@labscale/schema';

/**
 * The one table of what may become what. Every writer passes through `sourcesOf`, which becomes the WHERE of its update: a
 * late or repeated message then changes nothing.
 */
export const transitions = {
  run: {
    starting: ['running', 'publishing', 'stopping', 'failed'],
    running: ['awaiting-release', 'publishing', 'stopping', 'failed'],
    'awaiting-release': ['running', 'stopping'],
    // Back to running: an object was missing, and its task runs again.
    publishing: ['running', 'succeeded', 'failed'],
    stopping: ['stopped'],
    failed: ['running', 'publishing'],
    succeeded: [],
    stopped: []
  },
  task: {
    held: ['waiting', 'stopped'],
    // To succeeded or failed without running: its start and its end were heard of together.
    waiting: ['running', 'succeeded', 'failed', 'stopped'],
    running: ['waiting', 'succeeded', 'failed', 'stopped'],
    succeeded: ['waiting'],
    reused: ['waiting'],
    failed: ['waiting'],
    stopped: []
  },
  attempt: {
    running: ['succeeded', 'failed', 'stopped', 'lost'],
    // A worker thought dead had claimed the task after all.
    lost: ['succeeded'],
    succeeded: [],
    failed: [],
    stopped: []
  }
} as const satisfies {
  run: Record<RunState, readonly RunState[]>;
  task: Record<TaskState, readonly TaskState[]>;
  attempt: Record<AttemptState, readonly AttemptState[]>;
};

interface StateOf {
  run: RunState;
  task: TaskState;
  attempt: AttemptState;
}

/** The states from which one may come to `to`. */
export function sourcesOf<S extends keyof StateOf>(subject: S, to: StateOf[S]): StateOf[S][] {
  const table = transitions[subject] as Record<string, readonly string[]>;
  return Object.keys(table).filter((from) => table[from]?.includes(to)) as StateOf[S][];
}

export function mayBecome<S extends keyof StateOf>(subject: S, from: StateOf[S], to: StateOf[S]): boolean {
  return (transitions[subject] as Record<string, readonly string[]>)[from]?.includes(to) ?? false;
}

/** Runs that nothing happens to any more unless somebody asks for it. */
export function hasEnded(state: RunState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'stopped';
}

export const unfinishedRunStates = (Object.keys(transitions.run) as RunState[]).filter((state) => !hasEnded(state));
