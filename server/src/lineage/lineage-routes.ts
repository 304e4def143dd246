import type { OperationRoutes } from '../http/operation.js';
import type { LineageService } from './lineage-service.js';

export function registerLineageRoutes(routes: OperationRoutes, lineage: LineageService): void {
  routes.handle('getLineage', async ({ params, user }) => lineage.get(user, params.id));
}
