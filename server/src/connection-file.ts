import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';

/** What a client on this machine needs to reach the server; `server.json` of ARCHITECTURE.md. */
export interface Connection {
  url: string;
  token: string;
  pid: number;
  version: string;
}

/** Writes it for the owner of the folder only, as a whole: a reader never sees half of it. */
export async function writeConnection(file: string, connection: Connection): Promise<void> {
  const part = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(part, 'wx', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify(connection)}\n`);
    await handle.sync();
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

/** Removes the file where it is this process that it names; what cannot be read names nobody. */
export async function removeConnection(file: string): Promise<void> {
  if ((await pidIn(file)) === process.pid) await rm(file, { force: true });
}

async function pidIn(file: string): Promise<number | undefined> {
  try {
    return (JSON.parse(await readFile(file, 'utf8')) as Partial<Connection> | null)?.pid;
  } catch {
    return undefined;
  }
}
