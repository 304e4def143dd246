import type { OperationRoutes } from '../http/operation.js';
import type { SnippetService } from './snippet-service.js';

export function registerSnippetRoutes(routes: OperationRoutes, snippets: SnippetService): void {
  routes.handle('listSnippets', async ({ user, query }) => snippets.list(user, query));
  routes.handle('createSnippet', async ({ user, body }) => snippets.create(user, body));
  routes.handle('getSnippet', async ({ params }) => snippets.get(params.snippetId));
  routes.handle('getSnippetFiles', async ({ params }) => snippets.files(params.snippetId));
  routes.handle('getSnippetNotebook', async ({ user, params, query }) =>
    snippets.notebook(user, params.snippetId, query.analysisId)
  );
}
