import { join } from 'node:path';
import { tallyAnalysis, tallySource } from './analyses.mjs';
import { packageVersions } from './machine.mjs';
import { interleave, median } from './measure.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { python } from './repository.mjs';
import { checkSameResults } from './same-results.mjs';
import { withScratch } from './scratch.mjs';
import { slots, startServer } from './server.mjs';
import { makeNumberShards } from './shards.mjs';
import { xargsSeconds } from './xargs.mjs';

export const title = 'a tiny command per shard, against xargs -P2 of the same program';
export const unit = 's';
export const sizes = { shards: 1_000, pairs: 5 };
export const roughSizes = { shards: 200, pairs: 2 };
export const goals = [{ figure: 'ratio', says: 'our time over that of xargs', atMost: 1.15 }];

export function measure({ shards, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const project = join(folder, 'project');
    const shardsFolder = join(project, 'numbers');
    await makeNumberShards(shardsFolder, shards);
    const server = await startServer(project);
    atEnd(server.stop);
    const version = await registerFolder(server, 'numbers', 'folder-per-shard');
    const analysis = await registerAnalysis(server, await tallyAnalysis(), {});
    const promotion = { ...analysis, datasetVersionId: version.id, reuse: false };

    const peerOutputs = join(folder, 'xargs');
    let lastRun;
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        const { seconds, run } = await promote(server, promotion);
        lastRun = run;
        return seconds;
      },
      peer: () => xargsSeconds(shardsFolder, peerOutputs, [python, '-I', tallySource])
    });
    await checkSameResults(server, lastRun, peerOutputs, 'total.txt');
    const difference = median(ours.map((seconds, i) => seconds - peer[i]));
    return {
      ours,
      peer,
      control,
      figures: { ratio },
      details: { overheadMillisecondsPerTask: (1_000 * slots * difference) / shards },
      versions: await packageVersions(python, [])
    };
  });
}
