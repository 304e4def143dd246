import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import type { Profile } from '../src/runner/kubernetes/profile.js';
import { FaultGate } from './fault-gate.js';
import { playFaultScript, type Side } from './fault-run.js';
import { cpusOfMachine, makeFaultScript, type FaultScript } from './fault-script.js';
import { makeDataset, objectsOf, type Calls } from './run-fixtures.js';
import { bundleServer, startServerProcess, type ServerProcess } from './server-process.js';
import {
  clearCluster,
  clusterEnvironment,
  describeWithCluster,
  storeSettings,
  type TestCluster
} from './test-cluster.js';
import { startTestServer } from './test-server.js';

/** fault-parity.mjs asks for more. */
const scripts = Number(process.env['LABSCALE_FAULT_SCRIPTS'] ?? 12);
const firstSeed = Number(process.env['LABSCALE_FAULT_SEED'] ?? 1);
/** Scripts that are played at once, each on two servers of its own. */
const lanes = Math.min(5, scripts);
const patienceMs = 120_000 + scripts * 60_000;
/** Scripts differ in size and not in how much of this machine the scheduler takes them to need. */
const profile: Partial<Profile> = { cpuRequestFraction: 0.02 };

describeWithCluster('a fault script', (cluster) => {
  const gate = new FaultGate(new URL(cluster.s3.podEndpoint).hostname);
  let bundled: Awaited<ReturnType<typeof bundleServer>>;
  beforeAll(async () => {
    await gate.open();
    bundled = await bundleServer();
  });
  afterAll(async () => {
    await gate.close();
    await bundled.remove();
  });

  test(
    `ends the same on this machine and on the cluster, for ${scripts} of them from seed ${firstSeed}`,
    async () => {
      const found: string[] = [];
      let next = firstSeed;
      const playLane = async () => {
        const pair = [await standingSide('local', cluster), await standingSide('kubernetes', cluster)] as const;
        try {
          while (next < firstSeed + scripts) {
            const script = makeFaultScript(next++);
            const difference = await playOnBoth(script, pair, cluster, gate, bundled.file);
            if (difference !== undefined) found.push(difference);
            if (scripts > 12) process.stderr.write(`${difference ?? `seed ${script.seed}: the same`}\n`);
          }
        } finally {
          for (const { close } of pair) await close();
        }
      };
      await Promise.all(Array.from({ length: lanes }, playLane));
      if (found.length > 0) throw new Error(`${found.length} of ${scripts} scripts differ\n\n${found.join('\n\n')}`);
    },
    patienceMs
  );
});

type Standing = Side & { close: () => Promise<void> };

/** What differs, in words; undefined where nothing does. */
async function playOnBoth(
  script: FaultScript,
  standing: readonly [Standing, Standing],
  cluster: TestCluster,
  gate: FaultGate,
  bundle: string
): Promise<string | undefined> {
  const endsServer = script.event?.kind.startsWith('server-') === true;
  const [local, kubernetes] = await Promise.allSettled(
    standing.map(async (side) => {
      if (!endsServer) return await playFaultScript(script, side, gate);
      const own = await ownSide(side.runner, cluster, bundle);
      return await playFaultScript(script, own, gate).finally(own.close);
    })
  );
  const lines = [local, kubernetes].flatMap((end, place) =>
    end!.status === 'rejected' ? [`${standing[place]!.runner}: ${String((end!.reason as Error).stack)}`] : []
  );
  if (local!.status === 'fulfilled' && kubernetes!.status === 'fulfilled') {
    lines.push(...differences('', local!.value, kubernetes!.value));
  }
  if (lines.length === 0) return undefined;
  return [`seed ${script.seed}: ${JSON.stringify(script)}`, ...lines].join('\n  ');
}

/** Where two values differ, down to the smallest part: on this machine, then on the cluster. */
function differences(path: string, a: unknown, b: unknown): string[] {
  if (isDeepStrictEqual(a, b)) return [];
  const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
  if (!isObject(a) || !isObject(b) || Array.isArray(a) !== Array.isArray(b)) {
    return [`${path}: ${JSON.stringify(a)} | ${JSON.stringify(b)}`];
  }
  const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
  return names.flatMap((name) => differences(`${path}/${name}`, a[name], b[name]));
}

async function environmentOf(runner: Side['runner'], cluster: TestCluster, folder: string) {
  return {
    ...{ LABSCALE_CPUS: String(cpusOfMachine), LABSCALE_MEMORY_BYTES: String(2 ** 34) },
    ...(runner === 'kubernetes'
      ? await clusterEnvironment(cluster, folder, profile)
      : { LABSCALE_RUNNER: 'local', LABSCALE_OBJECTS: 'local' })
  };
}

/** A server of this process, for all scripts of a lane that let it stand. */
async function standingSide(runner: Side['runner'], cluster: TestCluster): Promise<Standing> {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-parity-'));
  const server = await startTestServer({
    PATH: process.env['PATH'] ?? '',
    ...(await environmentOf(runner, cluster, folder))
  });
  return {
    ...{ runner, calls: server, dataFolder: server.config.dataFolder, objects: objectsOf(server) },
    datasetOf: datasetsOf(() => server),
    close: async () => {
      await server.close();
      await rm(folder, { recursive: true });
    }
  };
}

/** A server in a process of its own, which can be killed. */
async function ownSide(runner: Side['runner'], cluster: TestCluster, bundle: string): Promise<Standing> {
  const project = await mkdtemp(join(tmpdir(), 'labscale-parity-'));
  const environment = await environmentOf(runner, cluster, project);
  let server: ServerProcess = await startServerProcess(bundle, project, environment);
  const calls: Calls = { project, call: (...asked) => server.call(...asked) };
  return {
    ...{ runner, calls, dataFolder: server.dataFolder },
    objects:
      runner === 'kubernetes'
        ? new S3ObjectStore(storeSettings(cluster))
        : new LocalObjectStore(join(server.dataFolder, 'objects')),
    datasetOf: datasetsOf(() => calls),
    replaceServer: async (how, meanwhile) => {
      await (how === 'server-killed' ? server.kill() : server.stop());
      meanwhile();
      server = await startServerProcess(bundle, project, environment);
    },
    close: async () => {
      const runs = (await server.call('listRuns', { query: { limit: 100 } })).items.map(({ id }) => id);
      const datasets = (await server.call('listDatasets', { query: { limit: 100 } })).items.map(({ id }) => id);
      await server.stop();
      if (runner === 'kubernetes') await clearCluster(cluster, runs, datasets);
      await rm(project, { recursive: true, force: true, maxRetries: 10 });
    }
  };
}

function datasetsOf(calls: () => Calls): Side['datasetOf'] {
  const made = new Map<number, Promise<string>>();
  return async (shards) => {
    const version =
      made.get(shards) ?? makeDataset(calls(), shards, `numbers-${shards}`).then((dataset) => dataset.latestVersion.id);
    made.set(shards, version);
    return await version;
  };
}
