import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageVersions } from './machine.mjs';
import { interleave, median, seconds, summary } from './measure.mjs';
import { mlflowApi, startMlflow } from './mlflow.mjs';
import { peerPrograms, quietPeers } from './peers.mjs';
import { say } from './progress.mjs';
import { end, runForJson } from './programs.mjs';
import { benchFolder } from './repository.mjs';
import { withScratch } from './scratch.mjs';
import { startServer } from './server.mjs';
import { tunedAnalysis, tunedSets } from './tuned-sets.mjs';

export const title =
  'find the best 50 of many sets by a parameter and a metric, against MLflow on SQLite after ANALYZE';
export const unit = 's';
export const sizes = { sets: 100_000, pairs: 9 };
export const roughSizes = { sets: 10_000, pairs: 5 };
export const goals = [{ figure: 'ratio', says: "our time over MLflow's", atMost: 0.05 }];

const limit = 50;
const mlflowFilter = "params.sigma = '0.5' and metrics.snr > 3";
const mlflowOrder = 'metrics.snr DESC';

/** Saves every set through the API, eight at a time. */
async function saveAll(server, analysisVersionId, sets) {
  const left = tunedSets(sets);
  let saved = 0;
  const client = async () => {
    for (const { name, values, metrics } of left) {
      await server.call('createParameterSet', {
        body: { name, analysisVersionId, values, metrics },
        key: randomUUID()
      });
      saved += 1;
      if (saved % 10_000 === 0) say(`${saved} sets saved`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, client));
}

/** MLflow's store in a process of its own, asked without HTTP. */
function startStore(programs, folder, experimentId) {
  const program = join(benchFolder, 'peers', 'mlflow_search.py');
  const asked = [join(folder, 'mlflow.db'), join(folder, 'artifacts'), experimentId, mlflowFilter, mlflowOrder, limit];
  const child = spawn(join(programs, 'python'), [program, ...asked.map(String)], {
    env: { ...process.env, ...quietPeers },
    stdio: ['pipe', 'pipe', 'inherit']
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async search() {
      child.stdin.write('search\n');
      const { value, done } = await lines.next();
      if (done) throw new Error("MLflow's store ended");
      return JSON.parse(value);
    },
    stop: () => end(child)
  };
}

export function measure({ sets, pairs }) {
  return withScratch(async ({ folder, atEnd }) => {
    const programs = await peerPrograms();
    const [project, mlflowFolder] = [join(folder, 'project'), join(folder, 'mlflow')];
    await mkdir(project);
    await mkdir(mlflowFolder);

    const server = await startServer(project);
    atEnd(server.stop);
    const analysis = await server.call('createAnalysis', { body: tunedAnalysis() });
    const saving = await seconds(() => saveAll(server, analysis.latestVersion.id, sets));
    say(`${sets} sets saved in ${saving.toFixed(1)} s; now MLflow's rows`);

    const rows = Array.from(tunedSets(sets), ({ name, values, metrics }) =>
      JSON.stringify({ name, params: values, metrics })
    );
    const { experimentId } = await runForJson(
      join(programs, 'python'),
      [join(benchFolder, 'peers', 'mlflow_rows.py'), join(mlflowFolder, 'mlflow.db'), join(mlflowFolder, 'artifacts')],
      { env: quietPeers, input: `${rows.join('\n')}\n` }
    );
    const mlflow = await startMlflow(programs, mlflowFolder);
    atEnd(mlflow.stop);
    const store = startStore(programs, mlflowFolder, experimentId);
    atEnd(store.stop);

    const query = { analysisId: analysis.id, filter: 'sigma=0.5 snr>3', orderBy: 'metric:snr:desc', limit };
    const search = {
      experiment_ids: [experimentId],
      filter: mlflowFilter,
      order_by: [mlflowOrder],
      max_results: limit
    };
    const oursNames = async () => (await server.call('listParameterSets', { query })).items.map((set) => set.name);
    const overHttp = async () => {
      const { runs } = await mlflow.send('POST', `${mlflowApi}/runs/search`, search);
      return runs.map((run) => run.info.run_name);
    };
    // The first search of each is not counted, and all three must have found the same sets in the same order.
    const found = [await oursNames(), await overHttp(), (await store.search()).names].map((names) => names.join());
    if (found.some((names) => names !== found[0])) throw new Error(`the searches differ:\n${found.join('\n')}`);

    const direct = [];
    const {
      ours,
      peer: http,
      control
    } = await interleave(pairs, {
      ours: () => seconds(oursNames),
      peer: async () => {
        direct.push((await store.search()).seconds);
        return seconds(overHttp);
      }
    });
    const peer = median(direct) < median(http) ? direct : http;
    return {
      ours,
      peer,
      control,
      figures: { ratio: median(ours.map((value, i) => value / peer[i])) },
      details: {
        found: found[0].split(',').length,
        peerOverHttp: summary(http),
        peerStore: summary(direct),
        savedPerSecond: Math.round(sets / saving)
      },
      versions: await packageVersions(join(programs, 'python'), ['mlflow', 'sqlalchemy'])
    };
  });
}
