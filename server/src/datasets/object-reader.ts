import { constants } from 'node:fs';
import { open, realpath, type FileHandle } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { Readable } from 'node:stream';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import type { DatasetFolders } from './dataset-folder.js';
import type { StoredVersion } from './dataset-repository.js';
import { digestFile } from './file-digest.js';
import type { StoredObject, StoredShard } from './stored-shard.js';

/** Where a task finds an object: a file as it was registered, or a key in the store. */
export type ObjectPlace = { file: string; modifiedNs?: string } | { key: string };

/** Reads objects of shards where they lie, and only as they were registered. */
export class ObjectReader {
  constructor(
    private readonly folders: DatasetFolders,
    private readonly objects: ObjectStore
  ) {}

  /** Where an object lies; it is not looked at. */
  placeOf({ root }: StoredVersion, { at, modifiedNs }: StoredObject): ObjectPlace {
    if (root.kind === 'store') return { key: at };
    return { file: this.folders.fileOf(root.path, at), ...(modifiedNs === undefined ? {} : { modifiedNs }) };
  }

  /** The bytes from `start` to `end`, both included. Raises DATASET_CHANGED where they are not what was registered. */
  async read(version: StoredVersion, object: StoredObject, range?: { start: number; end: number }): Promise<Readable> {
    if (version.root.kind === 'store') {
      return this.objects.read(object.at, range);
    }
    const { handle } = await this.#openUnchanged(version.root.path, object);
    if (object.sizeBytes === 0) {
      await handle.close();
      return Readable.from([]);
    }
    return handle.createReadStream(range ?? {});
  }

  /** The files of a shard on this machine, each still as it was registered. Raises DATASET_CHANGED. */
  async filesOf(version: StoredVersion, shard: StoredShard): Promise<{ path: string; file: string }[]> {
    const files = [];
    for (const object of shard.objects) {
      if (version.root.kind === 'store') {
        const file = this.objects.fileOf(object.at);
        if (file === undefined)
          throw new ProblemError('STATE_CONFLICT', 'The object store is not on the disk of this machine.', {
            mend: 'Read the object through the server.'
          });
        files.push({ path: object.path, file });
      } else {
        const { handle, file } = await this.#openUnchanged(version.root.path, object);
        await handle.close();
        files.push({ path: object.path, file });
      }
    }
    return files;
  }

  async #openUnchanged(path: string, object: StoredObject): Promise<{ handle: FileHandle; file: string }> {
    const changed = (why: string) =>
      new ProblemError('DATASET_CHANGED', `"${object.at}" is not what was registered: ${why}.`, {
        mend: 'Put the file back, or make a new version of the dataset.'
      });
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
