import { hash, createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';

const smallBytes = 262_144;
const pieceBytes = 1_048_576;
/** How often something is read anew that changed meanwhile. */
export const tries = 3;

export interface DigestedFile {
  sizeBytes: number;
  modifiedNs: string;
  digest: string;
}

/** The file was written while it was read, each time. */
export class FileUnsteady extends Error {}

/** Digest of a file with the size and time that it had. Raises FileUnsteady, the error of the file system, or that of the signal. */
export async function digestFile(path: string, signal?: AbortSignal): Promise<DigestedFile> {
  // NONBLOCK: what was a file may be a named pipe by now, and opening one waits for a writer.
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    for (let count = 0; count < tries; count++) {
      const before = await handle.stat({ bigint: true });
      if (!before.isFile()) throw new Error('it is no longer a file');
      const { digest, sizeBytes } = await digestHandle(handle, Number(before.size), signal);
      const after = await handle.stat({ bigint: true });
      if (after.mtimeNs === before.mtimeNs && after.size === before.size && sizeBytes === Number(after.size)) {
        return { sizeBytes, modifiedNs: String(after.mtimeNs), digest };
      }
    }
    throw new FileUnsteady('it changes while it is read');
  } finally {
    await handle.close();
  }
}

async function digestHandle(
  handle: FileHandle,
  size: number,
  signal: AbortSignal | undefined
): Promise<{ digest: string; sizeBytes: number }> {
  if (size <= smallBytes) {
    const bytes = Buffer.allocUnsafe(size + 1);
    let filled = 0;
    for (;;) {
      const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, filled);
      filled += bytesRead;
      if (bytesRead === 0 || filled === bytes.length) break;
    }
    return { digest: `sha256:${hash('sha256', bytes.subarray(0, filled))}`, sizeBytes: filled };
  }
  const digest = createHash('sha256');
  const piece = Buffer.allocUnsafe(pieceBytes);
  let position = 0;
  for (;;) {
    const { bytesRead } = await handle.read(piece, 0, piece.length, position);
    if (bytesRead === 0) break;
    signal?.throwIfAborted();
    digest.update(piece.subarray(0, bytesRead));
    position += bytesRead;
  }
  return { digest: `sha256:${digest.digest('hex')}`, sizeBytes: position };
}
