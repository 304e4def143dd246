import { createInterface } from 'node:readline';
import type { DerivativeVersions } from '../datasets/derivative-versions.js';
import type { ShardRepository } from '../datasets/shard-repository.js';
import type { Database, Writing } from '../metadata/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import { isOnDisk, listedKeys } from '../objects/object-walk.js';
import { claimKey, readClaim } from './attempt-report.js';
import type { DerivativeRepository, Made } from './derivative-repository.js';
import { derivativeShards, type DerivativeEntry } from './derivative-shards.js';
import type { FaultPoint } from './fault-point.js';
import { ObjectSizes } from './object-sizes.js';
import type { RunRepository, RunRow } from './run-repository.js';
import type { RunWrites } from './run-writes.js';

/**
 * `runs/<run>/derivatives.json`: what a reader goes by. Written a derivative a line, and the same bytes whenever it is made
 * from the same tasks.
 */
export interface DerivativesManifest {
  version: 1;
  runId: string;
  derivatives: DerivativeEntry[];
}

const tasksAtOnce = 500;
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
    private readonly versions: DerivativeVersions,
    private readonly objects: ObjectStore,
    /** Raises why the store cannot be trusted with results. */
    private readonly mayPublish: () => Promise<void>,
    private readonly fault: FaultPoint
  ) {}

  /** Whether the manifest is there: from then on nothing can be added to what the run publishes. */
  async hasManifest(runId: string): Promise<boolean> {
    return (await this.objects.head(manifestKey(runId))) !== undefined;
  }

  /** Publishes a run in the state `publishing`, or returns the tasks whose objects are not all there, which must run again. */
  async publish(runId: string): Promise<number[]> {
    const key = manifestKey(runId);
    if (!(await this.hasManifest(runId))) {
      await this.mayPublish();
      // What is reused was made safe before the run that made it was published.
      if (await this.#madeAny(runId)) await this.objects.sync();
      this.fault('after-sync');
      const { manifest, missing } = await this.#makeManifest(runId);
      if (missing.length > 0) {
        // A claim without its objects would win over the attempt that makes them anew.
        for (const index of missing) await this.objects.delete(claimKey(runId, index));
        return missing.sort((a, b) => a - b);
      }
      this.fault('after-verify');
      // False where it was created by a server before this one: then that one counts.
      await this.objects.putIfAbsent(key, manifest);
    }
    this.fault('after-manifest');
    await this.#commit(runId, () => this.#readManifest(key));
    this.fault('after-final-commit');
    return [];
  }

  /**
   * The derivatives become a dataset version, which is made once for a run however often it is asked for; then, in one
   * transaction, they are there for reuse and the run has succeeded.
   */
  async #commit(runId: string, read: () => AsyncIterable<DerivativeEntry[]>): Promise<void> {
    const run = await this.runs.find(runId);
    if (run === undefined) throw new Error(`there is no run ${runId}`);
    const { owner, datasetId, analysisId, datasetName, analysisName, datasetVersionId, analysisVersionId } = run;
    const of = { runId, datasetVersionId, analysisVersionId, sets: run.parameterSets };
    const derivativesVersionId = await this.versions.create(
      { runId, owner, datasetId, analysisId, name: `${datasetName} · ${analysisName}` },
      derivativeShards(of, read(), this.shards)
    );
    const publishedAt = new Date().toISOString();
    await this.database.transaction().execute(async (writing) => {
      await this.#insertRows(writing, run, read(), publishedAt);
      const set = { derivativesVersionId, finishedAt: publishedAt, failure: null };
      await this.writes.moveRun(writing, runId, 'succeeded', set);
      this.fault('before-final-commit');
    });
  }

  async #insertRows(
    writing: Writing,
    run: RunRow,
    entries: AsyncIterable<DerivativeEntry[]>,
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
    for await (const part of entries) {
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
    const folders = (await lost.execute()).map(({ taskIndex, number }) =>
      outFolder({ runId, taskIndex, attempt: number })
    );
    if (isOnDisk(this.objects) || folders.length <= looksAtOnce) {
      for (const folder of folders) await this.objects.deletePrefix(`${folder}/`);
    } else await this.#deleteBelow(runId, new Set(folders));
    await this.writes.setRun(this.database, runId, { garbage: 0 }, run.state);
  }

  /** Deletes by one walk over what the run made: most of very many lost attempts never made anything. */
  async #deleteBelow(runId: string, folders: ReadonlySet<string>): Promise<void> {
    const keys: string[] = [];
    for await (const { key } of listedKeys(this.objects, `runs/${runId}/attempts/`)) {
      const end = key.indexOf('/out/');
      if (end >= 0 && folders.has(key.slice(0, end + '/out'.length))) keys.push(key);
    }
    await inParallel(keys, (key) => this.objects.delete(key));
  }

  /** The derivatives of a manifest, some at a time: a large one is never in memory as a whole. */
  async *#readManifest(key: string): AsyncGenerator<DerivativeEntry[]> {
    let part: DerivativeEntry[] = [];
    for await (const line of createInterface({ input: await this.objects.read(key), crlfDelay: Infinity })) {
      if (!line.startsWith('{"taskIndex":')) continue;
      part.push(JSON.parse(line.endsWith(',') ? line.slice(0, -1) : line) as DerivativeEntry);
      if (part.length < tasksAtOnce) continue;
      yield part;
      part = [];
    }
    if (part.length > 0) yield part;
  }

  /** The manifest of all tasks that are done; and the tasks whose claim or objects are not there with their sizes. */
  async #makeManifest(runId: string): Promise<{ manifest: Buffer; missing: number[] }> {
    const sizes = new ObjectSizes(this.objects, runId);
    const pieces: Buffer[] = [Buffer.from(`{"version":1,"runId":${JSON.stringify(runId)},"derivatives":[`)];
    const missing: number[] = [];
    let separator = '\n';
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
      if (tasks.length === 0) break;
      after = tasks.at(-1)!.index;
      const reused = await this.derivatives.findMade(
        tasks.flatMap(({ reusedRunId, reusedTaskIndex }) =>
          reusedRunId === null || reusedTaskIndex === null ? [] : [{ runId: reusedRunId, taskIndex: reusedTaskIndex }]
        )
      );
      const made = await inParallel(tasks, async (task) => {
        const found =
          task.state === 'reused'
            ? reused.get(`${task.reusedRunId}/${task.reusedTaskIndex}`)
            : await this.#madeBy(runId, task.index);
        if (found === undefined) return undefined;
        const { madeBy } = found;
        return (await sizes.hold(madeBy.runId, outFolder(madeBy), found.objects)) ? found : undefined;
      });
      let text = '';
      tasks.forEach((task, place) => {
        const { index, shardKey, shardIndex, parameterSetVersionId, derivativeKey } = task;
        const found = made[place];
        if (found === undefined) {
          missing.push(index);
          return;
        }
        const metrics = JSON.parse(task.metricsJson) as Record<string, number>;
        const entry: DerivativeEntry = {
          ...{ taskIndex: index, shardKey, shardIndex, parameterSetVersionId, derivativeKey, metrics },
          ...found
        };
        text += separator + JSON.stringify(entry);
        separator = ',\n';
      });
      pieces.push(Buffer.from(text));
    }
    pieces.push(Buffer.from('\n]}\n'));
    return { manifest: Buffer.concat(pieces), missing };
  }

  async #madeAny(runId: string): Promise<boolean> {
    const one = await this.database
      .selectFrom('task')
      .select('index')
      .where('runId', '=', runId)
      .where('state', '=', 'succeeded')
      .limit(1)
      .executeTakeFirst();
    return one !== undefined;
  }

  /** What the attempt that holds the claim of a task made. */
  async #madeBy(runId: string, taskIndex: number): Promise<Made | undefined> {
    const claim = await readClaim(this.objects, runId, taskIndex);
    if (claim === undefined) return undefined;
    const { attempt, objects } = claim;
    const folder = outFolder({ runId, taskIndex, attempt });
    return {
      madeBy: { runId, taskIndex, attempt },
      objects: objects.map(({ path, sizeBytes, digest, mediaType }) => ({
        ...{ path, sizeBytes, digest, mediaType },
        key: `${folder}/${path}`
      }))
    };
  }
}

function manifestKey(runId: string): string {
  return `runs/${runId}/derivatives.json`;
}

function outFolder({ runId, taskIndex, attempt }: Made['madeBy']): string {
  return `runs/${runId}/attempts/${taskIndex}/${attempt}/out`;
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
