import type { Resources } from '@labscale/schema';

/** What an attempt of a task does, in words that `fault-program.py` knows. */
export type Behaviour = (
  | { does: 'succeed' | 'measure' | 'raise' | 'orphan' | 'kill-slot' | 'outlast' | 'nothing' }
  | { does: 'exit'; code: number }
  | { does: 'die'; signal: number }
  | { does: 'output'; how: (typeof outputFaults)[number] }
  | { does: 'report'; how: (typeof reportFaults)[number] }
  | { does: 'print' | 'allocate'; mebibytes: number }
) & {
  /** First asks the gate, and waits for its answer. */
  holds?: true;
};

/** What befalls a run while attempt `attempt` of task `task` holds. */
export interface FaultEvent {
  kind: 'worker-lost' | 'server-killed' | 'server-restarted' | 'stop';
  task: number;
  attempt: number;
  /** As soon as it holds, or when all that does not hold has come to its end. */
  moment: 'at-once' | 'alone';
  /** Whether what holds goes on while no server is there; null where nothing goes on. */
  goesOn: 'without-server' | 'with-server' | null;
}

/** What a person asks of a run that failed. */
export type Afterwards =
  { asks: 'retry'; which: 'all' | 'first'; resources: Partial<Resources> | null } | { asks: 'publish' };

/** One run and what goes wrong in it; plain JSON, and the same for the same seed. */
export interface FaultScript {
  seed: number;
  kind: 'command' | 'notebook';
  /** Of a notebook. */
  warm: boolean;
  resources: Resources;
  /** Says something to the cluster only. */
  shardsPerPod: number | null;
  trial: { count: number; order: 'first'; then: 'release' | 'stop' } | null;
  /** Behaviours of each task by the number of the attempt; the last one stands for all after it. */
  tasks: Behaviour[][];
  event: FaultEvent | null;
  afterwards: Afterwards | null;
}

export const outputFaults = [
  'empty',
  'misnamed',
  'symlink',
  'dangling-symlink',
  'pipe',
  'newline-in-name',
  'name-not-utf8',
  'folder-removed',
  'folder-replaced-by-symlink',
  'folder-replaced-by-file',
  'beside',
  'odd-names',
  'long-names',
  'folder-in-its-place',
  'eight-mebibytes'
] as const;

export const reportFaults = [
  'text',
  'list',
  'cut-line',
  'nan',
  'infinity',
  'word',
  'truth',
  'huge-whole-number',
  'large-whole-number',
  'odd-names',
  'too-many-metrics',
  'odd-progress',
  'removed',
  'folder-in-its-place',
  'too-large'
] as const;

/** Numbers that the pod's transfer, a shell or a kernel give a meaning of their own are among them. */
const exitCodes = [1, 2, 3, 64, 65, 75, 126, 127, 128, 130, 134, 137, 139, 143, 254, 255];
const signals = [1, 2, 3, 6, 9, 11, 15];
const mebibyte = 2 ** 20;
/** More than a program of Python and its kernel take, less than `allocate` does. */
const littleMemory = 256 * mebibyte;
const usualMemory = 448 * mebibyte;
const muchMemory = 1_024 * mebibyte;
/** Less than `outlast` takes. */
const shortTimeSeconds = 5;

/** mulberry32: numbers below 1. */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

class Dice {
  readonly #next: () => number;

  constructor(seed: number) {
    // Neighbouring seeds begin alike.
    this.#next = numbersFrom(Math.imul(seed + 1, 0x9e3779b1));
    for (let drawn = 0; drawn < 4; drawn++) this.#next();
  }

