import type { Dataset, DatasetVersion, Operations, Shard, VersionChanges } from '@labscale/schema';
import type { Static } from 'typebox';
import type { EventLog } from '../events/event-log.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import { canonicalJson } from '../metadata/canonical-json.js';
import type { Database } from '../metadata/database.js';
import { isUniqueViolation } from '../metadata/database-errors.js';
import { newId, prefixOf } from '../metadata/ids.js';
import type { Tables } from '../metadata/tables.js';
import { compareBytes } from '../objects/object-key.js';
import type { ObjectStore } from '../objects/object-store.js';
import { mediaTypeOf } from '../objects/media-type.js';
import { OneAtATime } from '../one-at-a-time.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { DatasetFolders } from './dataset-folder.js';
import { toPublicVersion, type DatasetRepository, type StoredVersion } from './dataset-repository.js';
import type { Indexer } from './indexer.js';
import { readMetadataTables } from './metadata-tables.js';
import { scanFolder } from './scan-folder.js';
import { layOut, type FoundShard } from './shard-layout.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredObject, type StoredShard } from './stored-shard.js';

type Changes = Static<typeof VersionChanges>;

/** A found shard with its metadata, ready to be stored. */
type Draft = FoundShard & { metadata: Shard['metadata'] };

/** What a folder holds now. */
interface Look {
  count: number;
  drafts: () => Iterable<Draft>;
}

/** A derivative as a run publishes it: a shard whose objects lie in the store. */
export interface DerivativeShard {
  key: string;
  entities: Shard['entities'];
  metadata: Shard['metadata'];
  objects: { path: string; sizeBytes: number; digest: string; mediaType: string; key: string }[];
  origin: NonNullable<Shard['origin']>;
}

export interface DerivativesOf {
  runId: string;
  owner: string;
  /** The dataset and the analysis whose derivatives these are; each publish of a run over them adds a version. */
  datasetId: string;
  analysisId: string;
  /** Name of the dataset where it is made; a number is added where it is taken. */
  name: string;
}

export class DatasetService {
  /** One at a time for each dataset: two that look for changes at once would both make the next version. */
  readonly #underway = new OneAtATime();

  constructor(
    private readonly database: Database,
    private readonly datasets: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly folders: DatasetFolders,
    private readonly indexer: Indexer,
    private readonly objects: ObjectStore,
    private readonly access: Access,
    private readonly events: EventLog
  ) {}

  async list(user: User, query: Operations['listDatasets']['query']): Promise<Operations['listDatasets']['result']> {
    const limit = query.limit ?? 50;
    const after = decodeCursor(query.cursor, 'datasets', (values): values is [string] => typeof values[0] === 'string');
    const { items, total } = await this.datasets.list(user.name, {
      search: query.search,
      before: after?.[0],
      limit: limit + 1
    });
    return { ...cut(items, limit, (last) => encodeCursor('datasets', last.id)), total };
  }

  async get(datasetId: string): Promise<Dataset> {
    return (await this.datasets.find(datasetId)) ?? fail(notFound(datasetId));
  }

