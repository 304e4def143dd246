// Starts the cluster's programs in the background and stops them again, each by its own process id.
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { inState } from './places.mjs';
import { identityOf, isRunning } from './process-identity.mjs';

const pidFile = (name) => inState('pids', `${name}.json`);
export const logFile = (name) => inState('logs', `${name}.log`);

/** The last lines of a program's log, each cut where it is very long. */
export function lastLines(name, count = 12) {
  if (!existsSync(logFile(name))) return '';
  const lines = readFileSync(logFile(name), 'utf8').trimEnd().split('\n').slice(-count);
  return lines.map((line) => (line.length > 300 ? `${line.slice(0, 300)} ...` : line)).join('\n');
}

function remembered(name) {
  return existsSync(pidFile(name)) ? JSON.parse(readFileSync(pidFile(name), 'utf8')) : undefined;
}

/** `{state: 'running', pid}`, `{state: 'died'}` where it was started and not stopped by us, or `{state: 'stopped'}`. */
export function lookAt(name) {
  const identity = remembered(name);
  if (!identity) return { state: 'stopped' };
  return isRunning(identity) ? { state: 'running', pid: identity.pid } : { state: 'died' };
}

/** Start a program that goes on after this process; its output goes to its log. Rejects where it cannot be started. */
export async function start(name, program, args, { env = process.env, cwd = '/' } = {}) {
  mkdirSync(inState('pids'), { recursive: true });
  mkdirSync(inState('logs'), { recursive: true });
  const log = openSync(logFile(name), 'w');
  const child = spawn(program, args, { cwd, env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  await new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', (error) => reject(new Error(`${name} cannot be started: ${error.message}`)));
  });
  const identity = identityOf(child.pid);
  // What ended at once is remembered too, with ticks that no process has, so that it counts as died.
  writeFileSync(pidFile(name), JSON.stringify(identity ?? { pid: child.pid, startTicks: -1, bootId: '' }));
  child.unref();
}

/** End a program: by `signal`, and by SIGKILL where it does not end within `seconds`. */
export async function stop(name, { signal = 'SIGTERM', seconds = 15 } = {}) {
  const identity = remembered(name);
  if (identity && isRunning(identity)) {
    process.kill(identity.pid, signal);
    for (let end = Date.now() + seconds * 1_000; isRunning(identity); await wait(25)) {
      if (Date.now() > end) process.kill(identity.pid, 'SIGKILL');
    }
  }
  rmSync(pidFile(name), { force: true });
}
