import { StringDecoder } from 'node:string_decoder';
import type { LogMatch, LogPart } from '@labscale/schema';
import type { Static } from 'typebox';
import type { ObjectStore } from '../objects/object-store.js';

/** Whose log it is: the winning attempt of a task, or else its last. */
export interface LogOf {
  taskIndex: number;
  shardKey: string;
  attempt: number;
}

const logsAtOnce = 8;
/** More than this is not read for one search: it says then that it is not complete. */
const searchedBytes = 2 * 1_073_741_824;
const longestLine = 2_000;

/** The logs of attempts, as they stand in the object store while they grow. */
export class RunLogs {
  constructor(private readonly objects: ObjectStore) {}

  /** Bytes from `offset`, or the last `limit` where it is left out; cut between characters. */
  async read(
    of: { runId: string; taskIndex: number; attempt: number; ended: boolean },
    offset: number | undefined,
    limit: number
  ): Promise<Static<typeof LogPart>> {
    const key = logKey(of.runId, of.taskIndex, of.attempt);
    const sizeBytes = (await this.objects.head(key))?.sizeBytes ?? 0;
    const start = Math.min(offset ?? Math.max(0, sizeBytes - limit), sizeBytes);
    if (start >= sizeBytes) return { text: '', nextOffset: start, sizeBytes, ended: of.ended };
    const end = Math.min(start + limit, sizeBytes);
    const parts: Buffer[] = [];
    for await (const part of await this.objects.read(key, { start, end: end - 1 })) parts.push(part as Buffer);
    let bytes = Buffer.concat(parts);
    // The last bytes may be the first half of a character; at the end of an ended log they are no more than broken.
    const atEnd = of.ended && end >= sizeBytes;
    const cut = atEnd ? 0 : unfinishedBytes(bytes);
    if (cut < bytes.length) bytes = bytes.subarray(0, bytes.length - cut);
    let skip = 0;
    if (offset === undefined && start > 0) while (skip < 4 && ((bytes[skip] ?? 0) & 0xc0) === 0x80) skip += 1;
    return {
      text: bytes.subarray(skip).toString('utf8'),
      nextOffset: start + bytes.length,
      sizeBytes,
      ended: of.ended
    };
  }

  /** Lines that have a text in them, whatever their case, in the order of the tasks. */
  async search(
    runId: string,
    logs: AsyncIterable<LogOf>,
    text: string,
    limit: number
  ): Promise<{ items: Static<typeof LogMatch>[]; complete: boolean }> {
    const items: Static<typeof LogMatch>[] = [];
    let readBytes = 0;
    const searchPart = async (part: readonly LogOf[]) => {
      const found = await Promise.all(part.map((of) => this.#searchLog(runId, of, text, limit)));
      for (const { matches, bytes } of found) {
        items.push(...matches);
        readBytes += bytes;
      }
      return items.length > limit || readBytes > searchedBytes;
    };
    let part: LogOf[] = [];
    let full = false;
    for await (const of of logs) {
      part.push(of);
      if (part.length < logsAtOnce) continue;
      full = await searchPart(part);
      part = [];
      if (full) break;
    }
    if (!full) full = await searchPart(part);
    return { items: items.slice(0, limit), complete: !full };
  }

  async #searchLog(
    runId: string,
    of: LogOf,
    text: string,
    limit: number
  ): Promise<{ matches: Static<typeof LogMatch>[]; bytes: number }> {
    const key = logKey(runId, of.taskIndex, of.attempt);
    const matches: Static<typeof LogMatch>[] = [];
    let bytes = 0;
    if ((await this.objects.head(key)) === undefined) return { matches, bytes };
    const wanted = text.toLowerCase();
    const decoder = new StringDecoder('utf8');
    let rest = '';
    let lineNumber = 0;
    const consider = (line: string) => {
      lineNumber += 1;
      const at = line.toLowerCase().indexOf(wanted);
      if (at < 0) return;
      const from = line.length > longestLine ? Math.max(0, at - 200) : 0;
      matches.push({ ...of, lineNumber, line: line.slice(from, from + longestLine) });
    };
    for await (const part of await this.objects.read(key)) {
      bytes += (part as Buffer).length;
      const lines = (rest + decoder.write(part as Buffer)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) consider(line);
      // One more than can be shown tells that there are more.
      if (matches.length > limit) return { matches, bytes };
      // A line without end is looked at in pieces: what is kept of it has a bound.
      if (rest.length > 1_048_576) {
        consider(rest);
        lineNumber -= 1;
        rest = rest.slice(-text.length);
      }
    }
    if (rest !== '') consider(rest);
    return { matches, bytes };
  }
}

function logKey(runId: string, taskIndex: number, attempt: number): string {
  return `runs/${runId}/attempts/${taskIndex}/${attempt}/log`;
}

/** How many bytes at the end are the start of a character that is not whole. */
function unfinishedBytes(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if ((byte & 0xc0) === 0x80) continue;
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
