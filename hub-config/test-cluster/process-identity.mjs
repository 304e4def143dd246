// Tells a process from a later one that got the same number.
import { readFileSync } from 'node:fs';

/** Clock ticks since boot at which a process began (field 22 of /proc/<pid>/stat); undefined where there is none. */
export function startTicks(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the program's name in parentheses, which may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie runs no more; it only waits for its parent.
  return fields[0] === 'Z' ? undefined : Number(fields[19]);
}

const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** What is to be remembered of a running process; undefined where it has ended. */
export function identityOf(pid) {
  const ticks = startTicks(pid);
  return ticks === undefined ? undefined : { pid, startTicks: ticks, bootId: bootId() };
}

/** True where the very process that `identityOf` described still runs. */
export function isRunning(identity) {
  return identity.bootId === bootId() && startTicks(identity.pid) === identity.startTicks;
}
