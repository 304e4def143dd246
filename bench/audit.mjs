import { open, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

/** How the apiserver names the labscale server of the test cluster. */
export const serverAccount = 'system:serviceaccount:labscale:labscale-server';

const writing = new Set(['create', 'update', 'patch', 'delete', 'deletecollection']);

/**
 * Counts what one account asked of an apiserver, from lines of its audit log at or after a time (milliseconds since
 * 1970): `{writes, lists, podReads, watches, byRequest}`. What names another run than `runId` is left out; what names none
 * counts. A watch is counted where it begins; every other request at its end.
 */
export function countRequests(lines, account, since, runId) {
  const counted = { writes: 0, lists: 0, podReads: 0, watches: 0, byRequest: {} };
  for (const line of lines) {
    // Almost all lines are of others: they are not worth parsing.
    if (!line.includes(account)) continue;
    const { user, verb, stage, objectRef, requestURI, requestReceivedTimestamp } = JSON.parse(line);
    if (user?.username !== account || Date.parse(requestReceivedTimestamp) < since) continue;
    if (stage !== (verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete')) continue;
    const [named] = /run-[a-z0-9]{20}/.exec(`${objectRef?.name} ${requestURI}`) ?? [];
    if (named !== undefined && named !== runId) continue;
    const what = `${verb} ${[objectRef?.resource, objectRef?.subresource].filter(Boolean).join('/')}`;
    counted.byRequest[what] = (counted.byRequest[what] ?? 0) + 1;
    if (writing.has(verb)) counted.writes += 1;
    if (verb === 'list') counted.lists += 1;
    if (verb === 'watch') counted.watches += 1;
    if (verb === 'get' && objectRef?.resource === 'pods') counted.podReads += 1;
  }
  return counted;
}

/**
 * Reads an audit log from where it ends now: `lines()` gives all that was written since, also where the apiserver has
 * begun a new file meanwhile.
 */
export async function followAudit(file) {
  const { size, ino } = await stat(file);
  return {
    async lines() {
      const begun = await stat(file);
      if (begun.ino === ino) return linesFrom(file, size);
      // The one that was written when this began has the time of its end in its name now.
      const [name, extension] = basename(file).split('.');
      const older = (await readdir(dirname(file))).filter((other) => other.startsWith(`${name}-`)).sort();
      const lines = [];
      let found = false;
      for (const other of older) {
        const path = join(dirname(file), other);
        const isFirst = (await stat(path)).ino === ino;
        found ||= isFirst;
        if (found && other.endsWith(`.${extension}`)) lines.push(...(await linesFrom(path, isFirst ? size : 0)));
      }
      if (!found) throw new Error(`${file} was begun anew more often than its old parts are kept`);
      return [...lines, ...(await linesFrom(file, 0))];
    }
  };
}

async function linesFrom(file, start) {
  const handle = await open(file);
  try {
    const lines = [];
    for await (const line of handle.readLines({ start })) if (line !== '') lines.push(line);
    return lines;
  } finally {
    await handle.close();
  }
}
