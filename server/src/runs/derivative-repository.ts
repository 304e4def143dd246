import type { Derivative, ParameterValues } from '@labscale/schema';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { StoredObject } from '../datasets/stored-shard.js';
import type { Database, Writing } from '../metadata/database.js';
import { RowInsert } from '../metadata/prepared-write.js';
import type { Tables } from '../metadata/tables.js';
import type { EarlierRecipe } from './plan.js';
import type { RunEnvironment } from './run-orders.js';

export interface MadeObject {
  path: string;
  sizeBytes: number;
  digest: string;
  mediaType: string;
  /** In the object store. */
  key: string;
}

export interface Made {
  madeBy: { runId: string; taskIndex: number; attempt: number };
  objects: MadeObject[];
}

const keysAtOnce = 500;
const earlierRunsLookedAt = 50;

/** What published runs made. */
export class DerivativeRepository {
  readonly #insert: RowInsert<'derivative'>;

  constructor(private readonly database: Database) {
    this.#insert = new RowInsert(database, 'derivative');
  }

  async insert(writing: Writing, rows: readonly Tables['derivative'][]): Promise<void> {
    await this.#insert.run(writing, rows);
  }

  /** Published derivatives of an owner by their keys, the latest of each. */
  async findByKeys(
    reading: Writing,
    owner: string,
    keys: readonly string[]
  ): Promise<Map<string, { runId: string; taskIndex: number; metricsJson: string }>> {
    const found = new Map<string, { runId: string; taskIndex: number; metricsJson: string }>();
    for (let start = 0; start < keys.length; start += keysAtOnce) {
      const rows = await reading
        .with('latest', (query) =>
          query
            .selectFrom('derivative')
            .select((is) => ['derivativeKey', is.fn.max('publishedAt').as('publishedAt')])
            .where('owner', '=', owner)
            .where('derivativeKey', 'in', keys.slice(start, start + keysAtOnce))
            .groupBy('derivativeKey')
        )
        .selectFrom('latest')
        .innerJoin('derivative', (on) =>
          on
            .onRef('derivative.derivativeKey', '=', 'latest.derivativeKey')
            .onRef('derivative.publishedAt', '=', 'latest.publishedAt')
            .on('derivative.owner', '=', owner)
        )
        .innerJoin('task', (on) =>
          on.onRef('task.runId', '=', 'derivative.runId').onRef('task.index', '=', 'derivative.taskIndex')
        )
        .select(['derivative.derivativeKey', 'derivative.runId', 'derivative.taskIndex', 'metricsJson'])
        .execute();
      for (const { derivativeKey, ...row } of rows) found.set(derivativeKey, row);
    }
    return found;
  }

  /** What published tasks made and who had made it, by `<run>/<index>`. */
  async findMade(tasks: readonly { runId: string; taskIndex: number }[]): Promise<Map<string, Made>> {
    const byRun = new Map<string, number[]>();
    for (const { runId, taskIndex } of tasks) byRun.set(runId, [...(byRun.get(runId) ?? []), taskIndex]);
    const found = new Map<string, Made>();
    for (const [runId, indexes] of byRun) {
      for (let start = 0; start < indexes.length; start += keysAtOnce) {
        const rows = await this.database
          .selectFrom('derivative')
          .innerJoin('run', 'run.id', 'derivative.runId')
          .leftJoin('shard', (on) =>
            on.onRef('shard.versionId', '=', 'run.derivativesVersionId').onRef('shard.index', '=', 'derivative.place')
          )
          .select(['taskIndex', 'attempt', 'madeByRunId', 'madeByTaskIndex', 'objectsJson'])
          .where('derivative.runId', '=', runId)
          .where('taskIndex', 'in', indexes.slice(start, start + keysAtOnce))
          .execute();
        for (const { taskIndex, attempt, madeByRunId, madeByTaskIndex, objectsJson } of rows) {
          const objects = objectsJson === null ? [] : (JSON.parse(objectsJson) as StoredObject[]);
          found.set(`${runId}/${taskIndex}`, {
            madeBy: { runId: madeByRunId, taskIndex: madeByTaskIndex, attempt },
            objects: objects.map(({ at, path, sizeBytes, digest, mediaType }) => ({
              ...{ path, sizeBytes, digest, mediaType },
              key: at
            }))
          });
        }
      }
    }
    return found;
  }

  /** What an owner's published runs of an analysis over a dataset were made with, the latest first. */
  async listEarlierRecipes(
    reading: Writing,
    owner: string,
    datasetId: string,
    analysisId: string
  ): Promise<EarlierRecipe[]> {
    const rows = await reading
      .selectFrom('run')
      .innerJoin('analysisVersion', 'analysisVersion.id', 'run.analysisVersionId')
      .innerJoin('runParameterSet', 'runParameterSet.runId', 'run.id')
      .innerJoin('parameterSetVersion', 'parameterSetVersion.id', 'runParameterSet.parameterSetVersionId')
      .select(['run.id', 'run.name', 'environmentDigest', 'environmentJson', 'parameterSetVersion.valuesJson'])
      .select(['analysisVersion.digest as analysisDigest', 'analysisVersion.number as analysisNumber'])
      .select('parameterSetVersion.digest as parametersDigest')
      .where('run.owner', '=', owner)
      .where('run.datasetId', '=', datasetId)
      .where('run.analysisId', '=', analysisId)
      .where('run.derivativesVersionId', 'is not', null)
      .orderBy('run.id', 'desc')
      .limit(earlierRunsLookedAt)
      .execute();
    return rows.map((row) => ({
      runId: row.id,
      runName: row.name,
      analysisDigest: row.analysisDigest,
      analysisNumber: row.analysisNumber,
      parametersDigest: row.parametersDigest,
      values: JSON.parse(row.valuesJson) as ParameterValues,
      environmentDigest: row.environmentDigest,
      packages: (JSON.parse(row.environmentJson) as RunEnvironment).packages
    }));
  }

