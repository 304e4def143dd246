import { createHash } from 'node:crypto';
import type { DataObject, Shard } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';
import type { Tables } from '../metadata/tables.js';

/**
 * An object of a shard with the place of its bytes: `at` is a path below the folder of the version, a key in the store, or a
 * key in the bucket of the version.
 */
export interface StoredObject extends DataObject {
  at: string;
  /** Of a file: its time of change in nanoseconds, as text since it exceeds what a number holds. */
  modifiedNs?: string;
  /** Of an object in a bucket. */
  etag?: string;
  /** Of a file that was uploaded: its path below the folder that it came from. Until then that is in `at`. */
  from?: string;
}

/** A shard of a dataset version, as `objectsJson` and its neighbours hold it. */
export interface StoredShard extends Omit<Shard, 'objects'> {
  objects: StoredObject[];
}

export function toStoredShard(row: Tables['shard']): StoredShard {
  return {
    index: row.index,
    key: row.key,
    entities: JSON.parse(row.entitiesJson) as Shard['entities'],
    metadata: JSON.parse(row.metadataJson) as Shard['metadata'],
    objects: JSON.parse(row.objectsJson) as StoredObject[],
    sizeBytes: row.sizeBytes,
    digest: row.digest,
    ...(row.originJson === null ? {} : { origin: JSON.parse(row.originJson) as NonNullable<Shard['origin']> })
  };
}

/** As the contract has it: without the places, which are the server's own. */
export function toShard({ objects, ...shard }: StoredShard): Shard {
  return {
    ...shard,
    objects: objects.map(({ path, sizeBytes, digest, mediaType }) => ({ path, sizeBytes, digest, mediaType }))
  };
}

export function digestOf(text: string | Buffer): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

/**
 * Changes with everything that a task sees of its shard: its key, entities, metadata, the names of its files and what is
 * in them. So a derivative is never reused for a shard on which the program could have done something else.
 */
export function shardDigest(shard: Pick<Shard, 'key' | 'entities' | 'metadata' | 'objects'>): string {
  const { key, entities, metadata, objects } = shard;
  return digestOf(
    canonicalJson({ key, entities, metadata, objects: objects.map(({ path, digest }) => ({ path, digest })) })
  );
}
