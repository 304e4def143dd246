import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, mkdirSync, realpathSync, type BigIntStats } from 'node:fs';
import { link, lstat, mkdir, open, readdir, realpath, rename, rm, unlink, type FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { ProblemError } from '../problem-error.js';
import { checkKey, compareBytes, faultOfKey } from './object-key.js';
import type { LevelPage, ObjectInfo, ObjectPage, ObjectStore } from './object-store.js';

/** Where bytes are written before they have their name; no key starts with it and no list shows it. */
const incoming = '.incoming';
const abandonedAfterMs = 24 * 3_600_000;

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const isAbsent = (error: unknown) => codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';

/** Objects as files below one folder, which nobody else writes but the workers, by the same rules. */
export class LocalObjectStore implements ObjectStore {
  readonly #root: string;

  constructor(root: string) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    // The real path, so that a link in it is told from a link above it.
    this.#root = realpathSync(root);
    mkdirSync(join(this.#root, incoming), { recursive: true, mode: 0o700 });
  }

  /** Removes what a process that was killed left half written. */
  async sweep(): Promise<void> {
    const folder = join(this.#root, incoming);
    for (const name of await readdir(folder)) {
      const stat = await lstat(join(folder, name)).catch(() => undefined);
      if (stat !== undefined && Date.now() - stat.mtimeMs > abandonedAfterMs)
        await rm(join(folder, name), { force: true });
    }
  }

  async put(key: string, body: Buffer | Readable): Promise<ObjectInfo> {
    const file = this.#fileOf(key);
    const { part, sizeBytes } = await this.#write(body);
    try {
      await this.#makeFolder(dirname(file), key);
      await this.#refuseLink(file, key);
      await rename(part, file);
    } catch (error) {
      await rm(part, { force: true });
      throw this.#named(error, key);
    }
    await syncFolder(dirname(file));
    return { key, sizeBytes };
  }

  async putIfAbsent(key: string, body: Buffer): Promise<boolean> {
    const file = this.#fileOf(key);
    const { part } = await this.#write(body);
    try {
      await this.#makeFolder(dirname(file), key);
      // link(2) fails where the name is taken, whatever has it, and is atomic among any number of processes.
      await link(part, file);
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw this.#named(error, key);
    } finally {
      await unlink(part);
    }
    await syncFolder(dirname(file));
    return true;
  }

  async read(key: string, range?: { start: number; end?: number }): Promise<Readable> {
    const handle = await this.#open(key);
    if (handle === undefined) throw new ProblemError('NOT_FOUND', `There is no object "${key}".`);
    try {
      const { size } = await handle.stat();
      const start = range?.start ?? 0;
      const end = Math.min(range?.end ?? size - 1, size - 1);
      if (range !== undefined && (start < 0 || start >= size || end < start)) {
        throw new ProblemError(
          'RANGE_INVALID',
          `The object has ${size} bytes; ${start} to ${range.end ?? 'its end'} is not in it.`
        );
      }
      if (size === 0) {
        await handle.close();
        return Readable.from([]);
      }
      return handle.createReadStream({ start, end });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async get(key: string): Promise<Buffer | undefined> {
    const handle = await this.#open(key);
    if (handle === undefined) return undefined;
    try {
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  }

  async head(key: string): Promise<ObjectInfo | undefined> {
    const file = this.#fileOf(key);
    // Two calls to the kernel: publishing asks this of every object of a run.
    if (!(await this.#isPlain(file))) return undefined;
    const stat = await lstat(file, { bigint: true }).catch((error: unknown) => {
      if (isAbsent(error)) return undefined;
      throw error;
    });
    return stat?.isFile() ? infoOf(key, stat) : undefined;
  }

  async list(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<ObjectPage> {
    return this.#list(prefix, options, (name) => faultOfKey(name) === undefined);
  }

  async listAll(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<ObjectPage> {
    return this.#list(prefix, options, () => true);
  }

  async #list(
    prefix: string,
    options: { cursor?: string; limit?: number },
    isListed: (name: string) => boolean
  ): Promise<ObjectPage> {
    const limit = options.limit ?? 1_000;
    const cursor = options.cursor ?? '';
    const slash = prefix.lastIndexOf('/');
    const folder = prefix.slice(0, slash + 1);
    if (folder !== '') checkKey(folder.slice(0, -1));
    const objects: ObjectInfo[] = [];
    // One more than asked for tells whether there is a next page.
    await this.#walk(folder, prefix, cursor, limit + 1, isListed, objects);
    const more = objects.length > limit;
    if (more) objects.pop();
    return { objects, nextCursor: more ? (objects.at(-1)?.key ?? null) : null };
  }

  async listLevel(prefix: string, options: { cursor?: string; limit?: number } = {}): Promise<LevelPage> {
    const limit = options.limit ?? 1_000;
    if (prefix !== '') checkKey(prefix.slice(0, -1));
    const names = await this.#namesBelow(prefix, prefix, options.cursor ?? '', () => true);
    const page = names.filter((name) => name !== options.cursor).slice(0, limit + 1);
    const more = page.length > limit;
    if (more) page.pop();
    const objects: ObjectInfo[] = [];
    for (const name of page.filter((one) => !one.endsWith('/'))) await this.#addInfo(name, objects);
    return {
      folders: page.filter((name) => name.endsWith('/')),
      objects,
      nextCursor: more ? (page.at(-1) ?? null) : null
    };
  }

  /** Adds the objects of a folder in the order of their keys, folder by folder: of the tree, one branch is in memory. */
  async #walk(
    folder: string,
    prefix: string,
    after: string,
    limit: number,
    isListed: (name: string) => boolean,
    objects: ObjectInfo[]
  ): Promise<void> {
    for (const name of await this.#namesBelow(folder, prefix, after, isListed)) {
      if (objects.length >= limit) return;
      if (name.endsWith('/')) await this.#walk(name, prefix, after, limit, isListed, objects);
      else await this.#addInfo(name, objects);
    }
  }

  /** Names in a folder, with a `/` after those of folders, that may hold keys after one; in the order of the keys. */
  async #namesBelow(
    folder: string,
    prefix: string,
    after: string,
    isListed: (name: string) => boolean
  ): Promise<string[]> {
    const path = folder === '' ? this.#root : join(this.#root, folder.slice(0, -1));
    if (folder.startsWith(`${incoming}/`) || !(await this.#isPlain(path))) return [];
    const entries = await readdir(path, { withFileTypes: true }).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    return (
      entries
        .filter((entry) => entry.isDirectory() || entry.isFile())
        .filter((entry) => !(folder === '' && entry.name === incoming) && isListed(entry.name))
        // `a-b` comes before `a/b`, so a folder takes its place by its name with the slash.
        .map((entry) => folder + entry.name + (entry.isDirectory() ? '/' : ''))
        .filter((name) => name.startsWith(prefix) || (name.endsWith('/') && prefix.startsWith(name)))
        .filter(
          (name) => after === '' || compareBytes(name, after) > 0 || (name.endsWith('/') && after.startsWith(name))
        )
        .map((name) => ({ name, bytes: Buffer.from(name) }))
        .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
        .map(({ name }) => name)
    );
  }

  async #addInfo(name: string, objects: ObjectInfo[]): Promise<void> {
    const stat = await lstat(join(this.#root, name), { bigint: true }).catch(() => undefined);
    if (stat?.isFile()) objects.push(infoOf(name, stat));
  }

  async delete(key: string): Promise<void> {
    const file = this.#fileOf(key);
    if (!(await this.#isPlain(dirname(file)))) return;
    await unlink(file).catch((error: unknown) => {
      if (!isAbsent(error) && codeOf(error) !== 'EISDIR' && codeOf(error) !== 'EPERM') throw error;
    });
  }

  async deletePrefix(prefix: string): Promise<void> {
    // Without the slash, `runs/run-1` would take `runs/run-10` with it.
    if (!prefix.endsWith('/')) throw new ProblemError('PATH_INVALID', `The prefix "${prefix}" does not end with "/".`);
    const folder = this.#fileOf(prefix.slice(0, -1));
    if (!(await this.#isPlain(folder))) return;
    await rm(folder, { recursive: true, force: true });
  }

  async sync(): Promise<void> {
    const done = await new Promise<boolean>((give) => {
      // One call to the kernel for the whole file system; a call for each file would take longer than the run.
      const child = spawn('sync', ['-f', this.#root], { stdio: 'ignore', env: { PATH: process.env['PATH'] ?? '' } });
      child.on('error', () => give(false));
      child.on('close', (code) => give(code === 0));
    });
    if (!done) await this.#syncEach('');
  }

  async #syncEach(folder: string): Promise<void> {
    const path = join(this.#root, folder);
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory()) await this.#syncEach(join(folder, entry.name));
      else if (entry.isFile()) await syncFile(join(path, entry.name));
    }
    await syncFolder(path);
  }

  fileOf(key: string): string {
    return this.#fileOf(key);
  }

  #fileOf(key: string): string {
    checkKey(key);
    if (key === incoming || key.startsWith(`${incoming}/`)) {
      throw new ProblemError('PATH_INVALID', `Keys that start with "${incoming}/" are the store's own.`);
    }
    return join(this.#root, key);
  }

  /** True where a path below the root is there and no part of it is a symbolic link, by which it could lead out. */
  async #isPlain(path: string): Promise<boolean> {
    return (await realpath(path).catch(() => undefined)) === path;
  }

  async #refuseLink(file: string, key: string): Promise<void> {
    const stat = await lstat(file).catch(() => undefined);
    if (stat !== undefined && !stat.isFile())
      throw new ProblemError('PATH_INVALID', `"${key}" is not an object but a folder or a link.`);
  }

  async #makeFolder(folder: string, key: string): Promise<void> {
    if (await this.#isPlain(folder)) return;
    // From the top, and each part looked at: mkdir -p would walk through a link.
    let path = this.#root;
    for (const part of folder.slice(this.#root.length + 1).split('/')) {
      const above = path;
      path = join(path, part);
      try {
        await mkdir(path, { mode: 0o700 });
        await syncFolder(above);
      } catch (error) {
        if (codeOf(error) !== 'EEXIST') throw error;
      }
      if (!(await lstat(path)).isDirectory()) {
        throw new ProblemError('PATH_INVALID', `"${key}" cannot be: a part of it is not a folder.`);
      }
    }
  }

  async #open(key: string): Promise<FileHandle | undefined> {
    const file = this.#fileOf(key);
    if (!(await this.#isPlain(dirname(file)))) return undefined;
    let handle: FileHandle;
    try {
      // NONBLOCK: opening a named pipe would wait for a writer for ever.
      handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (isAbsent(error) || codeOf(error) === 'ELOOP' || codeOf(error) === 'ENXIO') return undefined;
      throw error;
    }
    if ((await handle.stat()).isFile()) return handle;
    await handle.close();
    return undefined;
  }

  /** The bytes on disk under a name of their own, before they get the name by which they are known. */
  async #write(body: Buffer | Readable): Promise<{ part: string; sizeBytes: number }> {
    const part = join(this.#root, incoming, randomBytes(12).toString('hex'));
    const handle = await open(part, 'wx', 0o600);
    try {
      await handle.writeFile(body);
      await handle.sync();
      const { size } = await handle.stat();
      return { part, sizeBytes: size };
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    } finally {
      await handle.close();
    }
  }

  #named(error: unknown, key: string): unknown {
    if (codeOf(error) === 'ENOTDIR' || codeOf(error) === 'EISDIR') {
      return new ProblemError('PATH_INVALID', `"${key}" cannot be: a part of it is an object already.`);
    }
    return error;
  }
}

/** Of two objects that were put in one tick of the kernel's clock the number of the file differs. */
function infoOf(key: string, { size, mtimeNs, ino }: BigIntStats): ObjectInfo {
  return { key, sizeBytes: Number(size), etag: `${mtimeNs}-${ino}` };
}

async function syncFile(path: string): Promise<void> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    // Removed since it was listed.
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A new name survives a loss of power only once its folder is written too. */
const syncFolder = syncFile;
