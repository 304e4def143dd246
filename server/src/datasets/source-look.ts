import type { Operations, Shard, VersionChanges } from '@labscale/schema';
import type { Static } from 'typebox';
import { canonicalJson } from '../metadata/canonical-json.js';
import { mediaTypeOf } from '../objects/media-type.js';
import { compareBytes } from '../objects/object-key.js';
import type { DatasetFolders } from './dataset-folder.js';
import { readMetadataTables } from './metadata-tables.js';
import { scanFolder } from './scan-folder.js';
import { layOut, type FoundShard } from './shard-layout.js';
import type { ShardRepository } from './shard-repository.js';
import { shardDigest, type StoredShard } from './stored-shard.js';

export type Changes = Static<typeof VersionChanges>;

/** A found shard with its metadata, ready to be stored. */
type Draft = FoundShard & { metadata: Shard['metadata'] };

/** What a folder holds now. */
export interface Look {
  count: number;
  drafts: () => Iterable<Draft>;
}

/** Looks at the folder of a dataset, and compares what is there with the shards of a version. */
export class FolderLook {
  constructor(
    private readonly folders: DatasetFolders,
    private readonly shards: ShardRepository
  ) {}

  async at(source: Operations['createDataset']['body']['source']): Promise<Look> {
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

  async compare(look: Look, versionId: string): Promise<Changes> {
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
  async *withKnownDigests(look: Look, versionId: string, known: () => void): AsyncGenerator<StoredShard> {
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
}

export function* undigestedShards({ drafts }: Look): Generator<StoredShard> {
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

export function isSame({ added, removed, modified }: Changes): boolean {
  return added + removed + modified === 0;
}
