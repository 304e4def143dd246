import { mkdir, readdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { smoothingAnalysis, smoothingSource } from './analyses.mjs';
import { packageVersions } from './machine.mjs';
import { interleave, median, summary } from './measure.mjs';
import { peerPrograms } from './peers.mjs';
import { say } from './progress.mjs';
import { runForJson } from './programs.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { benchFolder, python } from './repository.mjs';
import { checkSameResults } from './same-results.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { makePictureShards } from './shards.mjs';

const sigma = 1.5;
const source = dirname(smoothingSource);

/**
 * One numpy function over all shards: as a notebook of Labscale, and called by a peer's program that prints the seconds
 * of its loop. The clock of the peer starts after its imports and, for a cluster, after the cluster's start; the whole
 * time of its program is a detail. Ours runs from the promote to the published derivatives.
 */
export function measureFunction(peerProgram, packages, { shards, milliseconds, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const peerPython = join(await peerPrograms(), 'python');
    const project = join(folder, 'project');
    const shardsFolder = join(project, 'pictures');
    await makePictureShards(shardsFolder, shards);
    const names = await readdir(shardsFolder);
    const calibration = [join(benchFolder, 'peers', 'calibrate.py'), source, join(shardsFolder, names[0])];
    const { passes } = await runForJson(python, [...calibration, String(milliseconds / 1_000)]);
    say(`${passes} passes make ${milliseconds} ms of work`);

    const server = await startServer(project);
    atEnd(server.stop);
    const version = await registerFolder(server, 'pictures', 'folder-per-shard');
    const analysis = await registerAnalysis(server, await smoothingAnalysis(), { sigma, passes });
    const promotion = { ...analysis, datasetVersionId: version.id, reuse: false };

    const peerOutputs = join(folder, 'peer');
    const whole = [];
    let lastRun;
    const { ours, peer, ratio, control } = await interleave(pairs, {
      ours: async () => {
        const { seconds, run } = await promote(server, promotion);
        lastRun = run;
        return seconds;
      },
      peer: async () => {
        await rm(peerOutputs, { recursive: true, force: true });
        for (const name of names) await mkdir(join(peerOutputs, name), { recursive: true });
        const start = performance.now();
        const program = [join(benchFolder, 'peers', peerProgram), source, shardsFolder, peerOutputs];
        const { seconds } = await runForJson(peerPython, [...program, String(sigma), String(passes)]);
        whole.push((performance.now() - start) / 1_000);
        return seconds;
      }
    });
    await checkSameResults(server, lastRun, peerOutputs, 'smooth.npy');
    return {
      ours,
      peer,
      control,
      figures: { ratio, ratioWhole: median(ours.map((seconds, i) => seconds / whole[i])) },
      details: { peerWhole: summary(whole), passes },
      versions: await packageVersions(peerPython, [...packages, 'numpy'])
    };
  });
}
