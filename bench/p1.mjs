import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { tallyAnalysis } from './analyses.mjs';
import { bareJob, sameJob } from './bare-job.mjs';
import { ofRun, onPretendedNodes, openCluster } from './cluster.mjs';
import { createRun, imagePython, startClusterServer, untilRun } from './cluster-run.mjs';
import { newIndexes } from './index-ranges.mjs';
import { untilIdle } from './machine.mjs';
import { interleave, median, summary } from './measure.mjs';
import { playPods } from './played-pods.mjs';
import { say } from './progress.mjs';
import { registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeTextShards } from './shards.mjs';
import { startStoreProxy } from './store-proxy.mjs';

export const title = 'promote to the end of the Job on pretended nodes, against kubectl create of the same Indexed Job';
export const unit = 's for the middle size';
export const sizes = { few: 100, tasks: 1_000, many: 10_000, pairs: 7, pods: 500 };
export const roughSizes = { few: 20, tasks: 100, many: 300, pairs: 2, pods: 100 };
export const goals = [
  { figure: 'ratio', says: 'promote to Job complete over kubectl create of that Job, middle size', atMost: 1.1 },
  { figure: 'ratioFew', says: 'the same, few tasks', atMost: 1.1 },
  { figure: 'writes', says: 'API writes of a run, the most of any', atMost: 8, exact: true },
  { figure: 'lists', says: 'list calls of a run, the most of any', atMost: 2, exact: true },
  { figure: 'podReads', says: 'reads of single pods', atMost: 0, exact: true },
  { figure: 'writesGrowth', says: 'API writes of the largest run over those of the smallest', atMost: 1, exact: true }
];

export function measure({ few, tasks, many, pairs, pods }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd, { pretended: true });
    const done = new Map();
    const proxy = await startStoreProxy(cluster.s3.endpoint, {
      answerOf: playPods(
        (runId) => done.get(runId)?.packs ?? [],
        (runId) => done.get(runId)?.taskCount ?? 0
      )
    });
    atEnd(proxy.close);
    atEnd(
      cluster.onJobs(({ object }) => {
        const run = done.get(object.metadata.labels?.['labscale.dev/run']);
        run?.packs.push(...run.fresh(object.status?.completedIndexes));
      })
    );
    const { server, project } = await startClusterServer(cluster, folder, atEnd, {
      profile: { ...onPretendedNodes, maxPods: pods },
      endpoint: proxy.endpoint
    });
    const analysis = await registerAnalysis(server, await tallyAnalysis(imagePython), {});
    const counted = new Map();

    async function sizeOf(count) {
      await makeTextShards(join(project, `shards-${count}`), count);
      const version = await registerFolder(server, `shards-${count}`, 'file-per-shard');
      say(`${count} shards registered`);
      const promotion = { ...analysis, datasetVersionId: version.id, reuse: false, shardsPerPod: 1 };
      const container = {
        image: cluster.images.plain,
        command: ['sleep', '1'],
        resources: { requests: { cpu: '1', memory: '128Mi' }, limits: { cpu: '1', memory: '128Mi' } }
      };
      const bare = { completions: count, parallelism: pods, pod: onPretendedNodes, container };
      const kubectlSeconds = [];
      const bareSeconds = [];
      let last;

      /** Seconds from before kubectl starts until the Job is complete. */
      async function create(job) {
        const { name } = job.metadata;
        const file = join(folder, `${name}.json`);
        await writeFile(file, JSON.stringify(job));
        const complete = cluster.jobComplete((other) => other === name);
        const start = performance.now();
        await cluster.kubectl('create', '-f', file);
        kubectlSeconds.push((performance.now() - start) / 1_000);
        const { at } = await complete;
        await cluster.removeJob(name);
        return (at - start) / 1_000;
      }
      const ours = async () => {
        const countOf = await cluster.countServerRequests();
        const start = performance.now();
        const run = await createRun(server, promotion);
        done.set(run.id, { packs: [], fresh: newIndexes(), taskCount: run.taskCount });
        const { object, at } = await cluster.jobComplete(ofRun(run.id));
        last = object;
        const { taskCount, counts } = await untilRun(server, run.id, ['succeeded']);
        if (counts.succeeded !== taskCount) throw new Error(`${counts.succeeded} of ${taskCount} tasks succeeded`);
        await cluster.jobGone(ofRun(run.id));
        // The last request of a run is the one for its Secret, which follows that for its Job.
        await untilIdle(server.pid);
        const requests = await countOf(run.id);
        counted.set(taskCount, [...(counted.get(taskCount) ?? []), requests]);
        say(`${taskCount} tasks: ${requests.writes} writes, ${requests.lists} lists, ${requests.watches} watches`);
        done.delete(run.id);
        return (at - start) / 1_000;
      };
      const peer = async () => {
        bareSeconds.push(await create(bareJob(`bench-p1-bare-${count}`, bare)));
        return await create(sameJob(`bench-p1-same-${count}`, last));
      };
      return { ours, peer, kubectlSeconds, bareSeconds };
    }

    const small = await sizeOf(few);
    const atFew = await interleave(pairs, small);
    const middle = await sizeOf(tasks);
    const atMiddle = await interleave(pairs, middle);
    const large = await sizeOf(many);
    const atMany = await interleave(1, large);
    const overBare = ({ ours }, { bareSeconds }) => median(ours.map((seconds, i) => seconds / bareSeconds[i]));
    const all = [...counted.values()].flat();
    const most = (name) => Math.max(...all.map((requests) => requests[name]));
    const mostWrites = (count) => Math.max(...counted.get(count).map(({ writes }) => writes));
    return {
      ours: atMiddle.ours,
      peer: atMiddle.peer,
      control: atMiddle.control,
      figures: {
        ratio: atMiddle.ratio,
        ratioFew: atFew.ratio,
        ratioMany: atMany.ratio,
        ratioBare: overBare(atMiddle, middle),
        writes: most('writes'),
        lists: most('lists'),
        podReads: most('podReads'),
        writesGrowth: mostWrites(many) / mostWrites(few)
      },
      details: {
        few: { ours: summary(atFew.ours), same: summary(atFew.peer), control: atFew.control },
        many: { ours: atMany.ours[0], same: atMany.peer[0], pairs: 1 },
        bare: {
          few: summary(small.bareSeconds),
          middle: summary(middle.bareSeconds),
          many: summary(large.bareSeconds),
          ratioFew: overBare(atFew, small),
          ratioMany: overBare(atMany, large)
        },
        podsPerSecond: { ours: tasks / median(atMiddle.ours), bare: tasks / median(middle.bareSeconds) },
        kubectlSeconds: summary(small.kubectlSeconds),
        requests: Object.fromEntries([...counted].map(([count, requests]) => [count, requests.at(-1).byRequest]))
      },
      versions: await cluster.versions()
    };
  });
}
