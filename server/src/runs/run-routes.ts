import type { OperationRoutes } from '../http/operation.js';
import type { RunService } from './run-service.js';

/** `mayPublish` raises why the store cannot be trusted with results: nothing is started then. */
export function registerRunRoutes(routes: OperationRoutes, runs: RunService, mayPublish: () => Promise<void>): void {
  routes.handle('createPlan', async ({ user, body }) => {
    await mayPublish();
    return runs.plan(user, body);
  });
  routes.handle('listRuns', ({ user, query }) => runs.list(user, query));
  routes.handle('createRun', async ({ user, body, remember }) => {
    await mayPublish();
    return runs.create(user, body, remember);
  });
  routes.handle('getRun', ({ params }) => runs.get(params.runId));
  routes.handle('stopRun', ({ params }) => runs.stop(params.runId));
  routes.handle('releaseRun', ({ params }) => runs.release(params.runId));
  routes.handle('retryRun', ({ params, body }) => runs.retry(params.runId, body));
  routes.handle('publishRun', ({ params }) => runs.publish(params.runId));
  routes.handle('listTasks', ({ params, query }) => runs.listTasks(params.runId, query));
  routes.handle('getTaskStates', ({ params }) => runs.getTaskStates(params.runId));
  routes.handle('getTaskColumns', ({ params }) => runs.getTaskColumns(params.runId));
  routes.handle('getTask', ({ params }) => runs.getTask(params.runId, params.index));
  routes.handle('listAttempts', ({ params }) => runs.listAttempts(params.runId, params.index));
  routes.handle('getLog', ({ params, query }) => runs.getLog(params, query));
  routes.handle('searchLogs', ({ params, query }) => runs.searchLogs(params.runId, query));
  routes.handle('listFailures', ({ params }) => runs.listFailures(params.runId));
  routes.handle('listDerivatives', ({ params, query }) => runs.listDerivatives(params.runId, query));
}
