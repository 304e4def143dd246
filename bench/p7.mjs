import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { packageVersions } from './machine.mjs';
import { interleave } from './measure.mjs';
import { mlflowApi, startMlflow } from './mlflow.mjs';
import { peerPrograms } from './peers.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { tunedAnalysis, tunedSets } from './tuned-sets.mjs';

export const title = 'save ten parameters and a metric over HTTP, one after the other, against MLflow on SQLite';
export const unit = 's a set';
export const sizes = { sets: 100, pairs: 7 };
export const roughSizes = { sets: 30, pairs: 5 };
export const goals = [{ figure: 'ratio', says: "our rate over MLflow's", atLeast: 5, unit: 'times' }];

export function measure({ sets, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const programs = await peerPrograms();
    const [project, mlflowFolder] = [join(folder, 'project'), join(folder, 'mlflow')];
    await mkdir(project);
    await mkdir(mlflowFolder);
    const server = await startServer(project);
    atEnd(server.stop);
    const mlflow = await startMlflow(programs, mlflowFolder);
    atEnd(mlflow.stop);
    const analysis = await server.call('createAnalysis', { body: tunedAnalysis() });
    const { experiment_id } = await mlflow.send('POST', `${mlflowApi}/experiments/create`, { name: 'bench' });

    const save = ({ name, values, metrics }) =>
      server.call('createParameterSet', {
        body: { name, analysisVersionId: analysis.latestVersion.id, values, metrics },
        key: randomUUID()
      });
    // The fewest requests that MLflow has for it: its own client sends four, one of them to end the run.
    const log = async ({ name, values, metrics }) => {
      const at = Date.now();
      const begun = { experiment_id, run_name: name, start_time: at };
      const { run } = await mlflow.send('POST', `${mlflowApi}/runs/create`, begun);
      await mlflow.send('POST', `${mlflowApi}/runs/log-batch`, {
        run_id: run.info.run_id,
        params: Object.entries(values).map(([key, value]) => ({ key, value: String(value) })),
        metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: at, step: 0 }))
      });
    };
    // Names of one analysis are taken once; MLflow gets the same ones.
    const named = (round, set) => ({ ...set, name: `${set.name}-${round}` });
    const perSet = (one) => async (pair) => {
      const start = performance.now();
      for (const set of tunedSets(sets)) await one(named(pair, set));
      return (performance.now() - start) / 1_000 / sets;
    };
    // Both servers have served before the clock starts.
    for (const set of tunedSets(20)) await Promise.all([save(set), log(set)]);
    const { ours, peer, ratio, control } = await interleave(pairs, { ours: perSet(save), peer: perSet(log) });
    return {
      ours,
      peer,
      control,
      figures: { ratio: 1 / ratio },
      details: {},
      versions: await packageVersions(join(programs, 'python'), ['mlflow'])
    };
  });
}
