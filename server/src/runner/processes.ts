import { readFile, readdir } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AttemptName } from './runner.js';

/**
 * When a process started, in clock ticks after boot: with the pid it names a process for good. Undefined where there is
 * none, or only its zombie; on systems without /proc always, where a worker is then never taken for a living one.
 */
export function startTicksOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name of the program stands in parentheses and may hold any character, so fields are counted from its end.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch {
    return undefined;
  }
}

export interface MarkedProcess extends AttemptName {
  pid: number;
}

/** Processes that carry the marks of a run's attempts in their environment. */
export async function findMarked(runId: string): Promise<MarkedProcess[]> {
  const found: MarkedProcess[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    // Empty where the process has gone in between, or is somebody else's.
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    if (!environment.includes(`LABSCALE_RUN=${runId}\0`)) continue;
    const entries = environment.split('\0');
    const mark = (key: string) => entries.find((entry) => entry.startsWith(`${key}=`))?.slice(key.length + 1);
    const [index, attempt] = [Number(mark('LABSCALE_TASK')), Number(mark('LABSCALE_ATTEMPT'))];
    if (mark('LABSCALE_RUN') === runId && startTicksOf(pid) !== undefined) found.push({ pid, index, attempt });
  }
  return found;
}

/** Kills the marked processes until none is left, those included that they start meanwhile; false after `patienceMs`. */
export async function endMarked(
  runId: string,
  isMeant: (attempt: AttemptName) => boolean = () => true,
  patienceMs = 5_000
): Promise<boolean> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const pids = (await findMarked(runId)).filter(isMeant).map(({ pid }) => pid);
    if (pids.length === 0) return true;
    // All are halted before the first is killed: a program that forks faster than we kill would stay ahead.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of pids) send(pid, signal);
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
}

/** Sends a signal to a process, or with a negative number to a process group; no error where it has gone. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
