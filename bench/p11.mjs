import { join } from 'node:path';
import { tallyAnalysis } from './analyses.mjs';
import { openCluster } from './cluster.mjs';
import { imagePython, startClusterServer } from './cluster-run.mjs';
import { median, seconds, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { manifestOf } from './server.mjs';
import { makeTextShards } from './shards.mjs';
import { publishStep, requestsByKind, writtenAgain } from './store-requests.mjs';
import { startStoreProxy } from './store-proxy.mjs';

export const title = 'what it takes to publish a run: requests to the store, and the step that makes it visible';
export const unit = 's from the last look to the manifest being there';
export const sizes = { shards: 10_000, pods: 4, repeats: 7 };
export const roughSizes = { shards: 100, pods: 2, repeats: 3 };
export const goals = [
  { figure: 'requestsPerShard', says: 'requests of the publish step, less 10, for each shard', atMost: 2, exact: true },
  { figure: 'copies', says: 'copies inside the store', atMost: 0, exact: true },
  { figure: 'writtenAgain', says: 'outputs written more than once', atMost: 0, exact: true },
  { figure: 'ratio', says: 'commit step over the PUT of the manifest alone', atMost: 2 }
];

/** Server and pods both go through one proxy; it stands on the bridge, where pods reach it. */
export function measure({ shards, pods, repeats }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd);
    const proxy = await startStoreProxy(cluster.s3.endpoint, { address: cluster.bridge });
    atEnd(proxy.close);
    const { server, project, store } = await startClusterServer(cluster, folder, atEnd, {
      profile: { maxPods: pods, cpuRequestFraction: 0.1 },
      endpoint: proxy.endpoint,
      podEndpoint: proxy.endpoint
    });
    await makeTextShards(join(project, 'shards'), shards);
    const version = await registerFolder(server, 'shards', 'file-per-shard');
    say(`${shards} shards registered`);
    const analysis = await registerAnalysis(server, await tallyAnalysis(imagePython), {});
    const from = proxy.log.length;
    const { run, seconds: runSeconds } = await promote(server, {
      ...analysis,
      datasetVersionId: version.id,
      reuse: false,
      shardsPerPod: 200
    });
    const log = proxy.log.slice(from);
    const step = publishStep(log, run.id);
    const { copies, again } = writtenAgain(log);
    const manifest = await store.get(manifestOf(run.id));
    const alone = [];
    for (let i = 0; i < repeats; i += 1) {
      alone.push(await seconds(() => store.put(`bench/p11-${i}`, manifest)));
      await store.remove(`bench/p11-${i}`);
    }
    const byServer = step.requests[0].by;
    const requests = {
      server: requestsByKind(
        log.filter(({ by }) => by === byServer),
        run.id
      ),
      pods: requestsByKind(
        log.filter(({ by }) => by !== byServer),
        run.id
      )
    };
    return {
      ours: [step.commitSeconds],
      peer: alone,
      control: median(alone.slice(1).map((value, i) => value / alone[i])),
      figures: {
        ratio: step.commitSeconds / median(alone),
        requestsPerShard: (step.requests.length - 10) / shards,
        copies,
        writtenAgain: again,
        verifySeconds: step.verifySeconds,
        podRequestsPerShard: log.filter(({ by }) => by !== byServer).length / shards
      },
      details: {
        publishRequests: requestsByKind(step.requests, run.id),
        requests,
        manifestBytes: manifest.length,
        alone: summary(alone),
        runSeconds
      },
      versions: await cluster.versions()
    };
  });
}
