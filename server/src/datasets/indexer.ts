import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { DatasetVersion } from '@labscale/schema';
import type { Logger } from 'pino';
import type { EventLog } from '../events/event-log.js';
import type { Database } from '../metadata/database.js';
import { isDiskFull } from '../metadata/database-errors.js';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import type { DataBuckets } from './data-buckets.js';
import type { DatasetFolders } from './dataset-folder.js';
import { toPublicVersion, type DatasetRepository, type StoredVersion } from './dataset-repository.js';
import { digestManifest, manifestKey, manifestOf } from './manifest.js';
import { readBucket, readFiles, sentenceOf, uploadFiles, whyNotTakenIn, type Intake } from './object-intake.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredObject, type StoredShard } from './stored-shard.js';

const shardsAtOnce = 200;
/** What a server that is killed does again is at most so much, or one shard. */
const bytesAtOnce = 1_073_741_824;
const objectsAtOnce = 8;
const eventEveryMs = 250;

/** Why a version cannot be made, in plain words. */
class IndexingFailed extends Error {}

/** Of the version that is taken in now. */
interface Progress {
  versionId: string;
  doneBytes: number;
  totalBytes: number;
}

/**
 * Takes in the objects of new versions, in the background and one version after the other: reads them for their digests,
 * and uploads those that are to be uploaded. What is done is in the database, so a restarted server goes on where it was.
 */
export class Indexer {
  readonly #waiting: string[] = [];
  readonly #stopped = new AbortController();
  #working: Promise<void> | undefined;
  #progress: Progress | undefined;

  constructor(
    private readonly database: Database,
    private readonly datasets: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly folders: DatasetFolders,
    private readonly buckets: DataBuckets,
    private readonly objects: ObjectStore,
    private readonly events: EventLog,
    private readonly logger: Logger,
    private readonly refreshStatistics: () => void
  ) {}

  /** Goes on with what an earlier server left, and removes what it had not finished to register or to forget. */
  async start(): Promise<void> {
    for (const versionId of await this.shards.listOrphans()) await this.shards.remove(versionId);
    for (const { id } of await this.datasets.listVersionsIn('digesting')) this.add(id);
  }

  add(versionId: string): void {
    this.#waiting.push(versionId);
    this.#working ??= this.#work().finally(() => (this.#working = undefined));
  }

  /** Returns when nothing is read or sent any more. */
  async stop(): Promise<void> {
    this.#stopped.abort(new Error('the server stops'));
    await this.#working;
  }

  /** As the contract has it, with the bytes of a version that is taken in now. */
  toPublic(version: StoredVersion): DatasetVersion {
    const shown = toPublicVersion(version);
    const progress = this.#progress;
    if (progress?.versionId !== version.id || shown.indexing.state !== 'digesting') return shown;
    const { doneBytes, totalBytes } = progress;
    return { ...shown, indexing: { ...shown.indexing, doneBytes: Math.min(doneBytes, totalBytes), totalBytes } };
  }

  async #work(): Promise<void> {
    for (
      let versionId = this.#waiting.shift();
      versionId !== undefined && !this.#stopped.signal.aborted;
      versionId = this.#waiting.shift()
    ) {
      try {
        await this.#index(versionId);
      } catch (error) {
        // What was not finished is begun again by the next server.
        if (this.#stopped.signal.aborted) return;
        this.logger.warn({ err: error, versionId }, 'indexing failed');
        await this.#fail(versionId, whyFailed(error));
      } finally {
        this.#progress = undefined;
      }
    }
  }

