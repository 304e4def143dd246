import { DatabaseSync } from 'node:sqlite';

export class FolderHeld extends Error {
  constructor(folder: string) {
    super(`Another labscale server holds ${folder}; use that one, or stop it first.`);
    this.name = 'FolderHeld';
  }
}

const sqliteBusy = 5;

/**
 * Holds the data folder for this process until the result is called. An open exclusive transaction is a lock of the
 * operating system: it goes with the process, however that ends, and leaves nothing to clean up. Raises FolderHeld.
 */
export function holdFolder(folder: string, file: string): () => void {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode === sqliteBusy) throw new FolderHeld(folder);
    throw error;
  }
  return () => lock.close();
}
