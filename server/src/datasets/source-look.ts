import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { BucketSource, FolderSource, Operations, Shard, VersionChanges } from '@labscale/schema';
import type { Static } from 'typebox';
import { canonicalJson } from '../metadata/canonical-json.js';
import { mediaTypeOf } from '../objects/media-type.js';
import { compareBytes } from '../objects/object-key.js';
import { prefixField, type DataBuckets } from './data-buckets.js';
import type { DatasetFolders } from './dataset-folder.js';
import type { VersionRoot } from './dataset-repository.js';
import { readMetadataTables, type TableFolder } from './metadata-tables.js';
import { scanBucket } from './scan-bucket.js';
import { scanFolder, type FoundFile } from './scan-folder.js';
import { layOut, type FoundShard } from './shard-layout.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredObject, type StoredShard } from './stored-shard.js';

export type Changes = Static<typeof VersionChanges>;

/** A found shard with its metadata, ready to be stored. */
type Draft = FoundShard & { metadata: Shard['metadata'] };

/** What a folder or prefix holds now. */
export interface Look {
  count: number;
  drafts: () => Iterable<Draft>;
  /** Where the objects lie, or will lie once they are uploaded. */
  root: VersionRoot;
}

/** A source as it is kept: with all that was left out. */
export type WholeSource = (FolderSource & { upload: boolean }) | BucketSource;

/** Looks at the folder or prefix of a dataset, and compares what is there with the shards of a version. */
export class SourceLook {
  /** @param uploads whether files are uploaded where nothing is said of it. */
  constructor(
    private readonly folders: DatasetFolders,
    private readonly buckets: DataBuckets,
    private readonly shards: ShardRepository,
    private readonly uploads: boolean
  ) {}

  /** Raises PATH_INVALID for a bucket or prefix that may not be registered. */
  complete(source: Operations['createDataset']['body']['source']): WholeSource {
    if (source.kind === 'folder') return { ...source, upload: source.upload ?? this.uploads };
    const { bucket: asked, ...rest } = source;
    const { bucket, prefix } = this.buckets.findData(asked, source.prefix);
    const name = this.buckets.nameOf(bucket);
    return { ...rest, prefix, ...(name === undefined ? {} : { bucket: name }) };
  }

  async at(source: FolderSource | BucketSource): Promise<Look> {
    return source.kind === 'folder' ? this.#atFolder(source) : this.#atPrefix(source);
  }

  async #atFolder(source: FolderSource): Promise<Look> {
    const folder = await this.folders.find(source.path);
    const files = await scanFolder(folder, await this.folders.own());
    const root: VersionRoot = source.upload ? { kind: 'store' } : { kind: 'folder', path: source.path };
    return this.#look(files, source, root, {
      field: 'body/source/path',
      find: async (name) => {
        const found = await stat(join(folder, name)).catch(() => undefined);
        return found?.isFile()
          ? { sizeBytes: found.size, read: () => readFile(join(folder, name), 'utf8') }
          : undefined;
      }
    });
  }

  async #atPrefix(source: BucketSource): Promise<Look> {
    const place = this.buckets.findData(source.bucket, source.prefix);
    const store = this.buckets.open(place.bucket);
    const files = await scanBucket(store, place.prefix);
    return this.#look(
      files,
      source,
      { kind: 'bucket', ...place },
      {
        field: prefixField,
        find: async (name) => {
          const info = await store.head(place.prefix + name);
          return info && { sizeBytes: info.sizeBytes, read: async () => text(await store.read(info.key)) };
        }
      }
    );
  }

  async #look(
    files: readonly FoundFile[],
    source: FolderSource | BucketSource,
    root: VersionRoot,
    tables: TableFolder
  ): Promise<Look> {
    const { count, shards } = await layOut(files, source);
    const metadataOf = await readMetadataTables(tables);
    return {
      count,
      root,
      *drafts() {
        for (const shard of shards()) yield { ...shard, metadata: metadataOf(shard) };
      }
    };
  }

  async compare(look: Look, versionId: string): Promise<Changes> {
    const changes = { added: 0, removed: 0, modified: 0, unchanged: 0 };
    for await (const [draft, stored] of this.#pairs(look, versionId)) {
      if (draft === undefined) changes.removed += 1;
      else if (stored === undefined) changes.added += 1;
      else if (isUnchanged(draft, stored, look)) changes.unchanged += 1;
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

  /** Digests are taken over where name, size and time or ETag are as they were: those files are not read again. */
  async *withKnownDigests(look: Look, versionId: string, known: () => void): AsyncGenerator<StoredShard> {
    let index = 0;
    for await (const [draft, before] of this.#pairs(look, versionId)) {
      if (draft === undefined) continue;
      const shard = toUndigested(draft, index++, look);
      const earlier = new Map(before?.objects.map((object) => [originOf(object), object]));
      shard.objects = shard.objects.map((object) => {
        const old = earlier.get(object.at);
        if (old === undefined || old.digest === '' || !isSameFile(object, old)) return object;
        // What was uploaded is where it was.
        const { digest, at, from } = old;
        return { ...object, digest, at, ...(from === undefined ? {} : { from }) };
      });
      if (shard.objects.every((object) => object.digest !== '')) {
        shard.digest = shardDigest(shard);
        known();
      }
      yield shard;
    }
  }
}

export function* undigestedShards(look: Look): Generator<StoredShard> {
  let index = 0;
  for (const draft of look.drafts()) yield toUndigested(draft, index++, look);
}

function toUndigested({ key, entities, metadata, files }: Draft, index: number, { root }: Look): StoredShard {
  const objects = files.map(({ path, file }) => ({
    path,
    sizeBytes: file.sizeBytes,
    digest: '',
    mediaType: mediaTypeOf(path),
    at: placeIn(root, file),
    ...(file.modifiedNs === undefined ? {} : { modifiedNs: file.modifiedNs }),
    ...(file.etag === undefined ? {} : { etag: file.etag })
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

function isUnchanged(draft: Draft, stored: StoredShard, { root }: Look): boolean {
  return (
    draft.files.length === stored.objects.length &&
    draft.files.every(({ path, file }, place) => {
      const object = stored.objects[place];
      return object?.path === path && originOf(object) === placeIn(root, file) && isSameFile(file, object);
    }) &&
    canonicalJson([draft.entities, draft.metadata]) === canonicalJson([stored.entities, stored.metadata])
  );
}

/** Of what is still to be uploaded: the path below its folder. */
const placeIn = (root: VersionRoot, { path }: FoundFile) => (root.kind === 'bucket' ? root.prefix + path : path);

const originOf = ({ from, at }: StoredObject) => from ?? at;

type Seen = Pick<StoredObject, 'sizeBytes' | 'modifiedNs' | 'etag'>;

const isSameFile = (a: Seen, b: Seen) =>
  a.sizeBytes === b.sizeBytes && a.modifiedNs === b.modifiedNs && a.etag === b.etag;

export function isSame({ added, removed, modified }: Changes): boolean {
  return added + removed + modified === 0;
}
