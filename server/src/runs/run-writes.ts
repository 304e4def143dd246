import type { AttemptState, ExitKind, RunState, TaskCounts, TaskState } from '@labscale/schema';
import type { Database, Writing } from '../metadata/database.js';
import { PreparedWrite, RowInsert } from '../metadata/prepared-write.js';
import type { Tables } from '../metadata/tables.js';
import { sourcesOf } from './run-states.js';

/** What is in the database is not what this server thought: nothing was written, it is to be read anew. */
export class StateMoved extends Error {}

export interface TaskEnd {
  runId: string;
  index: number;
  exitKind: ExitKind | null;
  reason: string | null;
  failureGroup: string | null;
  failureText: string | null;
  notBefore: string | null;
  failures: number;
  losses: number;
  startedAt: string | null;
  finishedAt: string | null;
  durationSeconds: number | null;
  cpuSeconds: number | null;
  peakMemoryBytes: number | null;
  metricsJson: string;
}

export interface AttemptEnd {
  runId: string;
  taskIndex: number;
  number: number;
  exitKind: ExitKind | null;
  reason: string | null;
  exitCode: number | null;
  finishedAt: string;
  durationSeconds: number | null;
  cpuSeconds: number | null;
  peakMemoryBytes: number | null;
  published: number;
}

const indexesAtOnce = 500;

