import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { operations, type Operation, type Problem } from '@labscale/schema';
import { bundle } from '../scripts/bundle.mjs';
import { onSmallDisk, type SmallDisk } from './small-disk.js';
import { AnsweredWithProblem, urlOf, type TestServer } from './test-server.js';

export const tokenOfTheTest = 'token-of-the-test';

/** What the environment of a server says besides; an undefined value takes a variable away. */
export type Environment = Record<string, string | undefined>;

/** The server as it is shipped, bundled once for all tests of a file. */
export async function bundleServer(): Promise<{ file: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-bundle-'));
  const { outfile } = await bundle(join(folder, 'dist'));
  return { file: outfile, remove: () => rm(folder, { recursive: true, force: true }) };
}

function spawnServer(file: string, project: string, environment: Environment, disk?: SmallDisk): ChildProcess {
  const [program, ...rest] = disk ? onSmallDisk(disk, [process.execPath, file]) : [process.execPath, file];
  return spawn(program!, rest, {
    cwd: project,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      LABSCALE_PROJECT: project,
      LABSCALE_TOKEN: tokenOfTheTest,
      LABSCALE_HELPERS: resolve('../kernels-helpers/python/src'),
      LABSCALE_PYTHON: resolve('../.venv/bin/python'),
      LABSCALE_CPUS: '2',
      LABSCALE_MEMORY_BYTES: String(2 ** 32),
      ...environment
    },
    stdio: ['ignore', 'pipe', 'pipe']
  });
}

/** A server that something keeps from starting: what it ends with, and what it said on both streams. */
export async function refusedStart(
  file: string,
  project: string,
  environment: Environment = {}
): Promise<{ code: number | null; said: string; listened: string }> {
  const child = spawnServer(file, project, environment);
  // A guard that is missing lets it start: it is stopped, and the test sees that it listened.
  child.stdout!.once('data', () => child.kill('SIGKILL'));
  const [[code], said, listened] = await Promise.all([
    once(child, 'exit') as Promise<[number | null]>,
    text(child.stderr!),
    text(child.stdout!)
  ]);
  return { code, said, listened };
}

/** One process of the real server over a project folder. */
export interface ServerProcess extends Pick<TestServer, 'call' | 'project'> {
  pid: number;
  url: string;
  dataFolder: string;
  /** Resolves when it is gone, with the signal that ended it. */
  gone: Promise<NodeJS.Signals | null>;
  exitCode: () => number | null;
  kill: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function startServerProcess(
  file: string,
  project: string,
  environment: Environment = {},
  disk?: SmallDisk
): Promise<ServerProcess> {
  const child = spawnServer(file, project, environment, disk);
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (said += part));
  const gone = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const line = await Promise.race([
    once(child.stdout!, 'data').then(([data]) => String(data)),
    gone.then((signal) => Promise.reject(new Error(`the server ended before it listened (${signal}): ${said}`)))
  ]);
  const { listening } = JSON.parse(line) as { listening: string };
  return {
    project,
    pid: child.pid!,
    url: listening,
    // As the server sees it, whose disks may be its own.
    dataFolder: join(disk ? `/proc/${child.pid}/root` : '/', project, '.labscale'),
    gone,
    exitCode: () => child.exitCode,
    call: async (id, input = {}) => {
      const { method }: Operation = operations[id];
      const response = await fetch(listening + urlOf(id, input), {
        method,
        headers: {
          authorization: `Bearer ${environment['LABSCALE_TOKEN'] ?? tokenOfTheTest}`,
          ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...input.headers
        },
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) })
      });
      const answer = await response.text();
      if (!response.ok) throw new AnsweredWithProblem(JSON.parse(answer) as Problem);
      return (answer === '' ? undefined : JSON.parse(answer)) as never;
    },
    kill: async () => {
      child.kill('SIGKILL');
      await gone;
    },
    stop: async () => {
      child.kill('SIGTERM');
      await gone;
    }
  };
}
