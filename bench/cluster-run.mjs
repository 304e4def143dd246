import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { serverEnvironment } from './cluster.mjs';
import { startServer, manifestOf } from './server.mjs';
import { storeClient } from './store.mjs';

/** The interpreter of the scientific image. */
export const imagePython = 'python3';

/**
 * A labscale server on the cluster with its project in `folder`. `endpoint` and `podEndpoint` may name proxies of the
 * store, `profile` changes the administrator's.
 */
export async function startClusterServer(cluster, folder, atEnd, { profile, endpoint, podEndpoint } = {}) {
  const project = join(folder, 'project');
  await mkdir(project, { recursive: true });
  const store = storeClient(cluster.s3);
  atEnd(store.close);
  const environment = {
    ...serverEnvironment(folder, { profile }),
    ...(endpoint && {
      LABSCALE_S3_ENDPOINT: endpoint,
      LABSCALE_S3_POD_ENDPOINT: podEndpoint ?? cluster.s3.podEndpoint
    }),
    ...(podEndpoint && { LABSCALE_S3_POD_ENDPOINT: podEndpoint })
  };
  const server = await startServer(project, { environment, isPublished: (runId) => store.has(manifestOf(runId)) });
  atEnd(server.stop);
  return { server, project, store };
}

/** Promotes and gives what createRun answered. */
export function createRun(server, promotion) {
  return server.call('createRun', { body: { promotion }, key: randomUUID() });
}

/** Resolves with a run once it is in one of `states`; raises an error where it ends in another. */
export async function untilRun(server, runId, states, { everyMs = 100, timeoutMs = 600_000 } = {}) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const run = await server.call('getRun', { params: { runId } });
    if (states.includes(run.state)) return run;
    const hasEnded = ['succeeded', 'failed', 'stopped'].includes(run.state);
    if (hasEnded || performance.now() > deadline) {
      throw new Error(`run ${run.state} instead of ${states}: ${run.headline} ${run.failure ?? ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
