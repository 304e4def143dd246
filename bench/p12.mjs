import { join } from 'node:path';
import { smoothingAnalysis } from './analyses.mjs';
import { packageVersions } from './machine.mjs';
import { interleave } from './measure.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { python } from './repository.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { makePictureShards } from './shards.mjs';

export const title = 'a run that finds every derivative made already, against the same run made anew';
export const unit = 's';
export const sizes = { shards: 1_000, pairs: 3 };
export const roughSizes = { shards: 300, pairs: 2 };
export const goals = [
  { figure: 'ratio', says: 'full reuse over cold', atMost: 0.02 },
  { figure: 'tasksRun', says: 'tasks run in spite of reuse', atMost: 0, exact: true }
];

export function measure({ shards, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const project = join(folder, 'project');
    await makePictureShards(join(project, 'pictures'), shards);
    const server = await startServer(project);
    atEnd(server.stop);
    const version = await registerFolder(server, 'pictures', 'folder-per-shard');
    const analysis = await registerAnalysis(server, await smoothingAnalysis(), { sigma: 1.5, passes: 1 });
    const promotion = { ...analysis, datasetVersionId: version.id };
    await promote(server, promotion);

    let tasksRun = 0;
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        const { seconds, run } = await promote(server, promotion);
        tasksRun += run.taskCount - run.counts.reused;
        return seconds;
      },
      peer: async () => (await promote(server, { ...promotion, reuse: false })).seconds
    });
    return {
      ours,
      peer,
      control,
      figures: { ratio, tasksRun },
      details: {},
      versions: await packageVersions(python, ['numpy'])
    };
  });
}
