import type { Attempt, attemptStates, FailureGroup, Task, TaskColumns, TaskState } from '@labscale/schema';
import type { SelectQueryBuilder } from 'kysely';
import type { Static } from 'typebox';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { Database } from '../metadata/database.js';
import { occursIn, searchWords } from '../metadata/search-words.js';
import type { Tables } from '../metadata/tables.js';
import { failureTitle } from './failure-groups.js';
import type { LogOf } from './run-logs.js';

export interface TaskQuery {
  state?: TaskState | undefined;
  failureGroup?: string | undefined;
  search?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

const tasksAtOnce = 1_000;
const groupsShown = 200;
const indexesShown = 1_000;

/** Reads tasks and attempts; what reads all of a run does it a part at a time, with other requests in between. */
export class TaskRepository {
  constructor(private readonly database: Database) {}

  async find(runId: string, index: number): Promise<Task | undefined> {
    const row = await this.#rows(runId).where('task.index', '=', index).executeTakeFirst();
    return row && toTask(row);
  }

  async list(runId: string, query: TaskQuery): Promise<{ items: Task[]; nextCursor: string | null; total: number }> {
    const after = decodeCursor(query.cursor, 'tasks', (values): values is [number] => typeof values[0] === 'number');
    const narrow = <O>(tasks: SelectQueryBuilder<Tables, 'task', O>) => {
      let narrowed = tasks.where('task.runId', '=', runId);
      if (query.state) narrowed = narrowed.where('task.state', '=', query.state);
      if (query.failureGroup) narrowed = narrowed.where('task.failureGroup', '=', query.failureGroup);
      for (const word of searchWords(query.search)) {
        narrowed = narrowed.where(occursIn(['task.shardKey'], word));
      }
      return narrowed;
    };
    const { total } = await narrow(this.database.selectFrom('task'))
      .select((is) => is.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    const chosen = await narrow(this.database.selectFrom('task'))
      .select('task.index')
      .where('task.index', '>', after?.[0] ?? -1)
      .orderBy('task.index')
      .limit(query.limit + 1)
      .execute();
    const more = chosen.length > query.limit;
    const indexes = chosen.slice(0, query.limit).map(({ index }) => index);
    const rows =
      indexes.length === 0
        ? []
        : await this.#rows(runId).where('task.index', 'in', indexes).orderBy('task.index').execute();
    return {
      items: rows.map(toTask),
      nextCursor: more ? encodeCursor('tasks', indexes.at(-1)!) : null,
      total: Number(total)
    };
  }

  async columns(runId: string): Promise<TaskColumns> {
    const columns: TaskColumns = {
      ...{ runId, index: [], shardKey: [], parameterSetVersionId: [], state: [], durationSeconds: [] },
      ...{ entities: {}, metrics: {} }
    };
    for (let after = -1; ;) {
      const rows = await this.#rows(runId)
        .where('task.index', '>', after)
        .orderBy('task.index')
        .limit(tasksAtOnce)
        .execute();
      for (const row of rows) {
        const place = columns.index.length;
        columns.index.push(row.index);
        columns.shardKey.push(row.shardKey);
        columns.parameterSetVersionId.push(row.parameterSetVersionId);
        columns.state.push(row.state);
        columns.durationSeconds.push(row.durationSeconds);
        fill(columns.entities, JSON.parse(row.entitiesJson) as Record<string, string>, place);
        fill(columns.metrics, JSON.parse(row.metricsJson) as Record<string, number>, place);
      }
      if (rows.length < tasksAtOnce) break;
      after = rows.at(-1)!.index;
      await new Promise(setImmediate);
    }
    for (const group of [columns.entities, columns.metrics] as Record<string, unknown[]>[]) {
      for (const values of Object.values(group)) while (values.length < columns.index.length) values.push(null);
    }
    return columns;
  }

  async listAttempts(runId: string, taskIndex: number): Promise<Attempt[]> {
    const rows = await this.database
      .selectFrom('attempt')
      .selectAll()
      .where('runId', '=', runId)
      .where('taskIndex', '=', taskIndex)
      .orderBy('number')
      .execute();
    return rows.map(({ owner: _owner, workerId: _worker, published, ...row }) => ({
      ...row,
      published: published === 1
    }));
  }

  async attemptState(
    runId: string,
    taskIndex: number,
    number: number
  ): Promise<(typeof attemptStates)[number] | undefined> {
    const row = await this.database
      .selectFrom('attempt')
      .select('state')
      .where('runId', '=', runId)
      .where('taskIndex', '=', taskIndex)
      .where('number', '=', number)
      .executeTakeFirst();
    return row?.state;
  }

  /** For each task that was tried the attempt that won, or else the last. */
  async *logs(runId: string): AsyncGenerator<LogOf> {
    for (let after = -1; ;) {
      const tasks = await this.database
        .selectFrom('task')
        .leftJoin('attempt as won', (on) =>
          on.onRef('won.runId', '=', 'task.runId').onRef('won.taskIndex', '=', 'task.index').on('won.published', '=', 1)
        )
        .select(['task.index', 'task.shardKey', 'task.attempts', 'won.number'])
        .where('task.runId', '=', runId)
        .where('task.index', '>', after)
        .orderBy('task.index')
        .limit(tasksAtOnce)
        .execute();
      for (const { index, shardKey, attempts, number } of tasks) {
        if (attempts > 0) yield { taskIndex: index, shardKey, attempt: number ?? attempts };
      }
      if (tasks.length < tasksAtOnce) return;
      after = tasks.at(-1)!.index;
    }
  }

  async listFailures(runId: string): Promise<Static<typeof FailureGroup>[]> {
    const failed = this.database.selectFrom('task').where('runId', '=', runId).where('state', '=', 'failed');
    const groups = await failed
      .select((is) => [
        'failureGroup',
        is.fn.countAll<number>().as('count'),
        is.fn.min<string>('finishedAt').as('firstAt')
      ])
      .groupBy('failureGroup')
      .orderBy('firstAt')
      .limit(groupsShown)
      .execute();
    const shown = [];
    for (const { failureGroup, count, firstAt } of groups) {
      const tasks = await failed
        .select('index')
        .where('failureGroup', 'is not distinct from', failureGroup)
        .orderBy('index')
        .limit(indexesShown)
        .execute();
      const first = await failed
        .select(['index', 'exitKind', 'reason', 'failureText'])
        .where('failureGroup', 'is not distinct from', failureGroup)
        .orderBy('finishedAt')
        .orderBy('index')
        .limit(1)
        .executeTakeFirstOrThrow();
      const text = first.failureText ?? first.reason ?? '';
      shown.push({
        id: failureGroup ?? '',
        exitKind: first.exitKind ?? 'exception',
        title: failureTitle(text),
        text,
        count: Number(count),
        firstAt,
        firstTaskIndex: first.index,
        taskIndexes: tasks.map(({ index }) => index)
      });
    }
    return shown;
  }

  #rows(runId: string) {
    return this.database
      .selectFrom('task')
      .innerJoin('run', 'run.id', 'task.runId')
      .innerJoin('shard', (on) =>
        on.onRef('shard.versionId', '=', 'run.datasetVersionId').onRef('shard.index', '=', 'task.shardIndex')
      )
      .selectAll('task')
      .select('shard.entitiesJson')
      .where('task.runId', '=', runId);
  }
}

function toTask(row: Tables['task'] & { entitiesJson: string }): Task {
  return {
    runId: row.runId,
    index: row.index,
    shardKey: row.shardKey,
    shardIndex: row.shardIndex,
    entities: JSON.parse(row.entitiesJson) as Task['entities'],
    parameterSetVersionId: row.parameterSetVersionId,
    state: row.state,
    derivativeKey: row.derivativeKey,
    reusedFrom:
      row.reusedRunId === null || row.reusedTaskIndex === null
        ? null
        : { runId: row.reusedRunId, taskIndex: row.reusedTaskIndex },
    attempts: row.attempts,
    progress: null,
    metrics: JSON.parse(row.metricsJson) as Task['metrics'],
    exitKind: row.exitKind,
    reason: row.reason,
    failureGroup: row.failureGroup,
    notBefore: row.notBefore,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt,
    durationSeconds: row.durationSeconds,
    cpuSeconds: row.cpuSeconds,
    peakMemoryBytes: row.peakMemoryBytes
  };
}

function fill<V>(columns: Record<string, (V | null)[]>, values: Record<string, V>, place: number): void {
  for (const [name, value] of Object.entries(values)) {
    const column = (columns[name] ??= []);
    while (column.length < place) column.push(null);
    column[place] = value;
  }
}
