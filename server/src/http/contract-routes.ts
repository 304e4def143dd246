import { apiPrefix, openApiDocument, operations, type Operation } from '@labscale/schema';
import type { FastifyInstance } from 'fastify';
import { version } from '../version.js';

/** The contract for people and programs: it is public with the source, so it asks for no token. */
export function registerContractRoutes(app: FastifyInstance): void {
  let document: string | undefined;
  app.get(`${apiPrefix}/openapi.json`, { config: { open: true } }, async (_request, reply) => {
    document ??= JSON.stringify(openApiDocument());
    return reply.type('application/json').send(document);
  });
  app.get('/', { config: { open: true } }, async (_request, reply) =>
    reply
      .type('text/html; charset=utf-8')
      .header('content-security-policy', "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
      .send(contractPage())
  );
}

const escape = (text: string) =>
  text.replace(/[&<>"]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[mark] ?? mark);

function contractPage(): string {
  const rows = Object.entries<Operation>(operations).map(
    ([id, operation]) =>
      `<tr id="${id}"><td><code>${operation.method}</code></td><td><code>${escape(apiPrefix + operation.path)}</code></td>` +
      `<td>${escape(operation.summary)}</td><td>${operation.policy}</td><td><code>${id}</code></td></tr>`
  );
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Labscale ${version}: operations</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem; color-scheme: light dark }
table { border-collapse: collapse }
td, th { text-align: left; padding: 0.25rem 1rem 0.25rem 0; border-bottom: 1px solid #8884; vertical-align: top }
</style>
<h1>Labscale ${version}</h1>
<p>Every operation but none of this page asks for <code>Authorization: Bearer TOKEN</code>.
The whole contract: <a href="${apiPrefix}/openapi.json">openapi.json</a> (OpenAPI 3.1).</p>
<table>
<thead><tr><th>Method</th><th>Path</th><th>What it does</th><th>Right</th><th>Operation</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
</html>
`;
}