/** Every change of the state of a run, a task or an attempt; each passes the table of transitions. */
export class RunWrites {
  readonly #insertTasks: RowInsert<'task'>;
  readonly #insertAttempts: RowInsert<'attempt'>;
  readonly #startTask: PreparedWrite<{ runId: string; index: number; startedAt: string }>;
  readonly #startAttempt: PreparedWrite<{
    runId: string;
    taskIndex: number;
    number: number;
    startedAt: string;
    workerId: string;
  }>;
  readonly #counts: PreparedWrite<{ runId: string; countsJson: string }>;
  readonly #endTask = new Map<TaskState, PreparedWrite<TaskEnd>>();
  readonly #endAttempt = new Map<AttemptState, PreparedWrite<AttemptEnd>>();

  constructor(private readonly database: Database) {
    this.#insertTasks = new RowInsert(database, 'task');
    this.#insertAttempts = new RowInsert(database, 'attempt');
    this.#startTask = new PreparedWrite((value) =>
      database
        .updateTable('task')
        .set({ state: 'running', startedAt: value('startedAt'), finishedAt: null })
        .where('runId', '=', value('runId'))
        .where('index', '=', value('index'))
        .where('state', 'in', sourcesOf('task', 'running'))
    );
    this.#startAttempt = new PreparedWrite((value) =>
      database
        .updateTable('attempt')
        .set({ startedAt: value('startedAt'), workerId: value('workerId') })
        .where('runId', '=', value('runId'))
        .where('taskIndex', '=', value('taskIndex'))
        .where('number', '=', value('number'))
        .where('state', '=', 'running')
    );
    this.#counts = new PreparedWrite((value) =>
      database
        .updateTable('run')
        .set({ countsJson: value('countsJson') })
        .where('id', '=', value('runId'))
    );
  }

  async insertRun(writing: Writing, run: Tables['run'], sets: readonly Tables['runParameterSet'][]): Promise<void> {
    await writing.insertInto('run').values(run).execute();
    await new RowInsert(this.database, 'runParameterSet').run(writing, sets);
  }

  async insertTasks(writing: Writing, tasks: readonly Tables['task'][]): Promise<void> {
    await this.#insertTasks.run(writing, tasks);
  }

  /** The intent of attempts, before the runner hears of them; `unlessThere`: those that a row is there for stay as they are. */
  async insertAttempts(writing: Writing, attempts: readonly Tables['attempt'][], unlessThere = false): Promise<void> {
    if (unlessThere) {
      await writing
        .insertInto('attempt')
        .values([...attempts])
        .onConflict((conflict) => conflict.columns(['runId', 'taskIndex', 'number']).doNothing())
        .execute();
    } else await this.#insertAttempts.run(writing, attempts);
    for (const [number, indexes] of groupBy(
      attempts,
      (attempt) => attempt.number,
      (attempt) => attempt.taskIndex
    )) {
      await inParts(indexes, (part) =>
        writing
          .updateTable('task')
          .set({ attempts: number, notBefore: null })
          .where('runId', '=', attempts[0]!.runId)
          .where('index', 'in', part)
          .execute()
      );
    }
  }

  /** Raises StateMoved where the run is not in a state that may become `to`. */
  async moveRun(writing: Writing, runId: string, to: RunState, set: Partial<Tables['run']> = {}): Promise<void> {
    const { numUpdatedRows } = await writing
      .updateTable('run')
      .set({ ...set, state: to })
      .where('id', '=', runId)
      .where('state', 'in', sourcesOf('run', to))
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new StateMoved(`run ${runId} cannot become ${to}`);
  }

  /** Writes what a run has besides its state; where `whileIn` is given, only as long as it is in that state. */
  async setRun(
    writing: Writing,
    runId: string,
    set: Partial<Omit<Tables['run'], 'state'>>,
    whileIn?: RunState
  ): Promise<void> {
    let update = writing.updateTable('run').set(set).where('id', '=', runId);
    if (whileIn !== undefined) update = update.where('state', '=', whileIn);
    await update.execute();
  }

  async setCounts(writing: Writing, runId: string, counts: TaskCounts): Promise<void> {
    await this.#counts.run(writing, { runId, countsJson: JSON.stringify(counts) });
  }

  /** Moves the tasks of a run that are in `from`, or those named; returns how many became `to`. */
  async moveTasks(
    writing: Writing,
    runId: string,
    which: { from: readonly TaskState[] } | { indexes: readonly number[] },
    to: TaskState,
    set: Partial<Tables['task']> = {}
  ): Promise<number> {
    const move = async (part: readonly number[] | undefined) => {
      let update = writing
        .updateTable('task')
        .set({ ...set, state: to })
        .where('runId', '=', runId)
        .where('state', 'in', sourcesOf('task', to));
      if (part) update = update.where('index', 'in', part);
      if ('from' in which) update = update.where('state', 'in', which.from);
      return Number((await update.executeTakeFirst()).numUpdatedRows);
    };
    if ('from' in which) return await move(undefined);
    let moved = 0;
    await inParts(which.indexes, async (part) => {
      moved += await move(part);
    });
    return moved;
  }

  async startTask(
    writing: Writing,
    runId: string,
    index: number,
    attempt: number,
    startedAt: string,
    workerId: string
  ): Promise<void> {
    expectOne(
      await this.#startTask.run(writing, { runId, index, startedAt }),
      `task ${index} of ${runId} cannot start`
    );
    await this.#startAttempt.run(writing, { runId, taskIndex: index, number: attempt, startedAt, workerId });
  }

  async endTask(writing: Writing, to: TaskState, end: TaskEnd): Promise<void> {
    let write = this.#endTask.get(to);
    if (write === undefined) {
      write = new PreparedWrite((value) =>
        this.database
          .updateTable('task')
          .set({
            state: to,
            exitKind: value('exitKind'),
            reason: value('reason'),
            failureGroup: value('failureGroup'),
            failureText: value('failureText'),
            notBefore: value('notBefore'),
            failures: value('failures'),
            losses: value('losses'),
            startedAt: value('startedAt'),
            finishedAt: value('finishedAt'),
            durationSeconds: value('durationSeconds'),
            cpuSeconds: value('cpuSeconds'),
            peakMemoryBytes: value('peakMemoryBytes'),
            metricsJson: value('metricsJson')
          })
          .where('runId', '=', value('runId'))
          .where('index', '=', value('index'))
          // A task that waits again without ever having been seen to run stays what it is.
          .where('state', 'in', to === 'waiting' ? [...sourcesOf('task', to), to] : sourcesOf('task', to))
      );
      this.#endTask.set(to, write);
    }
    expectOne(await write.run(writing, end), `task ${end.index} of ${end.runId} cannot become ${to}`);
  }

  /** Nothing where the attempt has ended before: what was written first stands. */
  async endAttempt(writing: Writing, to: AttemptState, end: AttemptEnd): Promise<void> {
    let write = this.#endAttempt.get(to);
    if (write === undefined) {
      write = new PreparedWrite((value) =>
        this.database
          .updateTable('attempt')
          .set({
            state: to,
            exitKind: value('exitKind'),
            reason: value('reason'),
            exitCode: value('exitCode'),
            finishedAt: value('finishedAt'),
            durationSeconds: value('durationSeconds'),
            cpuSeconds: value('cpuSeconds'),
            peakMemoryBytes: value('peakMemoryBytes'),
            published: value('published')
          })
          .where('runId', '=', value('runId'))
          .where('taskIndex', '=', value('taskIndex'))
          .where('number', '=', value('number'))
          .where('state', 'in', sourcesOf('attempt', to))
      );
      this.#endAttempt.set(to, write);
    }
    await write.run(writing, end);
  }

  /** How many attempts of a task vanished while it went on. */
  async setLosses(writing: Writing, runId: string, index: number, losses: number): Promise<void> {
    await writing.updateTable('task').set({ losses }).where('runId', '=', runId).where('index', '=', index).execute();
  }

  /** What won before has nothing to show any more: another attempt is to win. */
  async revokeAttempts(writing: Writing, runId: string, taskIndexes: readonly number[]): Promise<void> {
    await inParts(taskIndexes, (part) =>
      writing
        .updateTable('attempt')
        .set({ published: 0 })
        .where('runId', '=', runId)
        .where('taskIndex', 'in', part)
        .execute()
    );
  }

  async moveOpenAttempts(
    writing: Writing,
    runId: string,
    to: AttemptState,
    reason: string,
    finishedAt: string
  ): Promise<void> {
    await writing
      .updateTable('attempt')
      .set({ state: to, reason, finishedAt })
      .where('runId', '=', runId)
      .where('state', '=', 'running')
      .where('state', 'in', sourcesOf('attempt', to))
      .execute();
  }
}

function expectOne(changed: number, otherwise: string): void {
  if (changed !== 1) throw new StateMoved(otherwise);
}

async function inParts<T>(all: readonly T[], write: (part: readonly T[]) => Promise<unknown>): Promise<void> {
  for (let start = 0; start < all.length; start += indexesAtOnce) await write(all.slice(start, start + indexesAtOnce));
}

function groupBy<T, K, V>(items: readonly T[], key: (item: T) => K, value: (item: T) => V): Map<K, V[]> {
  const groups = new Map<K, V[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(value(item));
    else groups.set(key(item), [value(item)]);
  }
  return groups;
}