  /** A whole number from `least` to `most`. */
  from(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  of<T>(things: readonly T[]): T {
    return things[this.from(0, things.length - 1)]!;
  }

  /** One of them by its weight. */
  weighed<T>(things: readonly (readonly [number, T])[]): T {
    let left = this.#next() * things.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, thing] of things) if ((left -= weight) < 0) return thing;
    return things.at(-1)![1];
  }
}

/** Kinds of behaviour that take long or much: few scripts have them, each with the limits that they are about. */
type Theme = 'plain' | 'time' | 'memory' | 'flood' | 'slot';

export function makeFaultScript(seed: number): FaultScript {
  const dice = new Dice(seed);
  const theme = dice.weighed<Theme>([
    [80, 'plain'],
    [5, 'time'],
    [6, 'memory'],
    [4, 'flood'],
    [5, 'slot']
  ]);
  const count = theme === 'plain' ? dice.from(1, 5) : dice.from(1, 3);
  const retries = theme === 'plain' ? dice.from(0, 2) : dice.from(0, 1);
  const kind = theme === 'time' || !dice.chance(0.35) ? 'command' : 'notebook';
  const script: FaultScript = {
    seed,
    kind,
    warm: dice.chance(0.8),
    resources: {
      cpus: dice.chance(0.7) ? 1 : cpusOfMachine,
      memoryBytes: theme === 'memory' ? littleMemory : usualMemory,
      timeLimitSeconds: theme === 'time' ? shortTimeSeconds : 120,
      retries,
      backoffSeconds: 0
    },
    shardsPerPod: dice.weighed([
      [1, null],
      [1, 1],
      [2, 2],
      [2, dice.from(3, 5)]
    ]),
    trial: null,
    tasks: Array.from({ length: count }, () => behavioursOf(dice, theme)),
    event: null,
    afterwards: dice.weighed<Afterwards | null>([
      [3, null],
      [3, { asks: 'retry', which: dice.of(['all', 'first']), resources: null }],
      [1, { asks: 'retry', which: 'all', resources: { timeLimitSeconds: 60, memoryBytes: muchMemory, retries: 1 } }],
      [2, { asks: 'publish' }]
    ])
  };
  if (dice.chance(0.15) && count > 1) {
    script.trial = {
      count: dice.from(1, count - 1),
      order: 'first',
      then: dice.chance(0.75) ? 'release' : 'stop'
    };
  }
  if (theme === 'plain' && dice.chance(0.4)) addEvent(script, dice);
  // How much the program that speaks for a kernel of its own still hears from it when it is killed is chance.
  if (script.tasks.flat().some(({ does }) => does === 'die' || does === 'kill-slot')) script.warm = true;
  return script;
}

/** CPUs of the one machine: a task that asks for all of them runs alone. */
export const cpusOfMachine = 5;

function behavioursOf(dice: Dice, theme: Theme): Behaviour[] {
  const most = dice.weighed([
    [3, 1],
    [2, 2],
    [1, 4]
  ]);
  return Array.from({ length: most }, () => behaviourOf(dice, theme));
}

function behaviourOf(dice: Dice, theme: Theme): Behaviour {
  if (theme !== 'plain' && dice.chance(0.4)) {
    switch (theme) {
      case 'time':
        return { does: 'outlast' };
      case 'memory':
        return { does: 'allocate', mebibytes: dice.of([400, 800]) };
      case 'flood':
        return { does: 'print', mebibytes: dice.of([1, 20]) };
      case 'slot':
        return { does: 'kill-slot' };
    }
  }
  return dice.weighed<() => Behaviour>([
    [7, () => ({ does: 'succeed' })],
    [5, () => ({ does: 'measure' })],
    [4, () => failureOf(dice)],
    [3, () => ({ does: 'output', how: dice.of(outputFaults) })],
    [3, () => ({ does: 'report', how: dice.of(reportFaults) })],
    [1, () => ({ does: 'orphan' })],
    [1, () => ({ does: 'nothing' })]
  ])();
}

/** One that the task is tried again after, while there are retries. */
function failureOf(dice: Dice): Behaviour {
  return dice.weighed<() => Behaviour>([
    [4, () => ({ does: 'exit', code: dice.of(exitCodes) })],
    [2, () => ({ does: 'die', signal: dice.of(signals) })],
    [2, () => ({ does: 'raise' })]
  ])();
}

function addEvent(script: FaultScript, dice: Dice): void {
  const { resources, tasks, trial } = script;
  const kind = dice.weighed<FaultEvent['kind']>([
    [3, 'worker-lost'],
    [3, 'stop'],
    [2, 'server-killed'],
    [1, 'server-restarted']
  ]);
  const task = dice.from(0, (trial?.count ?? tasks.length) - 1);
  const attempt = dice.from(1, resources.retries + 1);
  const moment = kind === 'stop' || dice.chance(0.5) ? 'alone' : 'at-once';
  const goesOn = kind.startsWith('server') ? dice.of(['without-server', 'with-server'] as const) : null;
  script.event = { kind, task, attempt, moment, goesOn };
  const before = Array.from({ length: attempt - 1 }, () => failureOf(dice));
  const held: Behaviour = { ...behaviourOf(dice, 'plain'), holds: true };
  tasks[task] = [...before, held, ...behavioursOf(dice, 'plain')];
  if (moment === 'alone') {
    // All others must come to their end while this one holds: none of them may stand behind it.
    script.shardsPerPod = 1;
    resources.cpus = 1;
    if (kind === 'stop' && tasks.length > 1 && trial === null && dice.chance(0.3)) {
      const other = (task + 1) % tasks.length;
      tasks[other] = [{ does: 'succeed', holds: true }];
    }
  } else {
    // Which of the others go down with it is for a runner to say, and so the numbers of their attempts.
    for (const [index, behaviours] of tasks.entries()) if (index !== task) behaviours.splice(1);
  }
}

/** Whether tasks beside the one that holds may lose attempts with it, which is different from runner to runner. */
export function losesOthers({ event }: FaultScript, task: number): boolean {
  return event !== null && event.moment === 'at-once' && task !== event.task;
}

/** Tasks that hold at the moment of the event. */
export function holdersOf({ tasks, event }: FaultScript): number[] {
  if (event === null) return [];
  return tasks.flatMap((behaviours, task) =>
    task === event.task || behaviours.some(({ holds }) => holds) ? [task] : []
  );
}
