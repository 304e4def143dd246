import { randomUUID } from 'node:crypto';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Registers a folder and waits until every shard has its digest; gives the dataset version. */
export async function registerFolder(server, path, layout) {
  const dataset = await server.call('createDataset', {
    body: { name: `Bench ${path.split('/').at(-1)}`, source: { kind: 'folder', path, layout } },
    key: randomUUID()
  });
  for (;;) {
    const version = await server.call('getDatasetVersion', { params: { versionId: dataset.latestVersion.id } });
    if (version.indexing.state === 'ready') return version;
    if (version.indexing.state === 'failed') throw new Error(`indexing failed: ${version.indexing.detail}`);
    await sleep(20);
  }
}

/** Registers an analysis and saves one set for it; gives the ids that a promotion names. */
export async function registerAnalysis(server, body, values) {
  const analysis = await server.call('createAnalysis', { body });
  const analysisVersionId = analysis.latestVersion.id;
  const set = await server.call('createParameterSet', {
    body: { name: 'Bench', analysisVersionId, values },
    key: randomUUID()
  });
  return { analysisVersionId, parameterSetVersionIds: [set.latestVersion.id] };
}

/**
 * Promotes and waits until the derivatives are published; gives the seconds from before the call to after the
 * published state was seen, and the run. Raises an error where a task did not succeed or nothing was published.
 */
export async function promote(server, promotion) {
  const start = performance.now();
  let run = await server.call('createRun', { body: { promotion }, key: randomUUID() });
  while (!['succeeded', 'failed', 'stopped'].includes(run.state)) {
    // Asking costs the server time too: at most one question in each fiftieth of what has passed.
    await sleep(Math.min(100, Math.max(5, (performance.now() - start) / 50)));
    run = await server.call('getRun', { params: { runId: run.id } });
  }
  const seconds = (performance.now() - start) / 1_000;
  const done = run.counts.succeeded + run.counts.reused;
  if (run.state !== 'succeeded' || done !== run.taskCount) {
    const { items } = await server.call('listFailures', { params: { runId: run.id } });
    throw new Error(`run ${run.state}: ${run.headline} ${run.failure ?? ''} ${items[0]?.text ?? ''}`);
  }
  if (!(await server.isPublished(run.id))) {
    throw new Error(`run ${run.id} says it succeeded and has no derivatives.json`);
  }
  return { seconds, run };
}
