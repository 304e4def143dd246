import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { apiPrefix, operations } from '@labscale/schema/operations';
import { openEvents } from './event-stream.mjs';
import { jsonClient } from './http-client.mjs';
import { end } from './programs.mjs';
import { helpersFolder, node, python, serverBundle } from './repository.mjs';

/** Like the panels of the peers: two shards at a time. */
export const slots = 2;

/**
 * Starts the bundled server on a project folder, as the Jupyter server would, and gives a client of it.
 * `nodeArguments` are for profiling (`--cpu-prof`), `environment` names another runner and store, and `isPublished` looks
 * there for the manifest of a run. Raises an error where the bundle is not built or does not start.
 */
export async function startServer(
  projectFolder,
  { nodeArguments = profilingArguments(), environment = {}, isPublished } = {}
) {
  if (!existsSync(serverBundle)) throw new Error('the server is not built: run `npm run build` first');
  const child = spawn(node, ['--max-semi-space-size=4', ...nodeArguments, serverBundle], {
    env: {
      PATH: process.env.PATH,
      HOME: process.env.HOME,
      LABSCALE_PROJECT: projectFolder,
      LABSCALE_PYTHON: python,
      LABSCALE_HELPERS: helpersFolder,
      LABSCALE_CPUS: String(slots),
      LABSCALE_LOG_LEVEL: process.env.LABSCALE_LOG_LEVEL ?? 'info',
      ...environment
    },
    stdio: ['ignore', 'pipe', 'pipe']
  });
  let problems = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (problems = (problems + text).slice(-4_000)));
  const firstLine = await new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('error', reject);
    child.once('close', (code) => reject(new Error(`the server ended with ${code} before it listened: ${problems}`)));
  });
  const { listening } = JSON.parse(firstLine);
  const dataFolder = join(projectFolder, '.labscale');
  const { token } = JSON.parse(await readFile(join(dataFolder, 'server.json'), 'utf8'));
  const client = jsonClient(listening, { authorization: `Bearer ${token}` });
  return {
    pid: child.pid,
    dataFolder,
    isPublished: isPublished ?? ((runId) => existsSync(join(dataFolder, 'objects', manifestOf(runId)))),
    /** Hears the events of a run: see event-stream.mjs. */
    events: (runId, hear) => openEvents(`${listening}${apiPrefix}/events?runId=${runId}`, token, hear),
    /** For what is measured byte by byte. */
    address: listening,
    token,
    /** Calls an operation of the contract. */
    call(operationId, { params = {}, query = {}, body, key } = {}) {
      const { method, path } = operations[operationId];
      const filled = path.replace(/:(\w+)/g, (_, name) => encodeURIComponent(params[name]));
      const search = new URLSearchParams(
        Object.entries(query).map(([name, value]) => [name, String(value)])
      ).toString();
      const headers = key === undefined ? {} : { 'idempotency-key': key };
      return client.send(method, `${apiPrefix}${filled}${search && `?${search}`}`, body, headers);
    },
    async stop() {
      client.close();
      await end(child);
    }
  };
}

/** Where a published run has its manifest in the object store. */
export const manifestOf = (runId) => `runs/${runId}/derivatives.json`;

/** `LABSCALE_BENCH_PROFILE=FOLDER` writes a CPU profile of each server there when it stops. */
function profilingArguments() {
  const folder = process.env.LABSCALE_BENCH_PROFILE;
  return folder ? ['--cpu-prof', `--cpu-prof-dir=${folder}`] : [];
}
