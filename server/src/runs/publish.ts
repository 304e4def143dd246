import type { DatasetService } from '../datasets/dataset-service.js';
import type { ShardRepository } from '../datasets/shard-repository.js';
import type { Database, Writing } from '../metadata/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { AttemptReport } from '../runner/runner.js';
import type { DerivativeRepository } from './derivative-repository.js';
import { derivativeShards, type DerivativeEntry } from './derivative-shards.js';
import type { FaultPoint } from './fault-point.js';
import type { RunRepository, RunRow } from './run-repository.js';
import type { RunWrites } from './run-writes.js';

/** `runs/<run>/derivatives.json`: what a reader goes by. The same bytes whenever it is made from the same tasks. */
export interface DerivativesManifest {
  version: 1;
  runId: string;
  derivatives: DerivativeEntry[];
}

const tasksAtOnce = 1_000;
const looksAtOnce = 32;

/**
 * The publish protocol: what the claims name is made safe against a loss of power and looked at, then one object that is
 * created exclusively makes all of it visible, then the database learns of it in one transaction. Each step may be done
 * again: a server that comes after a crash at any point goes on to the same end.
 */
export class Publisher {
  constructor(
    private readonly database: Database,
    private readonly runs: RunRepository,
    private readonly writes: RunWrites,
    private readonly derivatives: DerivativeRepository,
    private readonly shards: ShardRepository,
    private readonly datasets: Pick<DatasetService, 'createDerivativesVersion'>,
    private readonly objects: ObjectStore,
    private readonly fault: FaultPoint
  ) {}

  /** Publishes a run in the state `publishing`, or returns the tasks whose objects are not all there, which must run again. */
  async publish(runId: string): Promise<number[]> {
    const key = `runs/${runId}/derivatives.json`;
    let manifest = await this.#read(key);
    if (manifest === undefined) {
      const { entries, missing } = await this.#gather(runId);
      await this.objects.sync();
      this.fault('after-sync');
      missing.push(...(await this.#lookAt(entries)));
      if (missing.length > 0) {
        // A claim without its objects would win over the attempt that makes them anew.
        for (const index of missing) await this.objects.delete(`runs/${runId}/claims/${index}.json`);
        return missing.sort((a, b) => a - b);
      }
      this.fault('after-verify');
      manifest = { version: 1, runId, derivatives: entries };
      if (!(await this.objects.putIfAbsent(key, Buffer.from(JSON.stringify(manifest))))) {
        manifest = await this.#read(key);
        if (manifest === undefined) throw new Error(`${key} is neither absent nor there`);
      }
    }
    this.fault('after-manifest');
    await this.#commit(runId, manifest.derivatives);
    this.fault('after-final-commit');
    return [];
  }

  /**
   * The derivatives become a dataset version, which is made once for a run however often it is asked for; then, in one
   * transaction, they are there for reuse and the run has succeeded.
   */
  async #commit(runId: string, entries: readonly DerivativeEntry[]): Promise<void> {
    const run = await this.runs.find(runId);
    if (run === undefined) throw new Error(`there is no run ${runId}`);
    const { owner, datasetId, analysisId, datasetName, analysisName, datasetVersionId, analysisVersionId } = run;
    const of = { runId, datasetVersionId, analysisVersionId, sets: run.parameterSets };
    const version = await this.datasets.createDerivativesVersion(
      { runId, owner, datasetId, analysisId, name: `${datasetName} · ${analysisName}` },
      derivativeShards(of, entries, this.shards)
    );
    const publishedAt = new Date().toISOString();
    await this.database.transaction().execute(async (writing) => {
      await this.#insertRows(writing, run, entries, publishedAt);
      const set = { derivativesVersionId: version.id, finishedAt: publishedAt, failure: null };
      await this.writes.moveRun(writing, runId, 'succeeded', set);
      this.fault('before-final-commit');
    });
  }

  async #insertRows(
    writing: Writing,
    run: RunRow,
    entries: readonly DerivativeEntry[],
    publishedAt: string
  ): Promise<void> {
    const { digest: analysisDigest } = await writing
      .selectFrom('analysisVersion')
      .select('digest')
      .where('id', '=', run.analysisVersionId)
      .executeTakeFirstOrThrow();
    const sets = await writing
      .selectFrom('parameterSetVersion')
      .select(['id', 'digest'])
      .where(
        'id',
        'in',
        run.parameterSets.map(({ versionId }) => versionId)
      )
      .execute();
    const parametersDigests = new Map(sets.map(({ id, digest }) => [id, digest]));
    let place = 0;
    for (let start = 0; start < entries.length; start += tasksAtOnce) {
      const part = entries.slice(start, start + tasksAtOnce);
      const sources = await writing
        .selectFrom('task')
        .innerJoin('shard', (on) =>
          on.onRef('shard.index', '=', 'task.shardIndex').on('shard.versionId', '=', run.datasetVersionId)
        )
        .select(['task.index', 'shard.digest'])
        .where('runId', '=', run.id)
        .where('task.index', '>=', part[0]!.taskIndex)
        .where('task.index', '<=', part.at(-1)!.taskIndex)
        .execute();
      const shardDigests = new Map(sources.map(({ index, digest }) => [index, digest]));
      await this.derivatives.insert(
        writing,
        part.map((entry) => ({
          derivativeKey: entry.derivativeKey,
          owner: run.owner,
          runId: run.id,
          taskIndex: entry.taskIndex,
          attempt: entry.madeBy.attempt,
          place: entry.objects.length === 0 ? null : place++,
          madeByRunId: entry.madeBy.runId,
          madeByTaskIndex: entry.madeBy.taskIndex,
          datasetId: run.datasetId,
          shardKey: entry.shardKey,
          shardDigest: shardDigests.get(entry.taskIndex) ?? '',
          analysisId: run.analysisId,
          analysisDigest,
          parametersDigest: parametersDigests.get(entry.parameterSetVersionId) ?? '',
          environmentDigest: run.environmentDigest,
          publishedAt
        }))
      );
    }
  }

