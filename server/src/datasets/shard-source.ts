import type { Shard } from '@labscale/schema';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import { prefixOf } from '../metadata/ids.js';
import { notFound } from '../problem-error.js';
import type { ShardSource } from '../snippets/snippet-repository.js';
import type { DatasetRepository } from './dataset-repository.js';
import type { DatasetService } from './dataset-service.js';
import type { ObjectReader } from './object-reader.js';
import type { ShardRepository } from './shard-repository.js';
import { toShard } from './stored-shard.js';

/** Shards as snippets ask for them. */
export class DatasetShardSource implements ShardSource {
  constructor(
    private readonly access: Access,
    private readonly datasets: DatasetService,
    private readonly repository: DatasetRepository,
    private readonly shards: ShardRepository,
    private readonly reader: ObjectReader
  ) {}

  async readyVersion(user: User, versionId: string): Promise<{ id: string; datasetId: string; datasetName: string }> {
    if (prefixOf(versionId) !== 'dv') throw notFound(versionId);
    await this.access.require(user, 'view', versionId);
    const { id, datasetId } = await this.datasets.readyVersion(versionId);
    return { id, datasetId, datasetName: (await this.datasets.get(datasetId)).name };
  }

  async matchingIndexes(versionId: string, filter: string): Promise<number[]> {
    return this.shards.indexes(versionId, filter);
  }

  async shardsAt(versionId: string, indexes: readonly number[]): Promise<Shard[]> {
    return (await this.shards.at(versionId, indexes)).map(toShard);
  }

  async filesOf(versionId: string, { key }: Shard): Promise<{ path: string; file?: string }[]> {
    const version = await this.repository.getVersion(versionId);
    const shard = await this.shards.find(versionId, key);
    if (version === undefined || shard === undefined) throw notFound(key);
    return this.reader.filesOf(version, shard);
  }
}
