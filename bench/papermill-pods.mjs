import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { smoothingAnalysis, smoothingNotebook, smoothingSource } from './analyses.mjs';
import { bareJob } from './bare-job.mjs';
import { ofRun, openCluster } from './cluster.mjs';
import { startClusterServer } from './cluster-run.mjs';
import { interleave, median, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { benchFolder } from './repository.mjs';
import { withScratch } from './scratch.mjs';
import { makePictureShards, shardName } from './shards.mjs';

export const title =
  'small notebook per shard in packed pods, against one papermill pod per notebook in a hand-made Job';
export const unit = 's';
export const sizes = { shards: 500, pods: 8, pairs: 1 };
export const roughSizes = { shards: 16, pods: 2, pairs: 1 };
export const goals = [{ figure: 'speedup', says: "papermill pods' time over ours", atLeast: 8, unit: 'times' }];

const sigma = 1.5;
const name = 'bench-papermill';
const pictureOf = (index) => `bench/papermill/in/${index}/image.npy`;
const outOf = (index) => `bench/papermill/out/${index}`;

export function measure({ shards, pods, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd);
    const { server, project, store } = await startClusterServer(cluster, folder, atEnd, {
      profile: { maxPods: pods, cpuRequestFraction: 0.1 }
    });
    await makePictureShards(join(project, 'pictures'), shards);
    const version = await registerFolder(server, 'pictures', 'folder-per-shard');
    const analysis = await registerAnalysis(server, await smoothingAnalysis(), { sigma, passes: 1 });
    const promotion = { ...analysis, datasetVersionId: version.id, reuse: false };

    // What a person would put beside the Job: notebook and script in a ConfigMap, the keys of the store in a Secret.
    const core = `/api/v1/namespaces/${cluster.namespace}`;
    const { s3 } = cluster;
    for (let index = 0; index < shards; index += 1) {
      const picture = await readFile(join(project, 'pictures', shardName(index), 'image.npy'));
      await store.put(pictureOf(index), picture);
    }
    atEnd(async () => {
      for (let index = 0; index < shards; index += 1) {
        await store.remove(pictureOf(index));
        for (const file of ['executed.ipynb', 'smooth.npy', 'snr.json']) await store.remove(`${outOf(index)}/${file}`);
      }
    });
    const data = {
      'smoothing.ipynb': JSON.stringify(smoothingNotebook()),
      'smoothing.py': await readFile(smoothingSource, 'utf8'),
      'papermill_pod.py': await readFile(join(benchFolder, 'peers', 'papermill_pod.py'), 'utf8')
    };
    const metadata = { name };
    await cluster.client.create(`${core}/configmaps`, { apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
    atEnd(() => cluster.client.remove(`${core}/configmaps/${name}`));
    const credentials = JSON.stringify({ accessKey: s3.accessKey, secretKey: s3.secretKey });
    await cluster.client.create(`${core}/secrets`, {
      ...{ apiVersion: 'v1', kind: 'Secret', metadata, stringData: { credentials } }
    });
    atEnd(() => cluster.client.remove(`${core}/secrets/${name}`));
    const environment = {
      LABSCALE_S3_ENDPOINT: s3.podEndpoint,
      LABSCALE_S3_BUCKET: s3.bucket,
      LABSCALE_S3_REGION: s3.region,
      LABSCALE_S3_CREDENTIALS_FILE: '/credentials/credentials',
      SIGMA: String(sigma),
      HOME: '/tmp'
    };
    const job = bareJob(name, {
      completions: shards,
      parallelism: pods,
      pod: {
        volumes: [
          { name: 'work', configMap: { name } },
          { name: 'credentials', secret: { secretName: name, defaultMode: 0o440 } },
          { name: 'tmp', emptyDir: {} }
        ]
      },
      container: {
        image: cluster.images.scientific,
        command: ['python3', '/work/papermill_pod.py'],
        env: Object.entries(environment).map(([name, value]) => ({ name, value })),
        resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { cpu: '1', memory: '1Gi' } },
        volumeMounts: [
          { name: 'work', mountPath: '/work' },
          { name: 'credentials', mountPath: '/credentials' },
          { name: 'tmp', mountPath: '/tmp' }
        ]
      }
    });

    let lastRun;
    const unset = [];
    const run = async (choice) => {
      const { seconds, run } = await promote(server, { ...promotion, ...choice });
      lastRun = run;
      const { spec } = await cluster.jobGone(ofRun(run.id));
      say(`${spec.completions} pods, ${seconds.toFixed(1)} s`);
      return seconds;
    };
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        unset.push(await run({}));
        return await run({ shardsPerPod: Math.ceil(shards / pods) });
      },
      peer: async () => {
        const complete = cluster.jobComplete((other) => other === name);
        const start = performance.now();
        await cluster.client.createJob(job);
        const { at } = await complete;
        await cluster.removeJob(name);
        return (at - start) / 1_000;
      }
    });
    await checkSame(server, store, lastRun, shards);
    return {
      ours,
      peer,
      control,
      figures: { ratio, speedup: 1 / ratio, speedupUnset: median(peer.map((seconds, i) => seconds / unset[i])) },
      details: {
        millisecondsPerShard: { ours: (1_000 * ours[0]) / shards, peer: (1_000 * peer[0]) / shards },
        oursUnset: summary(unset)
      },
      versions: await cluster.versions()
    };
  });
}

/** Both made the same pictures, byte for byte. */
async function checkSame(server, store, run, shards) {
  const query = { limit: 1_000 };
  const { items } = await server.call('listDerivatives', { params: { runId: run.id }, query });
  if (items.length !== shards) throw new Error(`the run published ${items.length} of ${shards} shards`);
  const digests = new Map(items.map(({ shardKey, objects }) => [shardKey, objects.find(isPicture)?.digest]));
  for (let index = 0; index < shards; index += 1) {
    const theirs = createHash('sha256')
      .update(await store.get(`${outOf(index)}/smooth.npy`))
      .digest('hex');
    if (digests.get(shardName(index)) !== `sha256:${theirs}`) {
      throw new Error(`smooth.npy of ${shardName(index)} is not what the peer made of it`);
    }
  }
}

const isPicture = ({ path }) => path === 'smooth.npy';
