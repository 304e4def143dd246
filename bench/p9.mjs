import { request } from 'node:http';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { apiPrefix } from '@labscale/schema/operations';
import { tallyAnalysis } from './analyses.mjs';
import { openCluster } from './cluster.mjs';
import { imagePython, startClusterServer } from './cluster-run.mjs';
import { processMemory } from './machine.mjs';
import { interleave, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeNumberShards } from './shards.mjs';
import { shardBytes } from './store-requests.mjs';
import { startStoreProxy } from './store-proxy.mjs';

export const title = 'bytes of shards through the server in a run, and a download through it against the store itself';
export const unit = 's for the large object';
export const sizes = { shards: 100, mebibytes: 4_096, pairs: 3 };
export const roughSizes = { shards: 8, mebibytes: 256, pairs: 1 };
export const goals = [
  { figure: 'shardBytes', says: 'bytes of shards through the server in a run', atMost: 0, exact: true },
  { figure: 'throughput', says: "our download's rate over the store's own", atLeast: 0.8 },
  {
    figure: 'growthMebibytes',
    says: 'growth of the server while it passes the object on',
    atMost: 96,
    unit: 'MiB',
    exact: true
  }
];

async function makeLargeFile(file, mebibytes) {
  const handle = await open(file, 'w');
  const block = Buffer.alloc(2 ** 20);
  for (let i = 0; i < mebibytes; i += 1) {
    block.writeUInt32LE(i);
    await handle.write(block);
  }
  await handle.close();
}

/** Reads the body of a download to its end and gives its size in bytes. */
function drain(url, headers) {
  return new Promise((resolve, reject) => {
    request(url, { headers }, (answer) => {
      if (answer.statusCode !== 200) return reject(new Error(`${url} answered ${answer.statusCode}`));
      let bytes = 0;
      answer.on('data', (part) => (bytes += part.length));
      answer.on('error', reject);
      answer.on('end', () => resolve(bytes));
    })
      .on('error', reject)
      .end();
  });
}

export function measure({ shards, mebibytes, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd);
    const proxy = await startStoreProxy(cluster.s3.endpoint);
    atEnd(proxy.close);
    const counted = await startClusterServer(cluster, join(folder, 'counted'), atEnd, { endpoint: proxy.endpoint });
    await makeNumberShards(join(counted.project, 'numbers'), shards);
    const numbers = await registerFolder(counted.server, 'numbers', 'folder-per-shard');
    const analysis = await registerAnalysis(counted.server, await tallyAnalysis(imagePython), {});
    const from = proxy.log.length;
    const { run } = await promote(counted.server, { ...analysis, datasetVersionId: numbers.id, reuse: false });
    const passed = shardBytes(proxy.log.slice(from), run.id);
    say(`${run.taskCount} tasks: ${passed.requests} requests of the server, ${passed.bytes} bytes of shards`);
    await counted.server.stop();

    // Without the proxy, which would cost as much as the server itself.
    const { server, project, store } = await startClusterServer(cluster, join(folder, 'plain'), atEnd);
    await makeLargeFile(join(project, 'large.bin'), mebibytes);
    const large = await registerFolder(server, '.', 'file-per-shard');
    const { items } = await server.call('listShards', { params: { versionId: large.id }, query: { limit: 10 } });
    const shard = items.find(({ objects }) => objects.some(({ path }) => path.endsWith('large.bin')));
    const { path, digest } = shard.objects[0];
    const key = `datasets/${large.datasetId}/objects/${digest.slice('sha256:'.length)}`;
    const query = new URLSearchParams({ shard: shard.key, path });
    const url = `${server.address}${apiPrefix}/dataset-versions/${large.id}/object?${query}`;
    const before = processMemory(server.pid, 'VmRSS');
    const wanted = mebibytes * 2 ** 20;
    const check = (bytes) => {
      if (bytes !== wanted) throw new Error(`${bytes} of ${wanted} bytes arrived`);
    };
    const seconds = async (work) => {
      const start = performance.now();
      await work();
      return (performance.now() - start) / 1_000;
    };
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: () => seconds(async () => check(await drain(url, { authorization: `Bearer ${server.token}` }))),
      peer: () =>
        seconds(async () => {
          let bytes = 0;
          await store.get(key, (part) => (bytes += part.length));
          check(bytes);
        })
    });
    return {
      ours,
      peer,
      control,
      figures: {
        ratio,
        shardBytes: passed.bytes,
        throughput: 1 / ratio,
        growthMebibytes: (processMemory(server.pid, 'VmHWM') - before) / 2 ** 20,
        mebibytesPerSecond: mebibytes / summary(ours).median
      },
      details: { requestsOfTheServer: passed.byKind },
      versions: await cluster.versions()
    };
  });
}
