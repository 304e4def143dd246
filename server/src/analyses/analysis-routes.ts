import type { OperationRoutes } from '../http/operation.js';
import type { AnalysisService } from './analysis-service.js';

export function registerAnalysisRoutes(routes: OperationRoutes, service: AnalysisService): void {
  routes.handle('inspectNotebook', ({ body }) => service.inspect(body.notebook));
  routes.handle('listAnalyses', ({ user, query }) => service.list(user, query));
  routes.handle('createAnalysis', ({ user, body }) => service.create(user, body));
  routes.handle('getAnalysis', ({ params }) => service.get(params.analysisId));
  routes.handle('updateAnalysis', ({ params, body }) => service.update(params.analysisId, body));
  routes.handle('updateContract', ({ user, params, body }) => service.updateContract(user, params.analysisId, body));
  routes.handle('listAnalysisVersions', ({ params, query }) => service.listVersions(params.analysisId, query));
  routes.handle('getAnalysisVersion', ({ params }) => service.getVersion(params.versionId));
  routes.handle('getAnalysisSource', async ({ params }) => service.source(await service.getVersion(params.versionId)));
}
