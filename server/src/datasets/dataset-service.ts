import type { Dataset, DatasetVersion, Operations } from '@labscale/schema';
import type { EventLog } from '../events/event-log.js';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import type { Database } from '../metadata/database.js';
import { isUniqueViolation } from '../metadata/database-errors.js';
import { newId, prefixOf } from '../metadata/ids.js';
import type { Tables } from '../metadata/tables.js';
import type { ObjectStore } from '../objects/object-store.js';
import { OneAtATime } from '../one-at-a-time.js';
import { ProblemError, notFound } from '../problem-error.js';
import { toPublicVersion, type DatasetRepository, type StoredVersion } from './dataset-repository.js';
import type { Indexer } from './indexer.js';
import type { ShardRepository } from './shard-repository.js';
import { isSame, undigestedShards, type Look, type SourceLook } from './source-look.js';

/** What people ask of datasets and their versions. */
export class DatasetService {
  /** One at a time for each dataset: two that look for changes at once would both make the next version. */
  readonly #underway = new OneAtATime();

  constructor(
    private readonly database: Database,
    private readonly datasets: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly sources: SourceLook,
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

  /** Registers a folder or prefix; its objects are read for their digests, or uploaded, in the background. */
  async create(user: User, body: Operations['createDataset']['body']): Promise<Dataset> {
    if (await this.datasets.isNameTaken(user.name, body.name)) throw nameTaken(body.name);
    const source = this.sources.complete(body.source);
    const look = await this.sources.at(source);
    const [datasetId, versionId] = [newId('ds'), newId('dv')];
    const at = new Date().toISOString();
    await this.shards
      .insert(versionId, user.name, undigestedShards(look), async (transaction) => {
        await this.datasets.insert(transaction, {
          id: datasetId,
          owner: user.name,
          name: body.name,
          description: body.description ?? '',
          metadataJson: JSON.stringify(body.metadata ?? {}),
          sourceJson: JSON.stringify(source),
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
            done: 0,
            at
          })
        );
      })
      .catch((error: unknown) => {
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

  /** Forgets a dataset with what was uploaded of it; its source stays. Raises STATE_CONFLICT where a run used or made it. */
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

  /** Compares folder or prefix with the latest version by names, sizes, times or ETags, and metadata. */
  async check(datasetId: string): Promise<Operations['checkDataset']['result']> {
    const { source, latestVersion } = await this.get(datasetId);
    if (source.kind === 'derivatives') {
      return { current: true, changes: { added: 0, removed: 0, modified: 0, unchanged: latestVersion.shardCount } };
    }
    const changes = await this.sources.compare(await this.sources.at(source), latestVersion.id);
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
    return this.indexer.toPublic((await this.datasets.getVersion(versionId)) ?? fail(notFound(versionId)));
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

  /** Makes a version where folder or prefix is no longer the latest one; else gives the latest. */
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
      const look = await this.sources.at(source);
      if (latest.indexing.state === 'ready' && isSame(await this.sources.compare(look, latest.id))) return latest;
      const whole =
        latest.indexing.state === 'ready' ? latest.id : (await this.datasets.getVersion(latest.id))?.previousVersionId;
      const versionId = newId('dv');
      const at = new Date().toISOString();
      let done = 0;
      const shards = this.sources.withKnownDigests(look, latest.id, () => (done += 1));
      await this.shards.insert(versionId, user.name, shards, async (transaction) => {
        await this.datasets.insertVersion(
          transaction,
          versionRow(look, {
            id: versionId,
            datasetId,
            owner: user.name,
            number: latest.number + 1,
            previousVersionId: whole ?? null,
            done,
            at
          })
        );
        await this.datasets.update(transaction, datasetId, { latestVersionId: versionId });
      });
      this.#changed(user.name, datasetId);
      this.indexer.add(versionId);
      return this.getVersion(versionId);
    });
  }

  #changed(owner: string, datasetId: string): void {
    this.events.publish(owner, { type: 'changed', noun: 'dataset', id: datasetId });
  }
}

function versionRow(
  { count, drafts, root }: Look,
  of: {
    id: string;
    datasetId: string;
    owner: string;
    number: number;
    previousVersionId: string | null;
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
    rootJson: JSON.stringify(root),
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
