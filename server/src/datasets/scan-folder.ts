import { lstat, realpath, stat, type BigIntStats } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';
import { compareBytes, faultOfKey } from '../objects/object-key.js';
import { ProblemError } from '../problem-error.js';
import { aboutTheData } from './metadata-tables.js';

// The callback forms: at 100,000 files those of node:fs/promises take twice as long.
const lstatOf = promisify(lstat) as (path: string, options: { bigint: true }) => Promise<BigIntStats>;
const statOf = promisify(stat) as (path: string, options: { bigint: true }) => Promise<BigIntStats>;
const realpathOf = promisify(realpath.native) as (path: string) => Promise<string>;
const atOnce = 64;

/** A file of a folder, or an object of a bucket. */
export interface FoundFile {
  /** Below the folder or prefix, with `/`. */
  path: string;
  sizeBytes: number;
  /** Of a file: nanoseconds since 1970. */
  modifiedNs?: string;
  /** Of an object of a bucket. */
  etag?: string;
}

const refused = (detail: string, mend?: string) =>
  new ProblemError('PATH_INVALID', detail, { field: 'body/source/path', ...(mend === undefined ? {} : { mend }) });

/**
 * The files below a folder in the order of the bytes of their paths. Hidden names, tables about the data and special files
 * are not data; links to folders within are passed over, since what they lead to is found where it is.
 * Raises PATH_INVALID for a link that leads out or nowhere, for what may not be read and for names that cannot be keys.
 *
 * @param folder its real path.
 * @param exclude real path of a folder that is left out, wherever it is.
 */
export async function scanFolder(folder: string, exclude?: string): Promise<FoundFile[]> {
  const files: FoundFile[] = [];
  await walk(folder, '', exclude, files);
  return files;
}

async function walk(root: string, below: string, exclude: string | undefined, files: FoundFile[]): Promise<void> {
  const entries = await readdir(join(root, below), { withFileTypes: true }).catch((error: unknown) => {
    throw refused(
      `The folder "${below}" cannot be read (${(error as NodeJS.ErrnoException).code}).`,
      'Give yourself the right to read it.'
    );
  });
  const names = entries
    .filter(({ name }) => !name.startsWith('.') && !(below === '' && aboutTheData.test(name)))
    .map((entry) => ({ entry, path: below + entry.name, order: entry.isDirectory() ? `${entry.name}/` : entry.name }))
    .sort((a, b) => compareBytes(a.order, b.order));
  for (let start = 0; start < names.length; start += atOnce) {
    const found = await Promise.all(
      names.slice(start, start + atOnce).map(async ({ entry, path }) => {
        const fault = faultOfKey(path);
        if (fault !== undefined)
          throw refused(`"${path.slice(0, 200)}" cannot be the key of a shard: ${fault}.`, 'Rename it.');
        if (entry.isDirectory()) return path === '' || join(root, path) === exclude ? undefined : { path: `${path}/` };
        if (entry.isSymbolicLink()) return followLink(root, path);
        return entry.isFile() ? toFile(path, await lstatOf(join(root, path), { bigint: true })) : undefined;
      })
    );
    for (const file of found) {
      if (file === undefined) continue;
      if ('sizeBytes' in file) files.push(file);
      else await walk(root, file.path, exclude, files);
    }
  }
}

async function followLink(root: string, path: string): Promise<FoundFile | undefined> {
  const target = await realpathOf(join(root, path)).catch(() => undefined);
  if (target === undefined) throw refused(`"${path}" is a link that leads nowhere.`, 'Mend or remove it.');
  if (target !== root && !target.startsWith(root + sep)) {
    throw refused(
      `"${path}" is a link that leads out of the folder.`,
      'Put the file itself there, or register the folder that it leads to.'
    );
  }
  const stats = await statOf(target, { bigint: true });
  return stats.isFile() ? toFile(path, stats) : undefined;
}

function toFile(path: string, stats: BigIntStats): FoundFile {
  return { path, sizeBytes: Number(stats.size), modifiedNs: String(stats.mtimeNs) };
}
