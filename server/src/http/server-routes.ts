import type { Config } from '../config.js';
import { version } from '../version.js';
import type { OperationRoutes } from './operation.js';

export function registerServerRoutes(routes: OperationRoutes, config: Config): void {
  routes.handle('getServer', async ({ user }) => ({
    version,
    user: user.name,
    metadata: config.metadata,
    objects: config.objects,
    runner: config.runner,
    projectFolder: config.projectFolder,
    cpus: config.cpus,
    memoryBytes: config.memoryBytes
  }));
}
