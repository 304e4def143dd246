import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import type { DataBuckets } from './data-buckets.js';
import type { DatasetFolders } from './dataset-folder.js';
import type { StoredVersion, VersionRoot } from './dataset-repository.js';
import { digestFile } from './file-digest.js';
import { digestObject } from './object-intake.js';
import type { StoredObject, StoredShard } from './stored-shard.js';

/** Where a task finds an object: a file as it was registered, or a key in the store or in another bucket. */
export type ObjectPlace = { file: string; modifiedNs?: string } | { key: string; bucket?: string };

/** Reads objects of shards where they lie, and only as they were registered. The one place that tells the roots apart. */
export class ObjectReader {
  constructor(
    private readonly folders: DatasetFolders,
    private readonly buckets: DataBuckets,
    private readonly objects: ObjectStore
  ) {}

  /** Where an object lies; it is not looked at. */
  placeOf(root: VersionRoot, { at, modifiedNs }: StoredObject): ObjectPlace {
    if (root.kind === 'store') return { key: at };
    if (root.kind === 'folder') {
      return { file: this.folders.fileOf(root.path, at), ...(modifiedNs === undefined ? {} : { modifiedNs }) };
    }
    if (root.bucket !== null) return { key: at, bucket: root.bucket };
    const file = this.objects.fileOf(at);
    // As a file, whose digest is looked at: what lies there in place can change, other than what this server put there.
    return file === undefined ? { key: at } : { file };
  }

  /** The bytes from `start` to `end`, both included. Raises DATASET_CHANGED where they are not what was registered. */
  async read(version: StoredVersion, object: StoredObject, range?: { start: number; end: number }): Promise<Readable> {
    const { root } = version;
    if (root.kind === 'folder') {
      const { handle } = await this.#openUnchanged(root.path, object);
      if (object.sizeBytes === 0) {
        await handle.close();
        return Readable.from([]);
      }
      return handle.createReadStream(range ?? {});
    }
    if (root.kind === 'store') return this.objects.read(object.at, range);
    const store = this.buckets.open(root.bucket);
    await requireUnchanged(store, object);
    return store.read(object.at, range);
  }

  /**
   * The files of a shard on the disk of this machine, each still as it was registered; none for objects that are elsewhere.
   * Raises DATASET_CHANGED.
   */
  async filesOf(version: StoredVersion, shard: StoredShard): Promise<{ path: string; file?: string }[]> {
    const files = [];
    for (const object of shard.objects) {
      const file = await this.#fileOf(version.root, object);
      files.push({ path: object.path, ...(file === undefined ? {} : { file }) });
    }
    return files;
  }

  async #fileOf(root: VersionRoot, object: StoredObject): Promise<string | undefined> {
    if (root.kind === 'folder') {
      const { handle, file } = await this.#openUnchanged(root.path, object);
      await handle.close();
      return file;
    }
    if (root.kind === 'store') return this.objects.fileOf(object.at);
    const store = this.buckets.open(root.bucket);
    const file = store.fileOf(object.at);
    if (file !== undefined) await requireUnchanged(store, object);
    return file;
  }

  async #openUnchanged(path: string, object: StoredObject): Promise<{ handle: FileHandle; file: string }> {
    const changed = (why: string) => changedSince(object, why);
    const root = await this.folders.root(path);
    if (root === undefined) throw changed('its folder has gone');
    const file = join(root, object.at);
    // A link that was put there since then could lead anywhere.
    const real = await realpath(file).catch(() => undefined);
    if (real === undefined) throw changed('it has gone');
    if (!real.startsWith(root + sep)) throw changed('it has become a link that leads out of the folder');
    const handle = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        throw changed(`it cannot be read (${(error as NodeJS.ErrnoException).code})`);
      }
    );
    try {
      const stats = await handle.stat({ bigint: true });
      if (!stats.isFile()) throw changed('it is no longer a file');
      if (Number(stats.size) !== object.sizeBytes)
        throw changed(`it had ${object.sizeBytes} bytes and has ${stats.size}`);
      if (String(stats.mtimeNs) !== object.modifiedNs && (await digestFile(real)).digest !== object.digest) {
        throw changed('its content is another one');
      }
      return { handle, file };
    } catch (error) {
      await handle.close();
      throw error;
    }
  }
}

async function requireUnchanged(store: ObjectStore, object: StoredObject): Promise<void> {
  const now = await store.head(object.at);
  if (now === undefined) throw changedSince(object, 'it has gone');
  if (now.sizeBytes !== object.sizeBytes) {
    throw changedSince(object, `it had ${object.sizeBytes} bytes and has ${now.sizeBytes}`);
  }
  if (now.etag !== object.etag && (await digestObject(store, object.at)).digest !== object.digest) {
    throw changedSince(object, 'its content is another one');
  }
}

function changedSince({ at }: StoredObject, why: string): ProblemError {
  return new ProblemError('DATASET_CHANGED', `"${at}" is not what was registered: ${why}.`, {
    mend: 'Put it back, or make a new version of the dataset.'
  });
}
