import { tallyAnalysis } from './analyses.mjs';
import { ofRun, onPretendedNodes, openCluster } from './cluster.mjs';
import { createRun, imagePython, startClusterServer, untilRun } from './cluster-run.mjs';
import { newIndexes, parseRanges } from './index-ranges.mjs';
import { processCpuSeconds, untilIdle } from './machine.mjs';
import { median, quantile, summary } from './measure.mjs';
import { playPods } from './played-pods.mjs';
import { say } from './progress.mjs';
import { registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeTextShards } from './shards.mjs';
import { startStoreProxy } from './store-proxy.mjs';

export const title =
  'freshness: pod done in the apiserver until our event stream tells it, against a bare watch of the Job';
export const unit = 's from the end of a pod until it is told, 99th percentile';
export const sizes = { tasks: 1_000, runs: 7, pods: 500 };
export const roughSizes = { tasks: 100, runs: 1, pods: 100 };
export const goals = [
  { figure: 'excess', says: "our 99th percentile less 1.2 times the bare watch's", atMost: 0.25, unit: 's' },
  { figure: 'cpuSeconds', says: "server's processor time for 1,000 shards", atMost: 0.25, unit: 's', exact: true }
];

/**
 * All three are seen by one program in one run: the end of each pod by a watch of pods (the zero), the bare watch of the
 * Job, and our event stream. So there are no pairs; `control` compares the bare watch of neighbouring runs.
 */
export function measure({ tasks, runs, pods }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd, { pretended: true });
    let watched = { runId: '', ended: new Map(), bare: new Map() };
    const proxy = await startStoreProxy(cluster.s3.endpoint, {
      answerOf: playPods(
        (runId) => (runId === watched.runId ? watched.ended.keys() : []),
        () => tasks
      )
    });
    atEnd(proxy.close);
    const { server, project } = await startClusterServer(cluster, folder, atEnd, {
      profile: { ...onPretendedNodes, maxPods: pods },
      endpoint: proxy.endpoint
    });
    await makeTextShards(`${project}/shards`, tasks);
    const version = await registerFolder(server, 'shards', 'file-per-shard');
    const analysis = await registerAnalysis(server, await tallyAnalysis(imagePython), {});
    const promotion = { ...analysis, datasetVersionId: version.id, reuse: false, shardsPerPod: 1 };

    atEnd(
      await cluster.watchPods('labscale.dev/run', ({ object, at }) => {
        const { labels, annotations } = object.metadata;
        if (labels['labscale.dev/run'] !== watched.runId || object.status.phase !== 'Succeeded') return;
        const index = Number(annotations['batch.kubernetes.io/job-completion-index']);
        if (!watched.ended.has(index)) watched.ended.set(index, at);
      })
    );
    let fresh = newIndexes();
    atEnd(
      cluster.onJobs(({ object, at }) => {
        if (object.metadata.labels?.['labscale.dev/run'] !== watched.runId) return;
        for (const index of fresh(object.status?.completedIndexes)) watched.bare.set(index, at);
      })
    );

    async function once() {
      const told = new Map();
      fresh = newIndexes();
      watched = { runId: '', ended: new Map(), bare: new Map() };
      await untilIdle(server.pid);
      const cpu = processCpuSeconds(server.pid);
      const run = await createRun(server, promotion);
      watched.runId = run.id;
      const events = await server.events(run.id, (event, at) => {
        if (event.type !== 'tasks') return;
        for (const index of parseRanges(event.states.succeeded)) if (!told.has(index)) told.set(index, at);
      });
      await cluster.jobComplete(ofRun(run.id));
      await untilRun(server, run.id, ['succeeded']);
      const cpuSeconds = ((processCpuSeconds(server.pid) - cpu) / tasks) * 1_000;
      await cluster.jobGone(ofRun(run.id));
      events.close();
      const { ended, bare } = watched;
      const missing = [...Array(tasks).keys()].filter((i) => !ended.has(i) || !bare.has(i) || !told.has(i));
      if (missing.length > 0) throw new Error(`${missing.length} of ${tasks} tasks were not told by all three`);
      const lag = (seen) => [...ended].map(([index, at]) => (seen.get(index) - at) / 1_000);
      const ends = [...ended.values()];
      const result = {
        ours: quantile(lag(told), 0.99),
        bare: quantile(lag(bare), 0.99),
        oursMedian: median(lag(told)),
        bareMedian: median(lag(bare)),
        cpuSeconds,
        podsPerSecond: (1_000 * (tasks - 1)) / (Math.max(...ends) - Math.min(...ends))
      };
      say(JSON.stringify(result));
      return result;
    }

    const results = [];
    for (let i = 0; i < runs; i += 1) results.push(await once());
    const each = (name) => results.map((result) => result[name]);
    const bare = each('bare');
    return {
      ours: each('ours'),
      peer: bare,
      control: runs > 1 ? median(bare.slice(1).map((value, i) => value / bare[i])) : null,
      figures: {
        ratio: median(results.map((result) => result.ours / result.bare)),
        excess: median(results.map((result) => result.ours - 1.2 * result.bare)),
        cpuSeconds: median(each('cpuSeconds')),
        podsPerSecond: median(each('podsPerSecond'))
      },
      details: { medianLag: { ours: summary(each('oursMedian')), bare: summary(each('bareMedian')) } },
      versions: await cluster.versions()
    };
  });
}
