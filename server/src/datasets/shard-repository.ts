import type { Scalar } from '@labscale/schema';
import type { Static } from 'typebox';
import { numberOf } from '../metadata/filter.js';
import type { Database, Writing } from '../metadata/database.js';
import { PreparedWrite, RowInsert } from '../metadata/prepared-write.js';
import type { Tables } from '../metadata/tables.js';
import { shardFilter } from './shard-filter.js';
import { toStoredShard, type StoredObject, type StoredShard } from './stored-shard.js';

const pageSize = 500;
const insertedAtOnce = 1_000;
const removedAtOnce = 5_000;
const comparedAtOnce = 5_000;

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

  /**
   * Adds shards, in the order that they are given, from `shard.index` on; in pieces, so that requests are served between.
   * What names their version is written in one commit with the last piece; where anything fails there is nothing of them.
   */
  async insert(
    versionId: string,
    owner: string,
    shards: Iterable<StoredShard> | AsyncIterable<StoredShard>,
    name: (writing: Writing) => Promise<void>
  ): Promise<void> {
    try {
      await this.#insert(versionId, owner, shards, name);
    } catch (error) {
      await this.remove(versionId);
      throw error;
    }
  }

  async #insert(
    versionId: string,
    owner: string,
    shards: Iterable<StoredShard> | AsyncIterable<StoredShard>,
    name: (writing: Writing) => Promise<void>
  ): Promise<void> {
    let rows: Tables['shard'][] = [];
    let fields: (Omit<Tables['shardField'], 'fieldNumber'> & { name: string })[] = [];
    const numbers = new Map<string, number>();
    const flush = async (atEnd?: (writing: Writing) => Promise<void>) => {
      await this.database.transaction().execute(async (transaction) => {
        for (const { name } of fields) {
          if (!numbers.has(name)) numbers.set(name, await this.#addField(transaction, versionId, name));
        }
        await this.#insertShard.run(transaction, rows);
        await this.#insertField.run(
          transaction,
          fields.map(({ name, ...field }) => ({ fieldNumber: numbers.get(name)!, ...field }))
        );
        await atEnd?.(transaction);
      });
      rows = [];
      fields = [];
      await new Promise(setImmediate);
    };
    for await (const shard of shards) {
      if (rows.length >= insertedAtOnce) await flush();
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
      for (const [name, value] of Object.entries<Static<typeof Scalar>>({ ...shard.metadata, ...shard.entities })) {
        const text = String(value);
        const number = typeof value === 'number' ? value : numberOf(text);
        fields.push({ name, text, number, shardIndex: shard.index });
      }
    }
    await flush(name);
  }

  /** Names a field of a version; gives its number. */
  async #addField(writing: Writing, versionId: string, name: string): Promise<number> {
    const { last } = await writing
      .selectFrom('shardFieldName')
      .select((is) => is.fn.max<number | null>('number').as('last'))
      .executeTakeFirstOrThrow();
    const number = Number(last ?? 0) + 1;
    await writing.insertInto('shardFieldName').values({ number, versionId, name }).execute();
    return number;
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
      // The database answers without waiting for anything, so nobody else would have a turn.
      await new Promise(setImmediate);
    }
  }

  /** The next shards after a place in the manifest whose digest is not known. */
  async undigested(versionId: string, after: number, limit: number): Promise<StoredShard[]> {
    const rows = await this.database
      .selectFrom('shard')
      .selectAll()
      .where('versionId', '=', versionId)
      .where('index', '>', after)
      .where('digest', '=', '')
      .orderBy('index')
      .limit(limit)
      .execute();
    return rows.map(toStoredShard);
  }

  /** Bytes of the shards whose digest is not known. */
  async undigestedBytes(versionId: string): Promise<number> {
    const { bytes } = await this.database
      .selectFrom('shard')
      .select((is) => is.fn.sum<number | null>('sizeBytes').as('bytes'))
      .where('versionId', '=', versionId)
      .where('digest', '=', '')
      .executeTakeFirstOrThrow();
    return Number(bytes ?? 0);
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

  /** How many shards of a version are new, gone and other than in the version before. */
  async countChanges(versionId: string, previousId: string) {
    const [now, before] = [await this.count(versionId), await this.count(previousId)];
    let [common, unchanged] = [0, 0];
    for (let start = 0; start < now; start += comparedAtOnce) {
      const part = await this.database
        .selectFrom('shard as now')
        .innerJoin('shard as before', (join) =>
          join.onRef('before.key', '=', 'now.key').on('before.versionId', '=', previousId)
        )
        .where('now.versionId', '=', versionId)
        .where('now.index', '>=', start)
        .where('now.index', '<', start + comparedAtOnce)
        .select((is) => is.fn.countAll<number>().as('common'))
        .select((is) =>
          is.fn
            .sum<number | null>(is.case().when('now.digest', '=', is.ref('before.digest')).then(1).else(0).end())
            .as('unchanged')
        )
        .executeTakeFirstOrThrow();
      common += Number(part.common);
      unchanged += Number(part.unchanged ?? 0);
      await new Promise(setImmediate);
    }
    return { added: now - common, removed: before - common, modified: common - unchanged, unchanged };
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

  /** Removes the shards of a version, a piece at a time. */
  async remove(versionId: string): Promise<void> {
    const { last } = await this.database
      .selectFrom('shard')
      .select((is) => is.fn.max<number | null>('index').as('last'))
      .where('versionId', '=', versionId)
      .executeTakeFirstOrThrow();
    const pieces = Math.ceil(((last ?? -1) + 1) / removedAtOnce);
    const fields = await this.database
      .selectFrom('shardFieldName')
      .select('number')
      .where('versionId', '=', versionId)
      .execute();
    for (const { number } of fields) {
      for (let piece = 1; piece <= pieces; piece++) {
        await this.database
          .deleteFrom('shardField')
          .where('fieldNumber', '=', number)
          .where('shardIndex', '<', piece * removedAtOnce)
          .execute();
        await new Promise(setImmediate);
      }
      await this.database.deleteFrom('shardFieldName').where('number', '=', number).execute();
    }
    for (let piece = 1; piece <= pieces; piece++) {
      await this.database
        .deleteFrom('shard')
        .where('versionId', '=', versionId)
        .where('index', '<', piece * removedAtOnce)
        .execute();
      await new Promise(setImmediate);
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
