import { renameSync, statSync } from 'node:fs';
import { destination, pino, type Logger } from 'pino';

const largestBytes = 16 * 1_048_576;

/** The log of the server, as JSON lines; an overlong one of earlier starts is set aside as `<file>.1`. */
export function openLog(file: string, level: string): Logger {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > largestBytes) renameSync(file, `${file}.1`);
  // Written at once and by this thread: pino's transports are worker threads that load files, of which a bundle has none.
  const sink = destination({ dest: file, sync: true, mode: 0o600 });
  // Where the disk is full a line is lost; the server goes on.
  sink.on('error', () => {});
  return pino({ level, base: null }, sink);
}