  /** Digests that shards had in a run, by their keys, for those of the keys that the run has derivatives of. */
  async findShardDigests(
    reading: Writing,
    recipe: Pick<EarlierRecipe, 'runId' | 'parametersDigest'>,
    shardKeys: readonly string[]
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (let start = 0; start < shardKeys.length; start += keysAtOnce) {
      const rows = await reading
        .selectFrom('derivative')
        .select(['shardKey', 'shardDigest'])
        .where('runId', '=', recipe.runId)
        .where('shardKey', 'in', shardKeys.slice(start, start + keysAtOnce))
        .where('parametersDigest', '=', recipe.parametersDigest)
        .execute();
      for (const { shardKey, shardDigest } of rows) found.set(shardKey, shardDigest);
    }
    return found;
  }

  /** Keys that a task of a run that is not published made, with the name of that run. */
  async findUnpublished(
    reading: Writing,
    runIds: readonly string[],
    keys: readonly string[]
  ): Promise<Map<string, string>> {
    const found = new Map<string, string>();
    for (let start = 0; runIds.length > 0 && start < keys.length; start += keysAtOnce) {
      const rows = await reading
        .selectFrom('task')
        .innerJoin('run', 'run.id', 'task.runId')
        .select(['derivativeKey', 'run.name'])
        .where('derivativeKey', 'in', keys.slice(start, start + keysAtOnce))
        .where('task.runId', 'in', runIds)
        .where('task.state', '=', 'succeeded')
        .execute();
      for (const { derivativeKey, name } of rows) found.set(derivativeKey, name);
    }
    return found;
  }

  /** The latest runs of an analysis version that are not published. */
  async listUnpublishedRuns(reading: Writing, owner: string, analysisVersionId: string): Promise<string[]> {
    const rows = await reading
      .selectFrom('run')
      .select('id')
      .where('owner', '=', owner)
      .where('analysisVersionId', '=', analysisVersionId)
      .where('derivativesVersionId', 'is', null)
      .orderBy('id', 'desc')
      .limit(earlierRunsLookedAt)
      .execute();
    return rows.map(({ id }) => id);
  }

  async list(
    runId: string,
    query: { cursor?: string | undefined; limit: number }
  ): Promise<{ items: Derivative[]; nextCursor: string | null; total: number }> {
    const after = decodeCursor(
      query.cursor,
      'derivatives',
      (values): values is [number] => typeof values[0] === 'number'
    );
    const { total } = await this.database
      .selectFrom('derivative')
      .select((is) => is.fn.countAll<number>().as('total'))
      .where('runId', '=', runId)
      .executeTakeFirstOrThrow();
    const rows = await this.database
      .selectFrom('derivative')
      .innerJoin('run', 'run.id', 'derivative.runId')
      .innerJoin('task', (on) =>
        on.onRef('task.runId', '=', 'derivative.runId').onRef('task.index', '=', 'derivative.taskIndex')
      )
      .leftJoin('shard', (on) =>
        on.onRef('shard.versionId', '=', 'run.derivativesVersionId').onRef('shard.index', '=', 'derivative.place')
      )
      .select(['derivative.taskIndex', 'derivative.attempt', 'derivative.derivativeKey', 'derivative.shardKey'])
      .select(['parameterSetVersionId', 'metricsJson', 'reusedRunId', 'reusedTaskIndex', 'objectsJson'])
      .where('derivative.runId', '=', runId)
      .where('derivative.taskIndex', '>', after?.[0] ?? -1)
      .orderBy('derivative.taskIndex')
      .limit(query.limit + 1)
      .execute();
    const more = rows.length > query.limit;
    if (more) rows.pop();
    const items = rows.map(({ objectsJson, metricsJson, reusedRunId, reusedTaskIndex, ...row }) => ({
      runId,
      ...row,
      metrics: JSON.parse(metricsJson) as Derivative['metrics'],
      objects: (JSON.parse(objectsJson ?? '[]') as StoredObject[]).map(({ path, sizeBytes, digest, mediaType }) => ({
        ...{ path, sizeBytes, digest, mediaType }
      })),
      reusedFrom:
        reusedRunId === null || reusedTaskIndex === null ? null : { runId: reusedRunId, taskIndex: reusedTaskIndex }
    }));
    return {
      items,
      nextCursor: more ? encodeCursor('derivatives', rows.at(-1)!.taskIndex) : null,
      total: Number(total)
    };
  }
}
