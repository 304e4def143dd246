import type { Scalar } from '@labscale/schema';
import type { Static } from 'typebox';
import { numberOf } from '../metadata/filter.js';
import type { Database, Writing } from '../metadata/database.js';
import { PreparedWrite, RowInsert } from '../metadata/prepared-write.js';
import type { Tables } from '../metadata/tables.js';
import { shardFilter } from './shard-filter.js';
import { toStoredShard, type StoredObject, type StoredShard } from './stored-shard.js';

const pageSize = 500;

export interface ShardChangeRow {
  key: string;
  change: 'added' | 'removed' | 'modified';
  before: string | null;
  after: string | null;
}

/** The shards of dataset versions. A version has up to millions: what reads many of them does it a page at a time. */
export class ShardRepository {
  readonly #insertShard: RowInsert<'shard'>;
  readonly #insertField: RowInsert<'shardField'>;
  readonly #setDigest: PreparedWrite<
    Pick<Tables['shard'], 'versionId' | 'index' | 'objectsJson' | 'sizeBytes' | 'digest'>
  >;

  constructor(private readonly database: Database) {
    this.#insertShard = new RowInsert(database, 'shard');
    this.#insertField = new RowInsert(database, 'shardField');
    this.#setDigest = new PreparedWrite((value) =>
      database
        .updateTable('shard')
        .set({ objectsJson: value('objectsJson'), sizeBytes: value('sizeBytes'), digest: value('digest') })
        .where('versionId', '=', value('versionId'))
        .where('index', '=', value('index'))
    );
  }

  /** Adds shards, in the order that they are given, from `shard.index` on; in pieces, so that requests are served between. */
  async insert(
    versionId: string,
    owner: string,
    shards: Iterable<StoredShard> | AsyncIterable<StoredShard>
  ): Promise<void> {
    let rows: Tables['shard'][] = [];
    let fields: Tables['shardField'][] = [];
    const flush = async () => {
      await this.database.transaction().execute(async (transaction) => {
        await this.#insertShard.run(transaction, rows);
        await this.#insertField.run(transaction, fields);
      });
      rows = [];
      fields = [];
      await new Promise(setImmediate);
    };
    for await (const shard of shards) {
      rows.push({
        versionId,
        index: shard.index,
        owner,
        key: shard.key,
        entitiesJson: JSON.stringify(shard.entities),
        metadataJson: JSON.stringify(shard.metadata),
        objectsJson: JSON.stringify(shard.objects),
        sizeBytes: shard.sizeBytes,
        digest: shard.digest,
        originJson: shard.origin === undefined ? null : JSON.stringify(shard.origin)
      });
      // An entity hides metadata of its name.
      for (const [field, value] of Object.entries<Static<typeof Scalar>>({ ...shard.metadata, ...shard.entities })) {
        const text = String(value);
        fields.push({
          versionId,
          field,
          shardIndex: shard.index,
          text,
          number: typeof value === 'number' ? value : numberOf(text)
        });
      }
      if (rows.length >= pageSize) await flush();
    }
    if (rows.length > 0) await flush();
  }

  /** The shard of a key, or undefined. */
  async find(versionId: string, key: string): Promise<StoredShard | undefined> {
    const row = await this.database
      .selectFrom('shard')
      .selectAll()
      .where('versionId', '=', versionId)
      .where('key', '=', key)
      .executeTakeFirst();
    return row && toStoredShard(row);
  }

  /** The shards after a place in the manifest that a filter holds for. Raises FILTER_INVALID. */
  async page(
    versionId: string,
    options: { filter?: string | undefined; after?: number; limit: number }
  ): Promise<StoredShard[]> {
    let query = this.database
      .selectFrom('shard')
      .selectAll()
      .where('versionId', '=', versionId)
      .where('index', '>', options.after ?? -1)
      .orderBy('index')
      .limit(options.limit);
    const condition = shardFilter(versionId, options.filter);
    if (condition) query = query.where(condition);
    return (await query.execute()).map(toStoredShard);
  }

  async count(versionId: string, filter?: string): Promise<number> {
    let query = this.database
      .selectFrom('shard')
      .select((is) => is.fn.countAll<number>().as('count'))
      .where('versionId', '=', versionId);
    const condition = shardFilter(versionId, filter);
    if (condition) query = query.where(condition);
    return Number((await query.executeTakeFirstOrThrow()).count);
  }

  /** Places in the manifest, in its order, of the shards that a filter holds for. */
  async indexes(versionId: string, filter?: string): Promise<number[]> {
    let query = this.database.selectFrom('shard').select('index').where('versionId', '=', versionId).orderBy('index');
    const condition = shardFilter(versionId, filter);
    if (condition) query = query.where(condition);
    return (await query.execute()).map(({ index }) => index);
  }

  /** Shards by their places, in the order of the manifest. */
  async at(versionId: string, indexes: readonly number[]): Promise<StoredShard[]> {
    const shards: StoredShard[] = [];
    for (let start = 0; start < indexes.length; start += pageSize) {
      const rows = await this.database
        .selectFrom('shard')
        .selectAll()
        .where('versionId', '=', versionId)
        .where('index', 'in', indexes.slice(start, start + pageSize))
        .orderBy('index')
        .execute();
      shards.push(...rows.map(toStoredShard));
    }
    return shards;
  }

  /** All shards that a filter holds for, in the order of the manifest, a page in memory at a time. */
  async *iterate(versionId: string, filter?: string): AsyncGenerator<StoredShard> {
    let after = -1;
    for (;;) {
      const shards = await this.page(versionId, { filter, after, limit: pageSize });
      yield* shards;
      const last = shards.at(-1);
      if (last === undefined || shards.length < pageSize) return;
      after = last.index;
    }
  }

  /** The next shards whose digest is not known. */
  async undigested(versionId: string, limit: number): Promise<StoredShard[]> {
    const rows = await this.database
      .selectFrom('shard')
      .selectAll()
      .where('versionId', '=', versionId)
      .where('digest', '=', '')
      .orderBy('index')
      .limit(limit)
      .execute();
    return rows.map(toStoredShard);
  }

  async setDigests(
    writing: Writing,
    versionId: string,
    shards: readonly { index: number; objects: StoredObject[]; sizeBytes: number; digest: string }[]
  ): Promise<void> {
    for (const { index, objects, sizeBytes, digest } of shards) {
      await this.#setDigest.run(writing, { versionId, index, objectsJson: JSON.stringify(objects), sizeBytes, digest });
    }
  }

  async sizeOf(versionId: string): Promise<number> {
    const { size } = await this.database
      .selectFrom('shard')
      .select((is) => is.fn.sum<number | null>('sizeBytes').as('size'))
      .where('versionId', '=', versionId)
      .executeTakeFirstOrThrow();
    return Number(size ?? 0);
  }

  /** How many shards of a version are new, gone and other than in the version before. */
  async countChanges(versionId: string, previousId: string) {
    const common = this.database
      .selectFrom('shard as now')
      .innerJoin('shard as before', (join) =>
        join.onRef('before.key', '=', 'now.key').on('before.versionId', '=', previousId)
      )
      .where('now.versionId', '=', versionId)
      .select((is) => is.fn.countAll<number>().as('count'));
    const unchanged = Number(
      (await common.whereRef('now.digest', '=', 'before.digest').executeTakeFirstOrThrow()).count
    );
    await new Promise(setImmediate);
    const modified = Number(
      (await common.whereRef('now.digest', '<>', 'before.digest').executeTakeFirstOrThrow()).count
    );
    await new Promise(setImmediate);
    const [now, before] = [await this.count(versionId), await this.count(previousId)];
    return { added: now - unchanged - modified, removed: before - unchanged - modified, modified, unchanged };
  }

  /** Shards that differ from the version before, by key, after a key. */
  async changes(versionId: string, previousId: string, after: string, limit: number): Promise<ShardChangeRow[]> {
    // Two lists in the order of one index, merged here: a union of both would sort all shards for each page.
    const come = await this.database
      .selectFrom('shard as now')
      .leftJoin('shard as before', (join) =>
        join.onRef('before.key', '=', 'now.key').on('before.versionId', '=', previousId)
      )
      .where('now.versionId', '=', versionId)
      .where('now.key', '>', after)
      .where((is) => is.or([is('before.digest', 'is', null), is('now.digest', '<>', is.ref('before.digest'))]))
      .orderBy('now.key')
      .limit(limit)
      .select(['now.key as key', 'before.digest as before', 'now.digest as after'])
      .execute();
    const gone = await this.database
      .selectFrom('shard as before')
      .leftJoin('shard as now', (join) => join.onRef('now.key', '=', 'before.key').on('now.versionId', '=', versionId))
      .where('before.versionId', '=', previousId)
      .where('before.key', '>', after)
      .where('now.digest', 'is', null)
      .orderBy('before.key')
      .limit(limit)
      .select(['before.key as key', 'before.digest as before'])
      .execute();
    return [
      ...come.map((row) => ({ ...row, change: row.before === null ? ('added' as const) : ('modified' as const) })),
      ...gone.map((row) => ({ ...row, after: null, change: 'removed' as const }))
    ]
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)))
      .slice(0, limit);
  }

  /** Removes the shards of a version, a field and a page at a time. */
  async remove(versionId: string): Promise<void> {
    for (;;) {
      const field = await this.database
        .selectFrom('shardField')
        .select('field')
        .where('versionId', '=', versionId)
        .limit(1)
        .executeTakeFirst();
      if (field === undefined) break;
      await this.database
        .deleteFrom('shardField')
        .where('versionId', '=', versionId)
        .where('field', '=', field.field)
        .execute();
      await new Promise(setImmediate);
    }
    for (let end = 0; ; end += 5_000) {
      await this.database.deleteFrom('shard').where('versionId', '=', versionId).where('index', '<', end).execute();
      await new Promise(setImmediate);
      const left = await this.database
        .selectFrom('shard')
        .select('index')
        .where('versionId', '=', versionId)
        .limit(1)
        .executeTakeFirst();
      if (left === undefined) return;
    }
  }

  /** Versions that have shards but no row of their own: what a server that was killed while it registered left. */
  async listOrphans(): Promise<string[]> {
    const orphans: string[] = [];
    let after = '';
    for (;;) {
      // One seek in the index for each version, and not a look at every shard.
      const { next } = await this.database
        .selectFrom('shard')
        .select((is) => is.fn.min<string | null>('versionId').as('next'))
        .where('versionId', '>', after)
        .executeTakeFirstOrThrow();
      if (next === null) return orphans;
      after = next;
      const version = await this.database
        .selectFrom('datasetVersion')
        .select('id')
        .where('id', '=', next)
        .executeTakeFirst();
      if (version === undefined) orphans.push(next);
    }
  }
}
