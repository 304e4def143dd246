import type { Resources, Run, RunState } from '@labscale/schema';
import type { Selectable } from 'kysely';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import { occursIn, searchWords } from '../metadata/search-words.js';
import type { Database, Writing } from '../metadata/database.js';
import type { Tables } from '../metadata/tables.js';
import { LiveRun, TaskStateBytes } from './live-run.js';
import type { RunEnvironment } from './run-orders.js';
import { unfinishedRunStates } from './run-states.js';

/** A row of `run` with the names and numbers that a person knows its parts by. */
export interface RunRow extends Selectable<Tables['run']> {
  analysisName: string;
  analysisNumber: number;
  datasetName: string;
  datasetNumber: number;
  derivativesDatasetId: string | null;
  derivativesShardCount: number | null;
  parameterSets: Run['parameterSets'];
}

export interface RunQuery {
  search?: string | undefined;
  state?: RunState | undefined;
  datasetId?: string | undefined;
  analysisId?: string | undefined;
  parameterSetId?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

const tasksAtOnce = 10_000;

export class RunRepository {
  constructor(private readonly database: Database) {}

  async find(runId: string, reading: Writing = this.database): Promise<RunRow | undefined> {
    const rows = await this.#rows(reading).where('run.id', '=', runId).execute();
    return (await this.#withSets(reading, rows))[0];
  }

  async list(owner: string, query: RunQuery): Promise<{ rows: RunRow[]; nextCursor: string | null; total: number }> {
    const after = decodeCursor(query.cursor, 'runs', (values): values is [string] => typeof values[0] === 'string');
    const words = searchWords(query.search);
    let matching = this.#rows(this.database).where('run.owner', '=', owner);
    if (query.state) matching = matching.where('run.state', '=', query.state);
    if (query.datasetId) matching = matching.where('run.datasetId', '=', query.datasetId);
    if (query.analysisId) matching = matching.where('run.analysisId', '=', query.analysisId);
    if (query.parameterSetId) {
      const { parameterSetId } = query;
      matching = matching.where((is) =>
        is.exists(
          is
            .selectFrom('runParameterSet')
            .select('position')
            .whereRef('runId', '=', 'run.id')
            .where('parameterSetId', '=', parameterSetId)
        )
      );
    }
    for (const word of words) {
      matching = matching.where(occursIn(['run.name', 'analysis.name', 'dataset.name'], word));
    }
    const { total } = await matching
      .clearSelect()
      .select((is) => is.fn.countAll<number>().as('total'))
      .executeTakeFirstOrThrow();
    // An id starts with the time of its making, so the newest is the largest.
    let page = matching.orderBy('run.id', 'desc').limit(query.limit + 1);
    if (after) page = page.where('run.id', '<', after[0]);
    const rows = await page.execute();
    const more = rows.length > query.limit;
    if (more) rows.pop();
    return {
      rows: await this.#withSets(this.database, rows),
      nextCursor: more ? encodeCursor('runs', rows.at(-1)!.id) : null,
      total: Number(total)
    };
  }

  async listUnfinished(): Promise<string[]> {
    const rows = await this.database
      .selectFrom('run')
      .select('id')
      .where('state', 'in', unfinishedRunStates)
      .orderBy('id')
      .execute();
    return rows.map(({ id }) => id);
  }

  async listWithGarbage(): Promise<string[]> {
    const rows = await this.database
      .selectFrom('run')
      .select('id')
      .where('garbage', '=', 1)
      .where('state', 'not in', unfinishedRunStates)
      .execute();
    return rows.map(({ id }) => id);
  }

  /** A run as this server keeps it in mind, with its open attempts as flights. */
  async load(runId: string): Promise<LiveRun> {
    const run = await this.database.selectFrom('run').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    const resources = JSON.parse(run.resourcesJson) as Resources;
    const environment = JSON.parse(run.environmentJson) as RunEnvironment;
    const live = new LiveRun(
      {
        id: run.id,
        owner: run.owner,
        name: run.name,
        state: run.state,
        datasetVersionId: run.datasetVersionId,
        resources,
        interpreter: environment.interpreter,
        image: environment.image ?? null,
        publishPartial: run.publishPartial === 1,
        shardsPerPod: run.shardsPerPod === null ? null : Number(run.shardsPerPod)
      },
      await this.loadStates(runId, run.taskCount)
    );
    const open = await this.database
      .selectFrom('attempt')
      .innerJoin('task', (on) =>
        on.onRef('task.runId', '=', 'attempt.runId').onRef('task.index', '=', 'attempt.taskIndex')
      )
      .select(['task.index', 'attempt.number', 'task.failures', 'task.losses', 'task.resourcesJson', 'task.startedAt'])
      .where('attempt.state', '=', 'running')
      .where('attempt.runId', '=', runId)
      .execute();
    for (const row of open) {
      live.flights.set(row.index, {
        index: row.index,
        attempt: row.number,
        resources: row.resourcesJson === null ? resources : (JSON.parse(row.resourcesJson) as Resources),
        failures: row.failures,
        losses: row.losses,
        startedAt: row.startedAt,
        progress: null
      });
    }
    const later = await this.database
      .selectFrom('task')
      .select(['index', 'notBefore'])
      .where('runId', '=', runId)
      .where('state', '=', 'waiting')
      .where('notBefore', 'is not', null)
      .execute();
    for (const { index, notBefore } of later) live.notBefore.set(index, Date.parse(notBefore ?? ''));
    const { seconds, count } = await this.database
      .selectFrom('task')
      .select((is) => [is.fn.sum<number | null>('durationSeconds').as('seconds'), is.fn.countAll<number>().as('count')])
      .where('runId', '=', runId)
      .where('state', '=', 'succeeded')
      .executeTakeFirstOrThrow();
    live.countDurations(seconds ?? 0, Number(count));
    return live;
  }

  /** The state of every task, read a part at a time so that other requests come in between. */
  async loadStates(runId: string, taskCount: number): Promise<TaskStateBytes> {
    const states = new TaskStateBytes(new Uint8Array(taskCount));
    for (let start = 0; start < taskCount; start += tasksAtOnce) {
      const rows = await this.database
        .selectFrom('task')
        .select(['index', 'state'])
        .where('runId', '=', runId)
        .where('index', '>=', start)
        .where('index', '<', start + tasksAtOnce)
        .execute();
      for (const { index, state } of rows) states.set(index, state);
      await new Promise(setImmediate);
    }
    return states;
  }

  #rows(reading: Writing) {
    return reading
      .selectFrom('run')
      .innerJoin('analysis', 'analysis.id', 'run.analysisId')
      .innerJoin('analysisVersion', 'analysisVersion.id', 'run.analysisVersionId')
      .innerJoin('dataset', 'dataset.id', 'run.datasetId')
      .innerJoin('datasetVersion', 'datasetVersion.id', 'run.datasetVersionId')
      .leftJoin('datasetVersion as made', 'made.id', 'run.derivativesVersionId')
      .selectAll('run')
      .select(['analysis.name as analysisName', 'analysisVersion.number as analysisNumber'])
      .select(['dataset.name as datasetName', 'datasetVersion.number as datasetNumber'])
      .select(['made.datasetId as derivativesDatasetId', 'made.shardCount as derivativesShardCount']);
  }

  async #withSets(reading: Writing, rows: Omit<RunRow, 'parameterSets'>[]): Promise<RunRow[]> {
    if (rows.length === 0) return [];
    const sets = await reading
      .selectFrom('runParameterSet')
      .innerJoin('parameterSet', 'parameterSet.id', 'runParameterSet.parameterSetId')
      .innerJoin('parameterSetVersion', 'parameterSetVersion.id', 'runParameterSet.parameterSetVersionId')
      .select(['runId', 'parameterSet.id', 'parameterSetVersion.id as versionId', 'name', 'parameterSetVersion.number'])
      .where(
        'runId',
        'in',
        rows.map(({ id }) => id)
      )
      .orderBy('runId')
      .orderBy('position')
      .execute();
    return rows.map((row) => ({
      ...row,
      parameterSets: sets
        .filter(({ runId }) => runId === row.id)
        .map(({ id, versionId, name, number }) => ({ id, versionId, name, number }))
    }));
  }
}
