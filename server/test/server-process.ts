import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { operations, type Operation, type Problem } from '@labscale/schema';
import { bundle } from '../scripts/bundle.mjs';
import { AnsweredWithProblem, urlOf, type TestServer } from './test-server.js';

/** The server as it is shipped, bundled once for all tests of a file. */
export async function bundleServer(): Promise<{ file: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-bundle-'));
  const { outfile } = await bundle(join(folder, 'labscale-server.mjs'));
  return { file: outfile, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** One process of the real server over a project folder. */
export interface ServerProcess extends Pick<TestServer, 'call' | 'project'> {
  pid: number;
  dataFolder: string;
  /** Resolves when it is gone, with the signal that ended it. */
  gone: Promise<NodeJS.Signals | null>;
  kill: () => Promise<void>;
  stop: () => Promise<void>;
}

export async function startServerProcess(
  file: string,
  project: string,
  environment: Record<string, string> = {}
): Promise<ServerProcess> {
  const token = 'token-of-the-test';
  const child: ChildProcess = spawn(process.execPath, [file], {
    cwd: project,
    env: {
      PATH: process.env['PATH'] ?? '',
      HOME: process.env['HOME'] ?? '',
      LABSCALE_PROJECT: project,
      LABSCALE_TOKEN: token,
      LABSCALE_HELPERS: resolve('../kernels-helpers/python/src'),
      LABSCALE_PYTHON: resolve('../.venv/bin/python'),
      LABSCALE_CPUS: '2',
      LABSCALE_MEMORY_BYTES: String(2 ** 32),
      ...environment
    },
    stdio: ['ignore', 'pipe', 'pipe']
  });
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (said += text));
  const gone = once(child, 'exit').then(([, signal]) => signal as NodeJS.Signals | null);
  const line = await Promise.race([
    once(child.stdout!, 'data').then(([data]) => String(data)),
    gone.then((signal) => Promise.reject(new Error(`the server ended before it listened (${signal}): ${said}`)))
  ]);
  const { listening } = JSON.parse(line) as { listening: string };
  return {
    project,
    pid: child.pid!,
    dataFolder: join(project, '.labscale'),
    gone,
    call: async (id, input = {}) => {
      const { method }: Operation = operations[id];
      const response = await fetch(listening + urlOf(id, input), {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...input.headers
        },
        ...(input.body === undefined ? {} : { body: JSON.stringify(input.body) })
      });
      const text = await response.text();
      if (!response.ok) throw new AnsweredWithProblem(JSON.parse(text) as Problem);
      return (text === '' ? undefined : JSON.parse(text)) as never;
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