  /** Registers a folder; its files are read for their digests in the background. */
  async create(user: User, body: Operations['createDataset']['body']): Promise<Dataset> {
    if (await this.datasets.isNameTaken(user.name, body.name)) throw nameTaken(body.name);
    const look = await this.#look(body.source);
    const [datasetId, versionId] = [newId('ds'), newId('dv')];
    const at = new Date().toISOString();
    await this.#store(versionId, user.name, storedShards(look), async () => {
      await this.database.transaction().execute(async (transaction) => {
        await this.datasets.insert(transaction, {
          id: datasetId,
          owner: user.name,
          name: body.name,
          description: body.description ?? '',
          metadataJson: JSON.stringify(body.metadata ?? {}),
          sourceJson: JSON.stringify(body.source),
          derivedFromDatasetId: null,
          derivedByAnalysisId: null,
          defaultParameterSetVersionId: null,
          latestVersionId: versionId,
          createdAt: at,
          updatedAt: at
        });
        await this.datasets.insertVersion(
          transaction,
          versionRow(look, {
            id: versionId,
            datasetId,
            owner: user.name,
            number: 1,
            previousVersionId: null,
            path: body.source.path,
            done: 0,
            at
          })
        );
      });
    }).catch((error: unknown) => {
      throw isUniqueViolation(error) ? nameTaken(body.name) : error;
    });
    this.#changed(user.name, datasetId);
    this.indexer.add(versionId);
    return this.get(datasetId);
  }

  async update(user: User, datasetId: string, body: Operations['updateDataset']['body']): Promise<Dataset> {
    const { name, description, metadata, defaultParameterSetVersionId: standard } = body;
    if (name !== undefined && (await this.datasets.isNameTaken(user.name, name, datasetId))) throw nameTaken(name);
    if (standard !== undefined && standard !== null) {
      if (prefixOf(standard) !== 'pv') throw notFound(standard);
      await this.access.require(user, 'view', standard);
    }
    await this.datasets.update(this.database, datasetId, {
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(metadata === undefined ? {} : { metadataJson: JSON.stringify(metadata) }),
      ...(standard === undefined ? {} : { defaultParameterSetVersionId: standard })
    });
    this.#changed(user.name, datasetId);
    return this.get(datasetId);
  }

  /** Forgets a dataset; the files stay. Raises STATE_CONFLICT where a run used or made it. */
  async delete(user: User, datasetId: string): Promise<void> {
    const dataset = await this.get(datasetId);
    if (dataset.source.kind === 'derivatives' || (await this.datasets.isUsedByRun(datasetId))) {
      throw new ProblemError('STATE_CONFLICT', `"${dataset.name}" is part of what a run did, so it is kept.`, {
        mend: 'Rename it where it is in the way.'
      });
    }
    const versions = await this.datasets.remove(datasetId);
    this.#changed(user.name, datasetId);
    await this.objects.deletePrefix(`datasets/${datasetId}/`);
    for (const versionId of versions) await this.shards.remove(versionId);
  }

  /** Compares the folder with the latest version by names, sizes, times and metadata. */
  async check(datasetId: string): Promise<Operations['checkDataset']['result']> {
    const { source, latestVersion } = await this.get(datasetId);
    if (source.kind === 'derivatives') {
      return { current: true, changes: { added: 0, removed: 0, modified: 0, unchanged: latestVersion.shardCount } };
    }
    const changes = await this.#compare(await this.#look(source), latestVersion.id);
    return { current: isSame(changes), changes };
  }

  async listVersions(
    datasetId: string,
    query: Operations['listDatasetVersions']['query']
  ): Promise<Operations['listDatasetVersions']['result']> {
    const limit = query.limit ?? 50;
    const after = decodeCursor(query.cursor, 'dataset-versions', (values): values is [number] =>
      Number.isInteger(values[0])
    );
    const { items, total } = await this.datasets.listVersions(datasetId, after?.[0], limit + 1);
    return {
      ...cut(items.map(toPublicVersion), limit, (last) => encodeCursor('dataset-versions', last.number)),
      total
    };
  }

  /** The version, as the contract has it. */
  async getVersion(versionId: string): Promise<DatasetVersion> {
    return toPublicVersion((await this.datasets.getVersion(versionId)) ?? fail(notFound(versionId)));
  }

  /** A version whose shards have their digests. Raises NOT_FOUND, DATASET_INDEXING. */
  async readyVersion(versionId: string): Promise<StoredVersion> {
    const version = (await this.datasets.getVersion(versionId)) ?? fail(notFound(versionId));
    const { state, done, total, detail } = version.indexing;
    if (state === 'digesting') {
      throw new ProblemError(
        'DATASET_INDEXING',
        `The files are still being read: ${done} of ${total} shards are done.`,
        { mend: 'Wait for it; this goes on by itself.' }
      );
    }
    if (state === 'failed') {
      throw new ProblemError('DATASET_INDEXING', `The files could not be read: ${detail ?? 'the log has more'}`, {
        mend: 'Mend that and make a new version.'
      });
    }
    return version;
  }

  /** Makes a version where the folder is no longer the latest one; else gives the latest. */
  async createVersion(user: User, datasetId: string): Promise<DatasetVersion> {
    return this.#underway.run(datasetId, async () => {
      const { source, latestVersion: latest } = await this.get(datasetId);
      if (source.kind === 'derivatives') {
        throw new ProblemError('STATE_CONFLICT', 'Versions of derivatives are made by runs.', {
          mend: 'Run the analysis again.'
        });
      }
      if (latest.indexing.state === 'digesting') {
        throw new ProblemError('DATASET_INDEXING', 'The latest version is still being read.', {
          mend: 'Wait for it; this goes on by itself.'
        });
      }
      const look = await this.#look(source);
      if (latest.indexing.state === 'ready' && isSame(await this.#compare(look, latest.id))) return latest;
      const whole =
        latest.indexing.state === 'ready' ? latest.id : (await this.datasets.getVersion(latest.id))?.previousVersionId;
      const versionId = newId('dv');
      const at = new Date().toISOString();
      let done = 0;
      const shards = this.#withKnownDigests(look, latest.id, () => (done += 1));
      await this.#store(versionId, user.name, shards, async () => {
        await this.database.transaction().execute(async (transaction) => {
          await this.datasets.insertVersion(
            transaction,
            versionRow(look, {
              id: versionId,
              datasetId,
              owner: user.name,
              number: latest.number + 1,
              previousVersionId: whole ?? null,
              path: source.path,
              done,
              at
            })
          );
          await this.datasets.update(transaction, datasetId, { latestVersionId: versionId });
        });
      });
      this.#changed(user.name, datasetId);
      this.indexer.add(versionId);
      return this.getVersion(versionId);
    });
  }

  /**
   * Makes the derivatives of a run a dataset version, of the dataset that earlier runs of that analysis over that dataset
   * made. Called again for a run it gives the version that it made.
   */
  async createDerivativesVersion(
    of: DerivativesOf,
    shards: Iterable<DerivativeShard> | AsyncIterable<DerivativeShard>
  ): Promise<DatasetVersion> {
    return this.#underway.run(`${of.datasetId} ${of.analysisId}`, async () => {
      const made = await this.datasets.findVersionMadeBy(of.runId);
      if (made !== undefined) {
        if (made.indexing.state !== 'ready') await this.indexer.complete(made);
        return this.getVersion(made.id);
      }
      const existing = await this.datasets.findDerivatives(of.owner, of.datasetId, of.analysisId);
      const [datasetId, versionId] = [existing?.id ?? newId('ds'), newId('dv')];
      const at = new Date().toISOString();
      const name = await this.#freeName(of.owner, of.name);
      const names = { entities: new Set<string>(), metadata: new Set<string>() };
      let [count, sizeBytes] = [0, 0];
      const stored = (async function* (): AsyncGenerator<StoredShard> {
        for await (const { objects, ...shard } of shards) {
          for (const name of Object.keys(shard.entities)) names.entities.add(name);
          for (const name of Object.keys(shard.metadata)) names.metadata.add(name);
          const size = objects.reduce((sum, object) => sum + object.sizeBytes, 0);
          const placed = objects.map(({ key, ...object }): StoredObject => ({ ...object, at: key }));
          sizeBytes += size;
          yield {
            index: count++,
            ...shard,
            objects: placed,
            sizeBytes: size,
            digest: shardDigest({ ...shard, objects: placed })
          };
        }
      })();
      await this.#store(versionId, of.owner, stored, async () => {
        await this.database.transaction().execute(async (transaction) => {
          if (existing === undefined) {
            await this.datasets.insert(transaction, {
              id: datasetId,
              owner: of.owner,
              name,
              description: '',
              metadataJson: '{}',
              sourceJson: JSON.stringify({ kind: 'derivatives', runId: of.runId }),
              derivedFromDatasetId: of.datasetId,
              derivedByAnalysisId: of.analysisId,
              defaultParameterSetVersionId: null,
              latestVersionId: versionId,
              createdAt: at,
              updatedAt: at
            });
          } else {
            await this.datasets.update(transaction, datasetId, { latestVersionId: versionId });
          }
          await this.datasets.insertVersion(transaction, {
            id: versionId,
            owner: of.owner,
            datasetId,
            number: (existing?.latestVersion.number ?? 0) + 1,
            digest: null,
            indexingState: 'digesting',
            indexingDone: count,
            indexingDetail: null,
            shardCount: count,
            sizeBytes,
            entityNamesJson: JSON.stringify([...names.entities]),
            metadataNamesJson: JSON.stringify([...names.metadata]),
            changesJson: null,
            previousVersionId: existing?.latestVersion.id ?? null,
            rootJson: JSON.stringify({ kind: 'store' }),
            madeByRunId: of.runId,
            createdAt: at
          });
        });
      });
      await this.indexer.complete((await this.datasets.getVersion(versionId)) ?? fail(notFound(versionId)));
      return this.getVersion(versionId);
    });
  }

  async #look(source: Operations['createDataset']['body']['source']): Promise<Look> {
    const folder = await this.folders.find(source.path);
    const { count, shards } = await layOut(await scanFolder(folder, await this.folders.own()), source);
    const metadataOf = await readMetadataTables(folder);
    return {
      count,
      *drafts() {
        for (const shard of shards()) yield { ...shard, metadata: metadataOf(shard) };
      }
    };
  }

  /** Stores shards and then what names them; where that fails, no shard is left. */
  async #store(
    versionId: string,
    owner: string,
    shards: Iterable<StoredShard> | AsyncIterable<StoredShard>,
    name: () => Promise<void>
  ): Promise<void> {
    try {
      await this.shards.insert(versionId, owner, shards);
      await name();
    } catch (error) {
      await this.shards.remove(versionId);
      throw error;
    }
  }

  async #compare(look: Look, versionId: string): Promise<Changes> {
    const changes = { added: 0, removed: 0, modified: 0, unchanged: 0 };
    for await (const [draft, stored] of this.#pairs(look, versionId)) {
      if (draft === undefined) changes.removed += 1;
      else if (stored === undefined) changes.added += 1;
      else if (isUnchanged(draft, stored)) changes.unchanged += 1;
      else changes.modified += 1;
    }
    return changes;
  }

  /** Both in the order of their keys, those of one key together. */
  async *#pairs(look: Look, versionId: string): AsyncGenerator<[Draft | undefined, StoredShard | undefined]> {
    const drafts = look.drafts()[Symbol.iterator]();
    let draft = drafts.next();
    for await (const stored of this.shards.iterate(versionId)) {
      let order = -1;
      while (draft.done !== true) {
        order = compareBytes(draft.value.key, stored.key);
        if (order >= 0) break;
        yield [draft.value, undefined];
        draft = drafts.next();
      }
      if (draft.done === true || order > 0) {
        yield [undefined, stored];
      } else {
        yield [draft.value, stored];
        draft = drafts.next();
      }
    }
    for (; draft.done !== true; draft = drafts.next()) yield [draft.value, undefined];
  }

  /** Digests are taken over where name, size and time are as they were: those files are not read again. */
  async *#withKnownDigests(look: Look, versionId: string, known: () => void): AsyncGenerator<StoredShard> {
    let index = 0;
    for await (const [draft, before] of this.#pairs(look, versionId)) {
      if (draft === undefined) continue;
      const shard = toUndigested(draft, index++);
      const objects = new Map(before?.objects.map((object) => [object.at, object]));
      for (const object of shard.objects) {
        const old = objects.get(object.at);
        if (old?.sizeBytes === object.sizeBytes && old.modifiedNs === object.modifiedNs) object.digest = old.digest;
      }
      if (shard.objects.every((object) => object.digest !== '')) {
        shard.digest = shardDigest(shard);
        known();
      }
      yield shard;
    }
  }

  async #freeName(owner: string, wanted: string): Promise<string> {
    for (let number = 1; ; number++) {
      const name = number === 1 ? wanted.slice(0, 200) : `${wanted.slice(0, 190)} (${number})`;
      if (!(await this.datasets.isNameTaken(owner, name))) return name;
    }
  }

  #changed(owner: string, datasetId: string): void {
    this.events.publish(owner, { type: 'changed', noun: 'dataset', id: datasetId });
  }
}

