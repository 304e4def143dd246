// Writes generated/openapi.json, generated/contract.schema.json and the table of operations that the Python client
// reads, from the TypeBox sources; `npm run check` fails when they are not current.
import { mkdirSync, writeFileSync } from 'node:fs';
import { jsonSchemaDocument, openApiDocument } from '../lib/documents.js';
import { apiPrefix, operations } from '../lib/index.js';

const folder = new URL('../generated/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('openapi.json', folder), JSON.stringify(openApiDocument(), null, 2) + '\n');
writeFileSync(new URL('contract.schema.json', folder), JSON.stringify(jsonSchemaDocument(), null, 2) + '\n');

/** The Python package is installed without this repository, so it brings the table along. */
const forPython = Object.fromEntries(
  Object.entries(operations).map(([operationId, { method, path, idempotent }]) => [
    operationId,
    { method, path: apiPrefix + path.replace(/:([A-Za-z]+)/g, '{$1}'), ...(idempotent ? { idempotent } : {}) }
  ])
);
writeFileSync(
  new URL('../../kernels-helpers/python/src/labscale/operations.json', import.meta.url),
  JSON.stringify(forPython, null, 2) + '\n'
);
