import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { tallyAnalysis } from './analyses.mjs';
import { processMemory } from './machine.mjs';
import { say } from './progress.mjs';
import { promote, registerAnalysis, registerFolder } from './promote.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { makeNumberShards } from './shards.mjs';

export const title = 'memory of the server, at rest and at most through a run of many tiny commands';
export const unit = 'MiB at rest';
export const sizes = { tasks: 10_000 };
export const roughSizes = { tasks: 1_000 };
export const goals = [
  { figure: 'idleMebibytes', says: 'at rest', atMost: 120, unit: 'MiB', exact: true },
  { figure: 'runMebibytes', says: 'at most through the run', atMost: 200, unit: 'MiB', exact: true }
];

const mebibytes = (bytes) => bytes / 2 ** 20;

export function measure({ tasks }) {
  return withScratch(async ({ folder, atEnd }) => {
    const idleProject = join(folder, 'idle');
    await mkdir(idleProject);
    const idleServer = await startServer(idleProject);
    const idle = [];
    for (let second = 0; second < 15; second += 1) {
      await sleep(1_000);
      if (second >= 5) idle.push(mebibytes(processMemory(idleServer.pid, 'VmRSS')));
    }
    await idleServer.stop();

    const project = join(folder, 'project');
    await makeNumberShards(join(project, 'numbers'), tasks);
    const server = await startServer(project);
    atEnd(server.stop);
    const version = await registerFolder(server, 'numbers', 'folder-per-shard');
    const registered = mebibytes(processMemory(server.pid, 'VmHWM'));
    say(`registered; at most ${registered.toFixed(0)} MiB so far`);
    const analysis = await registerAnalysis(server, await tallyAnalysis(), {});
    const { seconds, run } = await promote(server, { ...analysis, datasetVersionId: version.id });
    const most = mebibytes(processMemory(server.pid, 'VmHWM'));
    await sleep(5_000);
    return {
      ours: idle,
      control: null,
      figures: {
        ratio: most / 200,
        idleMebibytes: Math.max(...idle),
        runMebibytes: most,
        registerMebibytes: registered,
        afterRunMebibytes: mebibytes(processMemory(server.pid, 'VmRSS'))
      },
      details: { runSeconds: seconds, tasks: run.taskCount },
      versions: {}
    };
  });
}
