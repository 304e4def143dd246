import type { Operations, Shard } from '@labscale/schema';
import type { Readable } from 'node:stream';
import { decodeCursor, encodeCursor } from '../http/cursor.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { DatasetRepository } from './dataset-repository.js';
import type { DatasetService } from './dataset-service.js';
import type { ObjectReader } from './object-reader.js';
import type { ShardRepository } from './shard-repository.js';
import { toShard, type StoredObject } from './stored-shard.js';

/** The shards of ready versions and the bytes of their objects. */
export class ShardService {
  constructor(
    private readonly datasets: Pick<DatasetService, 'readyVersion'>,
    private readonly repository: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly reader: ObjectReader
  ) {}

  async list(versionId: string, query: Operations['listShards']['query']): Promise<Operations['listShards']['result']> {
    const version = await this.datasets.readyVersion(versionId);
    const limit = query.limit ?? 50;
    // The filter is part of the order: a cursor of one filter would skip shards of another.
    const order = `shards ${versionId} ${query.filter ?? ''}`;
    const after = decodeCursor(query.cursor, order, (values): values is [number] => Number.isInteger(values[0]));
    const found = await this.shards.page(versionId, {
      filter: query.filter,
      ...(after === undefined ? {} : { after: after[0] }),
      limit: limit + 1
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return {
      items: items.map(toShard),
      nextCursor: found.length > limit && last !== undefined ? encodeCursor(order, last.index) : null,
      total: (query.filter ?? '').trim() === '' ? version.shardCount : await this.shards.count(versionId, query.filter)
    };
  }

  async get(versionId: string, key: string): Promise<Shard> {
    await this.datasets.readyVersion(versionId);
    const shard = await this.shards.find(versionId, key);
    if (shard === undefined) throw notFound(key);
    return toShard(shard);
  }

  async listChanges(
    versionId: string,
    query: Operations['listShardChanges']['query']
  ): Promise<Operations['listShardChanges']['result']> {
    const { changes, previousVersionId } = await this.datasets.readyVersion(versionId);
    const limit = query.limit ?? 50;
    const order = `shard-changes ${versionId}`;
    const after = decodeCursor(query.cursor, order, (values): values is [string] => typeof values[0] === 'string');
    // Where the version before was removed, nothing is left to compare with.
    const previous = previousVersionId === null ? undefined : await this.repository.getVersion(previousVersionId);
    if (changes === null || previous === undefined) return { items: [], nextCursor: null, total: 0 };
    const found = await this.shards.changes(versionId, previous.id, after?.[0] ?? '', limit + 1);
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return {
      items,
      nextCursor: found.length > limit && last !== undefined ? encodeCursor(order, last.key) : null,
      total: changes.added + changes.removed + changes.modified
    };
  }

  /** An object and the way to its bytes. Raises NOT_FOUND; `read` raises DATASET_CHANGED. */
  async object(
    versionId: string,
    key: string,
    path: string
  ): Promise<{ object: StoredObject; read: (range?: { start: number; end: number }) => Promise<Readable> }> {
    const version = await this.datasets.readyVersion(versionId);
    const shard = await this.shards.find(versionId, key);
    const object = shard?.objects.find((candidate) => candidate.path === path);
    if (object === undefined) {
      throw new ProblemError('NOT_FOUND', `There is no object "${path}" of a shard "${key}" in this version.`);
    }
    return { object, read: (range) => this.reader.read(version, object, range) };
  }
}