  async #fail(versionId: string, detail: string): Promise<void> {
    await this.datasets.updateVersion(this.database, versionId, { indexingState: 'failed', indexingDetail: detail });
    await this.#tell(versionId);
  }

  async #index(versionId: string): Promise<void> {
    const version = await this.datasets.getVersion(versionId);
    if (version === undefined) return;
    const intake = await this.#intakeOf(version);
    if (intake === undefined) return this.complete(version);
    const left = await this.shards.undigestedBytes(versionId);
    this.#progress = { versionId, doneBytes: version.sizeBytes - left, totalBytes: version.sizeBytes };
    let told: Promise<void> = Promise.resolve();
    const telling = setInterval(() => {
      told = told.then(() => this.#tell(versionId)).catch((err: unknown) => this.logger.warn({ err }, 'not told'));
    }, eventEveryMs);
    try {
      if (!(await this.#takeIn(version, intake))) return;
    } finally {
      clearInterval(telling);
      await told;
      await this.#sweepAfter(version);
    }
    await this.complete(version);
  }

  /** Removes what was uploaded of a dataset after its removal had removed what was there. */
  async #sweepAfter({ datasetId, root }: StoredVersion): Promise<void> {
    if (root.kind !== 'store' || (await this.datasets.find(datasetId)) !== undefined) return;
    await this.objects.deletePrefix(uploadPrefix(datasetId));
  }

  /** How the objects of a version are taken in; undefined for derivatives, which are known as they are made. */
  async #intakeOf(version: StoredVersion): Promise<Intake | undefined> {
    if (version.madeByRunId !== null) return undefined;
    const { root, datasetId } = version;
    if (root.kind === 'bucket') return readBucket(this.buckets.open(root.bucket));
    const source = (await this.datasets.find(datasetId))?.source;
    if (source?.kind !== 'folder') return undefined;
    const folder = await this.folders.root(source.path);
    if (folder === undefined) throw new IndexingFailed(`The folder ${source.path} has gone.`);
    return root.kind === 'folder' ? readFiles(folder) : uploadFiles(folder, this.objects, uploadPrefix(datasetId));
  }

  /** False where the version was removed meanwhile, or the server stops. */
  async #takeIn(version: StoredVersion, intake: Intake): Promise<boolean> {
    const versionId = version.id;
    let done = version.indexing.done;
    let after = -1;
    for (;;) {
      if (this.#stopped.signal.aborted) return false;
      const shards = untilBytes(await this.shards.undigested(versionId, after, shardsAtOnce));
      const last = shards.at(-1);
      if (last === undefined) return true;
      after = last.index;
      await this.#digest(intake, shards);
      done += shards.length;
      const gone = await this.database.transaction().execute(async (transaction) => {
        await this.shards.setDigests(transaction, versionId, shards);
        await this.datasets.updateVersion(transaction, versionId, { indexingDone: done });
        return (await this.datasets.getVersion(versionId, transaction)) === undefined;
      });
      if (gone) return false;
      await turn();
    }
  }

  /** Fills in the digests, sizes, times and places of the objects that have none, and the digests of the shards. */
  async #digest(intake: Intake, shards: StoredShard[]): Promise<void> {
    const unread = shards.flatMap((shard) => shard.objects.filter((object) => object.digest === ''));
    const failed = new AbortController();
    const signal = AbortSignal.any([failed.signal, this.#stopped.signal]);
    const count = (bytes: number) => {
      if (this.#progress) this.#progress.doneBytes += bytes;
    };
    const one = async (object: StoredObject) => {
      try {
        await intake(object, { signal, count });
      } catch (error) {
        const told = signal.aborted ? error : new IndexingFailed(whyNotTakenIn(object.at, error), { cause: error });
        // The others would go on for as long as their files are large.
        failed.abort(told);
        throw told;
      }
    };
    // Several at a time, taken from one list, so that a large file does not hold up the small ones.
    let next = 0;
    const ends = await Promise.allSettled(
      Array.from({ length: objectsAtOnce }, async () => {
        for (let object = unread[next++]; object !== undefined; object = unread[next++]) {
          signal.throwIfAborted();
          await one(object);
        }
      })
    );
    signal.throwIfAborted();
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    for (const shard of shards) {
      shard.sizeBytes = shard.objects.reduce((sum, object) => sum + object.sizeBytes, 0);
      shard.digest = shardDigest(shard);
    }
  }

  /** Makes a version whose shards all have their digests whole: manifest, size, changes. */
  async complete(version: StoredVersion): Promise<void> {
    const { id, datasetId, previousVersionId } = version;
    const { digest, sizeBytes, manifest } = await digestManifest(this.shards.iterate(id));
    // A large one is made a second time rather than held in memory.
    const body = manifest ?? Readable.from(manifestOf(this.shards.iterate(id)));
    await this.objects.put(manifestKey(datasetId, digest), body);
    const changes = previousVersionId === null ? null : await this.shards.countChanges(id, previousVersionId);
    await this.datasets.updateVersion(this.database, id, {
      digest,
      indexingState: 'ready',
      indexingDone: version.shardCount,
      indexingDetail: null,
      sizeBytes,
      changesJson: changes === null ? null : JSON.stringify(changes)
    });
    if (version.shardCount > 1_000) this.refreshStatistics();
    await this.#tell(id);
    this.events.publish(version.owner, { type: 'changed', noun: 'dataset', id: datasetId });
  }

  async #tell(versionId: string): Promise<void> {
    const version = await this.datasets.getVersion(versionId);
    if (version === undefined) return;
    this.events.publish(version.owner, {
      type: 'indexing',
      datasetId: version.datasetId,
      version: this.toPublic(version)
    });
  }
}

/** Where the files of a dataset are uploaded to, each under the digest of what is in it. */
function uploadPrefix(datasetId: string): string {
  return `datasets/${datasetId}/objects/`;
}

/** The first of some shards, whose objects are not more bytes than are to be done at once. */
function untilBytes(shards: StoredShard[]): StoredShard[] {
  let bytes = 0;
  return shards.filter((shard, place) => (bytes += shard.sizeBytes) <= bytesAtOnce || place === 0);
}

function whyFailed(error: unknown): string {
  if (error instanceof IndexingFailed) return error.message;
  if (error instanceof ProblemError) return sentenceOf(error);
  return isDiskFull(error) ? 'There is no room left for it.' : 'The server made a mistake; its log has more.';
}
