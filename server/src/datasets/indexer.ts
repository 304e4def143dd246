import { Readable } from 'node:stream';
import type { Logger } from 'pino';
import type { EventLog } from '../events/event-log.js';
import type { Database } from '../metadata/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { DatasetFolders } from './dataset-folder.js';
import { toPublicVersion, type DatasetRepository, type StoredVersion } from './dataset-repository.js';
import { digestFile } from './file-digest.js';
import { digestManifest, manifestKey, manifestOf } from './manifest.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredObject, type StoredShard } from './stored-shard.js';

const shardsAtOnce = 200;
const filesAtOnce = 8;
const eventEveryMs = 250;

/** Why a version cannot be made, in plain words. */
class IndexingFailed extends Error {}

/**
 * Reads the files of new versions for their digests, in the background and one version after the other. What is done is in
 * the database, so a restarted server goes on where it was.
 */
export class Indexer {
  readonly #waiting: string[] = [];
  #working: Promise<void> | undefined;
  #stopping = false;

  constructor(
    private readonly database: Database,
    private readonly datasets: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly folders: DatasetFolders,
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

  /** Returns when nothing is read any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#working;
  }

  async #work(): Promise<void> {
    for (
      let versionId = this.#waiting.shift();
      versionId !== undefined && !this.#stopping;
      versionId = this.#waiting.shift()
    ) {
      try {
        await this.#index(versionId);
      } catch (error) {
        const detail = error instanceof IndexingFailed ? error.message : 'The server made a mistake; its log has more.';
        this.logger.warn({ err: error, versionId }, 'indexing failed');
        await this.datasets.updateVersion(this.database, versionId, {
          indexingState: 'failed',
          indexingDetail: detail
        });
        await this.#tell(versionId);
      }
    }
  }

  async #index(versionId: string): Promise<void> {
    const version = await this.datasets.getVersion(versionId);
    if (version === undefined) return;
    if (version.root.kind === 'store') return this.complete(version);
    const root = await this.folders.root(version.root.path);
    if (root === undefined) throw new IndexingFailed(`The folder ${version.root.path} has gone.`);
    let done = version.indexing.done;
    let after = -1;
    let toldAt = Date.now();
    for (;;) {
      if (this.#stopping) return;
      const shards = await this.shards.undigested(versionId, after, shardsAtOnce);
      const last = shards.at(-1);
      if (last === undefined) break;
      after = last.index;
      await this.#digest(root, shards);
      done += shards.length;
      const gone = await this.database.transaction().execute(async (transaction) => {
        await this.shards.setDigests(transaction, versionId, shards);
        await this.datasets.updateVersion(transaction, versionId, { indexingDone: done });
        return (await this.datasets.getVersion(versionId, transaction)) === undefined;
      });
      if (gone) return;
      if (Date.now() - toldAt > eventEveryMs) {
        toldAt = Date.now();
        await this.#tell(versionId);
      }
    }
    if ((await this.datasets.getVersion(versionId)) !== undefined) await this.complete(version);
  }

  /** Fills in the digests, sizes and times of the objects that have none, and the digests of the shards. */
  async #digest(root: string, shards: StoredShard[]): Promise<void> {
    const unread = shards.flatMap((shard) => shard.objects.filter((object) => object.digest === ''));
    const one = async (object: StoredObject) => {
      try {
        Object.assign(object, await digestFile(`${root}/${object.at}`));
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        const why = code === 'ENOENT' ? 'it has gone' : code === 'EACCES' ? 'it may not be read' : (code ?? message);
        throw new IndexingFailed(`${object.at} cannot be read: ${why}.`);
      }
    };
    // Several at a time, taken from one list, so that a large file does not hold up the small ones.
    let next = 0;
    await Promise.all(
      Array.from({ length: filesAtOnce }, async () => {
        for (let object = unread[next++]; object !== undefined; object = unread[next++]) await one(object);
      })
    );
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
      version: toPublicVersion(version)
    });
  }
}
