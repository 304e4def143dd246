import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { Readable } from 'node:stream';
import { isDiskFull } from '../metadata/database-errors.js';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import { FileUnsteady, digestFile, tries, type DigestedFile } from './file-digest.js';
import type { StoredObject } from './stored-shard.js';

const pieceBytes = 1_048_576;

/** How far it has come: told of bytes that were read or sent. */
export interface IntakeWatch {
  signal: AbortSignal;
  count: (bytes: number) => void;
}

/** Fills in the digest of an object, with the size and time or ETag that it had then, and where it lies. */
export type Intake = (object: StoredObject, watch: IntakeWatch) => Promise<void>;

/** Reads files where they are. */
export function readFiles(root: string): Intake {
  return async (object, { signal, count }) => {
    Object.assign(object, await digestFile(`${root}/${object.at}`, signal));
    count(object.sizeBytes);
  };
}

/** Copies files into the store, each by the digest of what is in it: what is there already is not sent again. */
export function uploadFiles(root: string, store: ObjectStore, prefix: string): Intake {
  return async (object, watch) => {
    const from = object.at;
    for (let count = 1; ; count++) {
      const file = await realpath(`${root}/${from}`);
      // A link that was put there since the folder was looked at could lead to what only the server may read.
      if (!file.startsWith(root + sep)) throw new Error('it has become a link that leads out of the folder');
      const known = await digestFile(file, watch.signal);
      const key = prefix + known.digest.slice('sha256:'.length);
      try {
        if ((await store.head(key))?.sizeBytes !== known.sizeBytes) {
          await store.put(key, Readable.from(piecesOf(file, known, watch), { objectMode: false }));
        } else {
          watch.count(known.sizeBytes);
        }
        Object.assign(object, known, { at: key, from });
        return;
      } catch (error) {
        if (!(error instanceof FileUnsteady) || count === tries) throw error;
      }
    }
  };
}

/** Raises FileUnsteady at the end of what is not what was digested: a body that breaks off makes no object. */
async function* piecesOf(file: string, known: DigestedFile, { signal, count }: IntakeWatch): AsyncGenerator<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const digest = createHash('sha256');
    let position = 0;
    for (;;) {
      signal.throwIfAborted();
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, known.sizeBytes - position + 1));
      const { bytesRead } = await handle.read(piece, 0, piece.length, position);
      if (bytesRead === 0) break;
      position += bytesRead;
      if (position > known.sizeBytes) break;
      digest.update(piece.subarray(0, bytesRead));
      yield piece.subarray(0, bytesRead);
      count(bytesRead);
    }
    if (position !== known.sizeBytes || `sha256:${digest.digest('hex')}` !== known.digest) {
      throw new FileUnsteady('it changes while it is read');
    }
  } finally {
    await handle.close();
  }
}

/** Reads objects of a bucket where they are. */
export function readBucket(store: ObjectStore): Intake {
  return async (object, { signal, count }) => {
    for (let tried = 1; ; tried++) {
      const digest = await digestObject(store, object.at, { signal, count: tried === 1 ? count : () => {} });
      const now = await store.head(object.at);
      if (now === undefined) throw new ProblemError('NOT_FOUND', 'It has gone.');
      // With one ETag before and after it, all that was read is of one object.
      const same = now.etag === object.etag && now.sizeBytes === object.sizeBytes;
      Object.assign(object, { sizeBytes: now.sizeBytes, ...(now.etag === undefined ? {} : { etag: now.etag }) });
      if (same && digest.sizeBytes === now.sizeBytes) {
        object.digest = digest.digest;
        return;
      }
      if (tried === tries) throw new FileUnsteady('it changes while it is read');
    }
  };
}

/** Raises NOT_FOUND, STORE_UNAVAILABLE. */
export async function digestObject(
  store: ObjectStore,
  key: string,
  watch?: IntakeWatch
): Promise<{ digest: string; sizeBytes: number }> {
  const digest = createHash('sha256');
  let sizeBytes = 0;
  for await (const piece of await store.read(key)) {
    watch?.signal.throwIfAborted();
    digest.update(piece as Buffer);
    sizeBytes += (piece as Buffer).length;
    watch?.count((piece as Buffer).length);
  }
  return { digest: `sha256:${digest.digest('hex')}`, sizeBytes };
}

/** Why an object could not be taken in, as a sentence with its name. */
export function whyNotTakenIn(name: string, error: unknown): string {
  if (error instanceof ProblemError && error.code === 'NOT_FOUND') return `${name} cannot be read: it has gone.`;
  if (error instanceof ProblemError) return `${name} cannot be taken in. ${sentenceOf(error)}`;
  if (isDiskFull(error)) return `${name} cannot be stored: there is no room left for it.`;
  const { code, message } = error as NodeJS.ErrnoException;
  const why = code === 'ENOENT' ? 'it has gone' : code === 'EACCES' ? 'it may not be read' : (code ?? message);
  return `${name} cannot be read: ${why}.`;
}

export function sentenceOf({ detail, more }: ProblemError): string {
  return more.mend === undefined ? detail : `${detail} ${more.mend}`;
}