  /** Removes the objects of attempts that did not win, after a run ended; logs and reports are kept. */
  async removeGarbage(runId: string): Promise<void> {
    const run = await this.database.selectFrom('run').select('state').where('id', '=', runId).executeTakeFirstOrThrow();
    let lost = this.database.selectFrom('attempt').select(['taskIndex', 'number']).where('runId', '=', runId);
    // Nothing of a run that was stopped is ever published.
    if (run.state !== 'stopped') lost = lost.where('published', '=', 0);
    for (const { taskIndex, number } of await lost.execute()) {
      await this.objects.deletePrefix(`runs/${runId}/attempts/${taskIndex}/${number}/out/`);
    }
    await this.database
      .updateTable('run')
      .set({ garbage: 0 })
      .where('id', '=', runId)
      .where('state', '=', run.state)
      .execute();
  }

  async #read(key: string): Promise<DerivativesManifest | undefined> {
    const bytes = await this.objects.get(key);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as DerivativesManifest);
  }

  /** What each task that is done made, from its claim or from the run that it is reused from; and the tasks without either. */
  async #gather(runId: string): Promise<{ entries: DerivativeEntry[]; missing: number[] }> {
    const entries: DerivativeEntry[] = [];
    const missing: number[] = [];
    for (let after = -1; ;) {
      const tasks = await this.database
        .selectFrom('task')
        .select(['index', 'state', 'shardKey', 'shardIndex', 'parameterSetVersionId', 'derivativeKey', 'metricsJson'])
        .select(['reusedRunId', 'reusedTaskIndex'])
        .where('runId', '=', runId)
        .where('index', '>', after)
        .where('state', 'in', ['succeeded', 'reused'])
        .orderBy('index')
        .limit(tasksAtOnce)
        .execute();
      if (tasks.length === 0) return { entries, missing };
      after = tasks.at(-1)!.index;
      const reused = await this.derivatives.findMade(
        tasks.flatMap(({ reusedRunId, reusedTaskIndex }) =>
          reusedRunId === null || reusedTaskIndex === null ? [] : [{ runId: reusedRunId, taskIndex: reusedTaskIndex }]
        )
      );
      const made = await inParallel(tasks, async (task) => {
        if (task.state === 'reused') return reused.get(`${task.reusedRunId}/${task.reusedTaskIndex}`);
        const bytes = await this.objects.get(`runs/${runId}/claims/${task.index}.json`);
        if (bytes === undefined) return undefined;
        const { attempt, objects } = JSON.parse(bytes.toString('utf8')) as AttemptReport;
        const folder = `runs/${runId}/attempts/${task.index}/${attempt}/out`;
        return {
          madeBy: { runId, taskIndex: task.index, attempt },
          objects: objects.map(({ path, sizeBytes, digest, mediaType }) => ({
            ...{ path, sizeBytes, digest, mediaType },
            key: `${folder}/${path}`
          }))
        };
      });
      tasks.forEach((task, place) => {
        const { index, shardKey, shardIndex, parameterSetVersionId, derivativeKey, metricsJson } = task;
        const found = made[place];
        if (found === undefined) missing.push(index);
        else {
          const metrics = JSON.parse(metricsJson) as Record<string, number>;
          entries.push({
            taskIndex: index,
            shardKey,
            shardIndex,
            parameterSetVersionId,
            derivativeKey,
            metrics,
            ...found
          });
        }
      });
    }
  }

  /** Tasks of which an object is not there with its size. */
  async #lookAt(entries: readonly DerivativeEntry[]): Promise<number[]> {
    const missing: number[] = [];
    await inParallel(entries, async (entry) => {
      for (const { key, sizeBytes } of entry.objects) {
        if ((await this.objects.head(key))?.sizeBytes !== sizeBytes) {
          missing.push(entry.taskIndex);
          return;
        }
      }
    });
    return missing;
  }
}

/** Results in the order of the items, few of them under way at once. */
async function inParallel<T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array<R>(items.length);
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      const place = next++;
      results[place] = await act(items[place]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(looksAtOnce, items.length) }, work));
  return results;
}
