import type { Dataset, DatasetVersion, Query } from '@labscale/schema';
import type { Database, Writing } from '../metadata/database.js';
import { occursIn, searchWords } from '../metadata/search-words.js';
import type { Tables } from '../metadata/tables.js';
import type { BucketPlace } from './data-buckets.js';

/** Where the paths of a version's objects start; see `rootJson`. */
export type VersionRoot = { kind: 'folder'; path: string } | { kind: 'store' } | ({ kind: 'bucket' } & BucketPlace);

/** A dataset version with what only the server knows of it. */
export interface StoredVersion extends DatasetVersion {
  root: VersionRoot;
  previousVersionId: string | null;
}

type DatasetRow = Tables['dataset'];
type VersionRow = Tables['datasetVersion'];

export class DatasetRepository {
  constructor(private readonly database: Database) {}

  async find(datasetId: string): Promise<Dataset | undefined> {
    const row = await this.database.selectFrom('dataset').selectAll().where('id', '=', datasetId).executeTakeFirst();
    return row && (await this.#toDatasets([row]))[0];
  }

  /** The datasets of a user, newest first, that have every word of a search in name or description. */
  async list(
    owner: string,
    options: { search?: string | undefined; before?: string | undefined; limit: number }
  ): Promise<{ items: Dataset[]; total: number }> {
    let matching = this.database.selectFrom('dataset').where('owner', '=', owner);
    for (const word of searchWords(options.search)) {
      matching = matching.where(occursIn(['dataset.name', 'dataset.description'], word));
    }
    const { total } = await matching.select((is) => is.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    let page = matching.selectAll().orderBy('id', 'desc').limit(options.limit);
    if (options.before !== undefined) page = page.where('id', '<', options.before);
    return { items: await this.#toDatasets(await page.execute()), total: Number(total) };
  }

  async isNameTaken(owner: string, name: string, exceptId = ''): Promise<boolean> {
    const row = await this.database
      .selectFrom('dataset')
      .select('id')
      .where('owner', '=', owner)
      .where('name', '=', name)
      .where('id', '<>', exceptId)
      .executeTakeFirst();
    return row !== undefined;
  }

  /** The dataset that holds the derivatives of an analysis over a dataset. */
  async findDerivatives(owner: string, datasetId: string, analysisId: string): Promise<Dataset | undefined> {
    const row = await this.database
      .selectFrom('dataset')
      .selectAll()
      .where('owner', '=', owner)
      .where('derivedFromDatasetId', '=', datasetId)
      .where('derivedByAnalysisId', '=', analysisId)
      .executeTakeFirst();
    return row && (await this.#toDatasets([row]))[0];
  }

  async insert(writing: Writing, dataset: DatasetRow): Promise<void> {
    await writing.insertInto('dataset').values(dataset).execute();
  }

  async update(writing: Writing, datasetId: string, change: Partial<DatasetRow>): Promise<void> {
    await writing
      .updateTable('dataset')
      .set({ ...change, updatedAt: new Date().toISOString() })
      .where('id', '=', datasetId)
      .execute();
  }

  /** Removes a dataset with its versions, queries and snippets; gives the versions, whose shards are still to be removed. */
  async remove(datasetId: string): Promise<string[]> {
    return this.database.transaction().execute(async (transaction) => {
      const versions = await transaction
        .selectFrom('datasetVersion')
        .select('id')
        .where('datasetId', '=', datasetId)
        .execute();
      for (const table of ['query', 'snippet', 'datasetVersion'] as const) {
        await transaction.deleteFrom(table).where('datasetId', '=', datasetId).execute();
      }
      await transaction.deleteFrom('dataset').where('id', '=', datasetId).execute();
      return versions.map(({ id }) => id);
    });
  }

  async isUsedByRun(datasetId: string): Promise<boolean> {
    const row = await this.database
      .selectFrom('run')
      .select('id')
      .where('datasetId', '=', datasetId)
      .limit(1)
      .executeTakeFirst();
    return row !== undefined;
  }

  async getVersion(versionId: string, reading: Writing = this.database): Promise<StoredVersion | undefined> {
    const row = await reading.selectFrom('datasetVersion').selectAll().where('id', '=', versionId).executeTakeFirst();
    return row && toVersion(row);
  }

  async findVersionMadeBy(runId: string): Promise<StoredVersion | undefined> {
    const row = await this.database
      .selectFrom('datasetVersion')
      .selectAll()
      .where('madeByRunId', '=', runId)
      .executeTakeFirst();
    return row && toVersion(row);
  }

  /** Versions of a dataset, newest first. */
  async listVersions(
    datasetId: string,
    before: number | undefined,
    limit: number
  ): Promise<{ items: StoredVersion[]; total: number }> {
    const all = this.database.selectFrom('datasetVersion').where('datasetId', '=', datasetId);
    const { total } = await all.select((is) => is.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    let page = all.selectAll().orderBy('number', 'desc').limit(limit);
    if (before !== undefined) page = page.where('number', '<', before);
    return { items: (await page.execute()).map(toVersion), total: Number(total) };
  }

  async listVersionsIn(state: VersionRow['indexingState']): Promise<StoredVersion[]> {
    const rows = await this.database
      .selectFrom('datasetVersion')
      .selectAll()
      .where('indexingState', '=', state)
      .orderBy('id')
      .execute();
    return rows.map(toVersion);
  }

  async insertVersion(writing: Writing, version: VersionRow): Promise<void> {
    await writing.insertInto('datasetVersion').values(version).execute();
  }

  async updateVersion(writing: Writing, versionId: string, change: Partial<VersionRow>): Promise<void> {
    await writing.updateTable('datasetVersion').set(change).where('id', '=', versionId).execute();
  }

  async listQueries(
    datasetId: string,
    after: string | undefined,
    limit: number
  ): Promise<{ items: Query[]; total: number }> {
    const all = this.database.selectFrom('query').where('datasetId', '=', datasetId);
    const { total } = await all.select((is) => is.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    let page = all.selectAll().orderBy('id').limit(limit);
    if (after !== undefined) page = page.where('id', '>', after);
    return { items: await page.execute(), total: Number(total) };
  }

  async findQuery(queryId: string): Promise<Query | undefined> {
    return this.database.selectFrom('query').selectAll().where('id', '=', queryId).executeTakeFirst();
  }

  async insertQuery(query: Query): Promise<void> {
    await this.database.insertInto('query').values(query).execute();
  }

  async removeQuery(queryId: string): Promise<void> {
    await this.database.deleteFrom('query').where('id', '=', queryId).execute();
  }

  async #toDatasets(rows: readonly DatasetRow[]): Promise<Dataset[]> {
    if (rows.length === 0) return [];
    const ids = rows.map(({ id }) => id);
    const latest = new Map(
      (
        await this.database
          .selectFrom('datasetVersion')
          .selectAll()
          .where(
            'id',
            'in',
            rows.map(({ latestVersionId }) => latestVersionId)
          )
          .execute()
      ).map((row) => [row.datasetId, toVersion(row)])
    );
    const versionCounts = new Map(
      (
        await this.database
          .selectFrom('datasetVersion')
          .select(['datasetId', (is) => is.fn.countAll<number>().as('count')])
          .where('datasetId', 'in', ids)
          .groupBy('datasetId')
          .execute()
      ).map(({ datasetId, count }) => [datasetId, Number(count)])
    );
    const derivativeCounts = new Map(
      (
        await this.database
          .selectFrom('run')
          .select(['datasetId', (is) => is.fn.countAll<number>().as('count')])
          .where('datasetId', 'in', ids)
          .where('derivativesVersionId', 'is not', null)
          .groupBy('datasetId')
          .execute()
      ).map(({ datasetId, count }) => [datasetId, Number(count)])
    );
    return rows.map((row) => ({
      id: row.id,
      name: row.name,
      owner: row.owner,
      description: row.description,
      metadata: JSON.parse(row.metadataJson) as Dataset['metadata'],
      source: JSON.parse(row.sourceJson) as Dataset['source'],
      latestVersion: toPublicVersion(latest.get(row.id)!),
      versionCount: versionCounts.get(row.id) ?? 1,
      derivativeCount: derivativeCounts.get(row.id) ?? 0,
      defaultParameterSetVersionId: row.defaultParameterSetVersionId,
      createdAt: row.createdAt,
      updatedAt: row.updatedAt
    }));
  }
}

function toVersion(row: VersionRow): StoredVersion {
  return {
    id: row.id,
    datasetId: row.datasetId,
    number: row.number,
    digest: row.digest,
    indexing: {
      state: row.indexingState,
      done: row.indexingDone,
      total: row.shardCount,
      ...(row.indexingDetail === null ? {} : { detail: row.indexingDetail })
    },
    shardCount: row.shardCount,
    sizeBytes: row.sizeBytes,
    entityNames: JSON.parse(row.entityNamesJson) as string[],
    metadataNames: JSON.parse(row.metadataNamesJson) as string[],
    changes: row.changesJson === null ? null : (JSON.parse(row.changesJson) as NonNullable<DatasetVersion['changes']>),
    madeByRunId: row.madeByRunId,
    owner: row.owner,
    createdAt: row.createdAt,
    root: JSON.parse(row.rootJson) as VersionRoot,
    previousVersionId: row.previousVersionId
  };
}

/** As the contract has it: without the root, which may tell paths. */
export function toPublicVersion({
  root: _root,
  previousVersionId: _previous,
  ...version
}: StoredVersion): DatasetVersion {
  return version;
}
