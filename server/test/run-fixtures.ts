import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Dataset, ParameterValues, Promotion, Run, Task } from '@labscale/schema';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import type { ObjectStore } from '../src/objects/object-store.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { digestOf } from '../src/datasets/stored-shard.js';
import { isOnCluster } from './test-cluster.js';
import type { TestServer } from './test-server.js';

/** A server that these can be asked of: in this process, or one of its own. */
export type Calls = Pick<TestServer, 'call' | 'project'>;

/** What a server keeps its objects in. */
export function objectsOf({ config }: Pick<TestServer, 'config'>): ObjectStore {
  return config.s3 ? new S3ObjectStore(config.s3) : new LocalObjectStore(join(config.dataFolder, 'objects'));
}

/** A folder of small files, one a shard, registered and digested; `upload` as the server has it, where it is left out. */
export async function makeDataset(server: Calls, count: number, name = 'numbers', upload?: boolean): Promise<Dataset> {
  const folder = join(server.project, name);
  await mkdir(folder, { recursive: true });
  for (let index = 0; index < count; index++) await writeFile(join(folder, shardName(index)), `${index}\n`);
  const { id } = await server.call('createDataset', {
    body: {
      name,
      source: { kind: 'folder', path: name, layout: 'file-per-shard', ...(upload === undefined ? {} : { upload }) }
    }
  });
  return await until(
    () => server.call('getDataset', { params: { datasetId: id } }),
    (dataset) => dataset.latestVersion.indexing.state === 'ready'
  );
}

export function shardName(index: number): string {
  return `n${String(index).padStart(5, '0')}.txt`;
}

export function cell(source: string, ...tags: string[]) {
  return {
    cell_type: 'code',
    id: `c${digestOf(source).slice(7, 15)}`,
    metadata: { tags },
    source,
    outputs: [],
    execution_count: null
  };
}

/** A notebook that doubles the number in its shard and adds an offset; `body` stands before its output is written. */
export function doublingNotebook(body = '') {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    cells: [
      cell('offset = 1', 'parameters'),
      cell(
        [
          'import os, json, pathlib',
          "files = list(pathlib.Path(os.environ['LABSCALE_INPUT']).iterdir())",
          'number = int(files[0].read_text())',
          body,
          "pathlib.Path(os.environ['LABSCALE_OUTPUT'], 'result.txt').write_text(str(number * 2 + offset))",
          "with open(os.environ['LABSCALE_REPORT'], 'a') as report: report.write(json.dumps({'metric': {'result': number * 2 + offset}}) + '\\n')"
        ].join('\n')
      )
    ]
  };
}

export interface Recipe {
  analysisVersionId: string;
  parameterSetVersionId: string;
  parameterSetId: string;
}

const usualResources = { cpus: 1, memoryBytes: 2 ** 29, timeLimitSeconds: 120, retries: 0, backoffSeconds: 0 };

export async function makeNotebookAnalysis(
  server: Calls,
  options: {
    body?: string;
    path?: string;
    resources?: Partial<typeof usualResources>;
    outputs?: object[];
    warm?: boolean;
  } = {}
): Promise<string> {
  const analysis = await server.call('createAnalysis', {
    body: {
      kind: 'notebook',
      path: options.path ?? 'double.ipynb',
      notebook: doublingNotebook(options.body),
      contract: {
        resources: { ...usualResources, ...options.resources },
        outputs: options.outputs ?? [{ path: 'result.txt', required: true }],
        ...(options.warm === undefined ? {} : { warm: options.warm })
      }
    }
  });
  return analysis.latestVersion.id;
}

/** A command that copies its shard's only file to `copy.txt`, or what `script` does with `in` and `out` as folders. */
export async function makeCommandAnalysis(
  server: Calls,
  script = 'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy.txt"',
  options: { name?: string; resources?: Partial<typeof usualResources>; outputs?: object[] } = {}
): Promise<string> {
  const analysis = await server.call('createAnalysis', {
    body: {
      kind: 'command',
      name: options.name ?? 'copy',
      command: ['sh', '-c', script],
      contract: { resources: { ...usualResources, ...options.resources }, outputs: options.outputs ?? [] }
    }
  });
  return analysis.latestVersion.id;
}

/** Saves values as a set of an analysis version. */
export async function makeSet(
  server: Calls,
  analysisVersionId: string,
  values: ParameterValues = {},
  name = 'usual'
): Promise<string> {
  const set = await server.call('createParameterSet', { body: { name, analysisVersionId, values } });
  return set.latestVersion.id;
}

export async function promote(server: Calls, promotion: Promotion, key?: string, name?: string): Promise<Run> {
  return await server.call('createRun', {
    body: { ...(name === undefined ? {} : { name }), promotion },
    ...(key === undefined ? {} : { headers: { 'idempotency-key': key } })
  });
}

/** The run when it is in one of the states; fails where it ends in another. */
export async function runIn(server: Calls, runId: string, ...states: Run['state'][]): Promise<Run> {
  const ended = ['succeeded', 'failed', 'stopped'];
  const run = await until(
    () => server.call('getRun', { params: { runId } }),
    (now) => states.includes(now.state) || ended.includes(now.state)
  );
  if (!states.includes(run.state)) throw new Error(`the run is ${run.state}: ${run.headline}`);
  return run;
}

export async function tasksOf(server: Calls, runId: string): Promise<Task[]> {
  return (await server.call('listTasks', { params: { runId }, query: { limit: 1_000 } })).items;
}

export async function until<T>(
  read: () => Promise<T>,
  holds: (value: T) => boolean,
  patienceMs = isOnCluster ? 150_000 : 25_000
): Promise<T> {
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`it did not come to pass: ${JSON.stringify(value).slice(0, 1_000)}`);
    await sleep(30);
  }
}

/** Processes of this user that carry the marks of a run, and workers that run below a data folder. */
export async function leftovers(dataFolder: string, runId: string): Promise<string[]> {
  const found: string[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const environment = await readFile(`/proc/${pid}/environ`, 'latin1').catch(() => '');
    const command = await readFile(`/proc/${pid}/cmdline`, 'latin1').catch(() => '');
    if (environment.includes(`LABSCALE_RUN=${runId}\0`) || command.includes(dataFolder)) {
      found.push(`${pid} ${command.replaceAll('\0', ' ')}`);
    }
  }
  return found;
}
