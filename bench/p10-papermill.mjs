import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { smoothingAnalysis, smoothingNotebook, smoothingSource } from './analyses.mjs';
import { packageVersions } from './machine.mjs';
import { interleave, median, summary } from './measure.mjs';
import { peerPrograms } from './peers.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { checkSameResults } from './same-results.mjs';
import { startServer } from './server.mjs';
import { makePictureShards } from './shards.mjs';
import { xargsSeconds } from './xargs.mjs';

export const title = "small notebook per shard, against papermill's command under xargs -P2";
export const unit = 's for the few shards';
export const sizes = { shards: 1_000, few: 64, pairs: 3 };
export const roughSizes = { shards: 200, few: 16, pairs: 1 };
export const goals = [
  { figure: 'ratio', says: "papermill's time a shard over ours, many shards", atLeast: 20, unit: 'times' },
  { figure: 'ratio64', says: "papermill's time over ours, few shards", atLeast: 10, unit: 'times' }
];

const sigma = 1.5;

export function measure({ shards, few, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const programs = await peerPrograms();
    const project = join(folder, 'project');
    await makePictureShards(join(project, 'few'), few);
    await makePictureShards(join(project, 'many'), shards);

    // papermill looks for the imports of a notebook in the folder that it is started in.
    const workshop = join(folder, 'workshop');
    await mkdir(workshop);
    await writeFile(join(workshop, 'smoothing.ipynb'), JSON.stringify(smoothingNotebook()));
    await copyFile(smoothingSource, join(workshop, 'smoothing.py'));
    const papermillOutputs = join(folder, 'papermill');
    const papermill = [
      ...[join(programs, 'papermill'), 'smoothing.ipynb', `${papermillOutputs}/{}/notebook.ipynb`],
      ...['-p', 'sigma', String(sigma), '--no-progress-bar', '--autosave-cell-every', '0', '--log-level', 'ERROR']
    ];

    const server = await startServer(project);
    atEnd(server.stop);
    const fewVersion = await registerFolder(server, 'few', 'folder-per-shard');
    const manyVersion = await registerFolder(server, 'many', 'folder-per-shard');
    const analysis = await registerAnalysis(server, await smoothingAnalysis(), { sigma, passes: 1 });
    const promotionOf = (version) => ({ ...analysis, datasetVersionId: version.id, reuse: false });

    const many = [];
    let lastRun;
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        many.push((await promote(server, promotionOf(manyVersion))).seconds);
        const { seconds, run } = await promote(server, promotionOf(fewVersion));
        lastRun = run;
        return seconds;
      },
      peer: () =>
        xargsSeconds(join(project, 'few'), papermillOutputs, papermill, {
          cwd: workshop,
          env: { PATH: `${programs}:${process.env.PATH}` }
        })
    });
    await checkSameResults(server, lastRun, papermillOutputs, 'smooth.npy');

    return {
      ours,
      peer,
      control,
      figures: {
        ratio: median(peer.map((seconds, i) => seconds / few / (many[i] / shards))),
        ratio64: 1 / ratio
      },
      details: {
        oursMany: summary(many),
        millisecondsPerShard: {
          oursMany: (1_000 * median(many)) / shards,
          oursFew: (1_000 * median(ours)) / few,
          peer: (1_000 * median(peer)) / few
        }
      },
      versions: await packageVersions(join(programs, 'python'), ['papermill', 'nbclient', 'ipykernel', 'numpy'])
    };
  });
}
