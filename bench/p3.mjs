import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { tallyAnalysis } from './analyses.mjs';
import { sameJob } from './bare-job.mjs';
import { ofRun, onNoNode, openCluster } from './cluster.mjs';
import { createRun, imagePython, startClusterServer, untilRun } from './cluster-run.mjs';
import { untilIdle } from './machine.mjs';
import { interleave, median, seconds, summary } from './measure.mjs';
import { say } from './progress.mjs';
import { registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { makeTextShards } from './shards.mjs';

export const title =
  'submit: promote until the Job is there, against one Job, one manifest and one commit by themselves';
export const unit = 's for few shards';
export const sizes = { few: 100, many: 10_000, pairs: 9 };
export const roughSizes = { few: 20, many: 500, pairs: 3 };
export const goals = [
  { figure: 'ratio', says: 'submit over the sum of its parts', atMost: 2 },
  { figure: 'growth', says: 'submit of many shards over submit of few', atMost: 3 }
];

/** One durable commit as the server makes them: SQLite, WAL, synchronous=FULL. */
function durableCommits(file) {
  const database = new DatabaseSync(file);
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE row (text TEXT)');
  const insert = database.prepare('INSERT INTO row VALUES (?)');
  return { commit: () => void insert.run('x'.repeat(1_000)), close: () => database.close() };
}

export function measure({ few, many, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const cluster = await openCluster(atEnd);
    // Nothing of it runs: what is measured ends when the Job is there.
    const { server, project, store } = await startClusterServer(cluster, folder, atEnd, {
      profile: { ...onNoNode, maxPods: 1 }
    });
    const analysis = await registerAnalysis(server, await tallyAnalysis(imagePython), {});
    const commits = durableCommits(join(folder, 'commits.sqlite'));
    atEnd(commits.close);

    async function promotionOf(count) {
      await makeTextShards(join(project, `shards-${count}`), count);
      const version = await registerFolder(server, `shards-${count}`, 'file-per-shard');
      say(`${count} shards registered`);
      return { ...analysis, datasetVersionId: version.id, reuse: false };
    }
    /** Seconds until the call has answered and the apiserver has told of the Job, and both by themselves. */
    async function submit(promotion) {
      const start = performance.now();
      const run = await createRun(server, promotion);
      const answered = performance.now();
      const { object, at } = await cluster.jobSeen(ofRun(run.id));
      const manifest = await store.get(`runs/${run.id}/waves/1/orders`);
      await server.call('stopRun', { params: { runId: run.id } });
      await untilRun(server, run.id, ['stopped']);
      await cluster.jobGone(ofRun(run.id));
      await untilIdle(server.pid);
      return {
        seconds: (Math.max(answered, at) - start) / 1_000,
        answer: (answered - start) / 1_000,
        job: object,
        manifest
      };
    }

    const small = await promotionOf(few);
    const large = await promotionOf(many);
    let last = await submit(small);
    const answers = [];
    const larger = [];
    const parts = { job: [], manifest: [], commit: [] };
    let number = 0;
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        larger.push((await submit(large)).seconds);
        last = await submit(small);
        answers.push(last.answer);
        return last.seconds;
      },
      peer: async () => {
        number += 1;
        const name = `bench-p3-${number}`;
        const job = sameJob(name, last.job);
        parts.job.push(await seconds(() => cluster.client.createJob(job)));
        parts.manifest.push(await seconds(() => store.put(`bench/${name}`, last.manifest)));
        parts.commit.push(await seconds(async () => commits.commit()));
        await cluster.removeJob(name);
        await store.remove(`bench/${name}`);
        return parts.job.at(-1) + parts.manifest.at(-1) + parts.commit.at(-1);
      }
    });
    return {
      ours,
      peer,
      control,
      figures: { ratio, growth: median(larger.map((value, i) => value / ours[i])), answerSeconds: median(answers) },
      details: {
        many: summary(larger),
        parts: Object.fromEntries(Object.entries(parts).map(([name, values]) => [name, summary(values)])),
        manifestBytes: last.manifest.length
      },
      versions: await cluster.versions()
    };
  });
}
