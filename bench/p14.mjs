import { join } from 'node:path';
import { tallyAnalysis } from './analyses.mjs';
import { ofRun, openCluster } from './cluster.mjs';
import { createRun, imagePython, startClusterServer, untilRun } from './cluster-run.mjs';
import { processMemory, untilIdle } from './machine.mjs';
import { interleave, median } from './measure.mjs';
import { registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeTextShards } from './shards.mjs';

export const title = 'growth: a run of four times the shards, the memory and the events of each shard';
export const unit = 's for the larger run';
export const sizes = { few: 1_000, pods: 4, pairs: 3 };
export const roughSizes = { few: 30, pods: 2, pairs: 1 };
export const goals = [
  { figure: 'ratio', says: 'time of four times the shards', atMost: 4.4 },
  {
    figure: 'kibibytesPerShard',
    says: "the server's memory for each finished shard",
    atMost: 2,
    unit: 'KiB',
    exact: true
  },
  { figure: 'eventBytesPerShard', says: 'event stream for each shard', atMost: 200, unit: 'B', exact: true }
];

export function measure({ few, pods, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const many = 4 * few;
    // The same for both, and many pods in either: else a last round of pods that is not full would show as growth.
    const shardsPerPod = Math.ceil(few / (5 * pods));
    const cluster = await openCluster(atEnd);
    const { server, project } = await startClusterServer(cluster, folder, atEnd, {
      profile: { maxPods: pods, cpuRequestFraction: 0.1 }
    });
    const analysis = await registerAnalysis(server, await tallyAnalysis(imagePython), {});
    const eventBytes = [];
    let finished = 0;

    async function runOf(count) {
      const folderName = `shards-${count}`;
      await makeTextShards(join(project, folderName), count);
      const version = await registerFolder(server, folderName, 'file-per-shard');
      return async () => {
        const start = performance.now();
        const run = await createRun(server, { ...analysis, datasetVersionId: version.id, reuse: false, shardsPerPod });
        const events = await server.events(run.id);
        // Asked seldom: the events tell a page all of it, and are what is measured.
        const { counts, taskCount } = await untilRun(server, run.id, ['succeeded'], { everyMs: 200 });
        const seconds = (performance.now() - start) / 1_000;
        if (counts.succeeded !== taskCount) throw new Error(`${counts.succeeded} of ${taskCount} tasks succeeded`);
        await cluster.jobGone(ofRun(run.id));
        await untilIdle(server.pid);
        eventBytes.push(events.bytes() / count);
        events.close();
        finished += count;
        return seconds;
      };
    }
    const ours = await runOf(many);
    const peer = await runOf(few);
    // What the first run loads and warms is not growth.
    await peer();
    const before = processMemory(server.pid, 'VmRSS');
    finished = 0;
    const measured = await interleave(pairs, { ours, peer });
    const growth = processMemory(server.pid, 'VmRSS') - before;
    return {
      ours: measured.ours,
      peer: measured.peer,
      control: measured.control,
      figures: {
        ratio: measured.ratio,
        kibibytesPerShard: growth / 2 ** 10 / finished,
        eventBytesPerShard: Math.max(...eventBytes)
      },
      details: { shards: { ours: many, peer: few }, eventBytesPerShardMedian: median(eventBytes), finished },
      versions: await cluster.versions()
    };
  });
}
