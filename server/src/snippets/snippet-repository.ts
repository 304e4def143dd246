import type { Shard, Snippet } from '@labscale/schema';
import type { Database } from '../metadata/database.js';
import type { Tables } from '../metadata/tables.js';

/** A snippet as it is stored: its shards by their places in the manifest. */
export type StoredSnippet = Omit<Snippet, 'shards'> & { shardIndexes: number[] };

function fromRow(row: Tables['snippet']): StoredSnippet {
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    datasetId: row.datasetId,
    datasetVersionId: row.datasetVersionId,
    selection: JSON.parse(row.selectionJson) as Snippet['selection'],
    shardIndexes: JSON.parse(row.shardIndexesJson) as number[],
    digest: row.digest,
    createdAt: row.createdAt
  };
}

export class SnippetRepository {
  constructor(private readonly database: Database) {}

  async insert(snippet: StoredSnippet): Promise<void> {
    const { selection, shardIndexes, ...columns } = snippet;
    await this.database
      .insertInto('snippet')
      .values({ ...columns, selectionJson: JSON.stringify(selection), shardIndexesJson: JSON.stringify(shardIndexes) })
      .execute();
  }

  async find(id: string): Promise<StoredSnippet | undefined> {
    const row = await this.database.selectFrom('snippet').selectAll().where('id', '=', id).executeTakeFirst();
    return row && fromRow(row);
  }

  /** Newest first; ids sort by time. One more than `limit` is read, which tells whether there is a next page. */
  async list(
    owner: string,
    datasetId: string | undefined,
    before: string | undefined,
    limit: number
  ): Promise<{ items: StoredSnippet[]; total: number }> {
    let matching = this.database.selectFrom('snippet').where('owner', '=', owner);
    if (datasetId !== undefined) matching = matching.where('datasetId', '=', datasetId);
    const { total } = await matching.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow();
    let page = matching
      .selectAll()
      .orderBy('id', 'desc')
      .limit(limit + 1);
    if (before !== undefined) page = page.where('id', '<', before);
    return { items: (await page.execute()).map(fromRow), total: Number(total) };
  }
}

/** What snippets ask of datasets. */
export interface ShardSource {
  /** Raises NOT_FOUND where the user may not see it, DATASET_INDEXING while it has no digests. */
  readyVersion(
    user: { name: string },
    versionId: string
  ): Promise<{ id: string; datasetId: string; datasetName: string }>;
  /** Places in the manifest of the shards that fit, in order. Raises FILTER_INVALID. */
  matchingIndexes(versionId: string, filter: string): Promise<number[]>;
  shardsAt(versionId: string, indexes: readonly number[]): Promise<Shard[]>;
  /** Where the objects of a shard lie on the disk of this machine, by their paths; without `file` they are elsewhere. */
  filesOf(versionId: string, shard: Shard): Promise<{ path: string; file?: string }[]>;
}
