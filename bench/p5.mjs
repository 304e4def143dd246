import { pauseAnalysis } from './analyses.mjs';
import { bareJob } from './bare-job.mjs';
import { ofRun, openCluster } from './cluster.mjs';
import { imagePython, startClusterServer } from './cluster-run.mjs';
import { interleave, median, summary } from './measure.mjs';
import { overheadsOf } from './pod-overheads.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeTextShards } from './shards.mjs';

export const title = 'shards of a one-second program in real pods, against the bare Indexed Job of that program';
export const unit = 's, a pod per shard';
export const sizes = { shards: 100, pods: 8, pairs: 7 };
export const roughSizes = { shards: 8, pods: 2, pairs: 1 };
export const goals = [
  { figure: 'ratio', says: 'our time over the bare Job, a pod per shard in both', atMost: 1.05 },
  { figure: 'ratioPacked', says: 'the same where shards share pods as we choose', atMost: 1.05 },
  { figure: 'overheadMilliseconds', says: 'what a shard costs beside its program', atMost: 150, unit: 'ms' }
];

const bodySeconds = 1;

export function measure({ shards, pods, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd);
    const { server, project, store } = await startClusterServer(cluster, folder, atEnd, {
      profile: { maxPods: pods, cpuRequestFraction: 0.1 }
    });
    await makeTextShards(`${project}/shards`, shards);
    const version = await registerFolder(server, 'shards', 'file-per-shard');
    const analysis = await registerAnalysis(server, await pauseAnalysis(imagePython), {});
    const promotion = { ...analysis, datasetVersionId: version.id, reuse: false };
    const program = "import time; time.sleep(1); open('/tmp/done.txt', 'w').write('done')";
    const bare = bareJob('bench-p5', {
      completions: shards,
      parallelism: pods,
      pod: { volumes: [{ name: 'tmp', emptyDir: {} }] },
      container: {
        image: cluster.images.scientific,
        command: [imagePython, '-I', '-c', program],
        resources: { requests: { cpu: '100m', memory: '128Mi' }, limits: { cpu: '1', memory: '384Mi' } },
        volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }]
      }
    });

    const packed = [];
    const overheads = { packed: [], single: [] };
    let packs = 0;
    async function run(choice) {
      const { seconds, run } = await promote(server, { ...promotion, ...choice });
      const { spec } = await cluster.jobGone(ofRun(run.id));
      return { seconds, runId: run.id, packs: spec.completions };
    }
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        const together = await run({});
        packed.push(together.seconds);
        packs = together.packs;
        overheads.packed.push(...(await overheadsOf(store, together, bodySeconds)));
        const apart = await run({ shardsPerPod: 1 });
        overheads.single.push(...(await overheadsOf(store, apart, bodySeconds)));
        return apart.seconds;
      },
      peer: async () => {
        const complete = cluster.jobComplete((name) => name === 'bench-p5');
        const start = performance.now();
        await cluster.client.createJob(bare);
        const { at } = await complete;
        await cluster.removeJob('bench-p5');
        return (at - start) / 1_000;
      }
    });
    return {
      ours,
      peer,
      control,
      figures: {
        ratio,
        ratioPacked: median(packed.map((value, i) => value / peer[i])),
        overheadMilliseconds: 1_000 * median(overheads.packed)
      },
      details: {
        packed: { seconds: summary(packed), pods: packs },
        overheadSeconds: { packed: summary(overheads.packed), single: summary(overheads.single) },
        floorSeconds: (shards * bodySeconds) / pods
      },
      versions: await cluster.versions()
    };
  });
}
