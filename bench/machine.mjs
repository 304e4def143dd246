import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os';
import { runForJson } from './programs.mjs';

export function load() {
  return Number(loadavg()[0].toFixed(2));
}

export function machine() {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  return `${availableParallelism()} × ${model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`;
}

/** Versions of Python packages as an interpreter sees them. */
export function packageVersions(python, names) {
  const program =
    'import json, platform, sys\nfrom importlib.metadata import version\n' +
    'print(json.dumps({"python": platform.python_version(), **{name: version(name) for name in sys.argv[1:]}}))';
  return runForJson(python, ['-c', program, ...names]);
}

/** Bytes that a process has in memory now (`VmRSS`) or had at most (`VmHWM`), as the kernel counts them. */
export function processMemory(pid, field) {
  const line = readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line[1]) * 1_024;
}

/** Seconds of processor time that a process has used so far, its threads included. */
export function processCpuSeconds(pid) {
  // The name of the program, in parentheses, may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** Resolves when a process has done next to nothing for two seconds: what a run leaves behind is cleared away after its end. */
export async function untilIdle(pid) {
  for (let before = processCpuSeconds(pid); ;) {
    await sleep(2_000);
    const now = processCpuSeconds(pid);
    if (now - before < 0.06) return;
    before = now;
  }
}
