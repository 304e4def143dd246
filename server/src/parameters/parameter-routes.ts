import type { OperationRoutes } from '../http/operation.js';
import type { ParameterService } from './parameter-service.js';

export function registerParameterRoutes(routes: OperationRoutes, service: ParameterService): void {
  routes.handle('listParameterSets', ({ user, query }) => service.list(user, query));
  routes.handle('createParameterSet', ({ user, body }) => service.create(user, body));
  routes.handle('getParameterSet', ({ params }) => service.get(params.parameterSetId));
  routes.handle('updateParameterSet', ({ params, body }) => service.update(params.parameterSetId, body));
  routes.handle('deleteParameterSet', ({ params }) => service.delete(params.parameterSetId));
  routes.handle('listParameterSetVersions', ({ params, query }) => service.listVersions(params.parameterSetId, query));
  routes.handle('createParameterSetVersion', ({ user, params, body }) =>
    service.createVersion(user, params.parameterSetId, body)
  );
  routes.handle('forkParameterSet', ({ user, params, body }) => service.fork(user, params.parameterSetId, body));
  routes.handle('compareParameterSets', ({ user, query }) => service.compare(user, query.versions.split(',')));
  routes.handle('getParameterSetVersion', ({ params }) => service.getVersion(params.versionId));
  routes.handle('getThumbnail', async ({ params, reply }) => {
    const { mediaType, bytes } = await service.thumbnail(params.versionId);
    await reply
      .header('content-type', mediaType)
      .header('x-content-type-options', 'nosniff')
      .header('cache-control', 'private, max-age=31536000, immutable')
      .send(bytes);
    return undefined;
  });
}