function* storedShards({ drafts }: Look): Generator<StoredShard> {
  let index = 0;
  for (const draft of drafts()) yield toUndigested(draft, index++);
}

function toUndigested({ key, entities, metadata, files }: Draft, index: number): StoredShard {
  const objects = files.map(({ path, file }) => ({
    path,
    sizeBytes: file.sizeBytes,
    digest: '',
    mediaType: mediaTypeOf(path),
    at: file.path,
    modifiedNs: file.modifiedNs
  }));
  return {
    index,
    key,
    entities,
    metadata,
    objects,
    sizeBytes: objects.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    digest: ''
  };
}

function isUnchanged(draft: Draft, stored: StoredShard): boolean {
  return (
    draft.files.length === stored.objects.length &&
    draft.files.every(({ path, file }, place) => {
      const object = stored.objects[place];
      return (
        object?.path === path &&
        object.at === file.path &&
        object.sizeBytes === file.sizeBytes &&
        object.modifiedNs === file.modifiedNs
      );
    }) &&
    canonicalJson([draft.entities, draft.metadata]) === canonicalJson([stored.entities, stored.metadata])
  );
}

function isSame({ added, removed, modified }: Changes): boolean {
  return added + removed + modified === 0;
}

function versionRow(
  { count, drafts }: Look,
  of: {
    id: string;
    datasetId: string;
    owner: string;
    number: number;
    previousVersionId: string | null;
    path: string;
    done: number;
    at: string;
  }
): Tables['datasetVersion'] {
  const [entityNames, metadataNames] = [new Set<string>(), new Set<string>()];
  let sizeBytes = 0;
  for (const { entities, metadata, files } of drafts()) {
    for (const name of Object.keys(entities)) entityNames.add(name);
    for (const name of Object.keys(metadata)) metadataNames.add(name);
    for (const { file } of files) sizeBytes += file.sizeBytes;
  }
  return {
    id: of.id,
    owner: of.owner,
    datasetId: of.datasetId,
    number: of.number,
    digest: null,
    indexingState: 'digesting',
    indexingDone: of.done,
    indexingDetail: null,
    shardCount: count,
    sizeBytes,
    entityNamesJson: JSON.stringify([...entityNames]),
    metadataNamesJson: JSON.stringify([...metadataNames]),
    changesJson: null,
    previousVersionId: of.previousVersionId,
    rootJson: JSON.stringify({ kind: 'folder', path: of.path }),
    madeByRunId: null,
    createdAt: of.at
  };
}

function nameTaken(name: string): ProblemError {
  return new ProblemError('NAME_TAKEN', `You already have a dataset "${name}".`, {
    field: 'body/name',
    mend: 'Choose another name.'
  });
}

function cut<T>(
  items: readonly T[],
  limit: number,
  cursorOf: (last: T) => string
): { items: T[]; nextCursor: string | null } {
  const page = items.slice(0, limit);
  const last = page.at(-1);
  return { items: page, nextCursor: items.length > limit && last !== undefined ? cursorOf(last) : null };
}

function fail(error: Error): never {
  throw error;
}
