// Writes generated/openapi.json and generated/contract.schema.json from the TypeBox sources; `npm run check` fails when they are not current.
import { mkdirSync, writeFileSync } from 'node:fs';
import { jsonSchemaDocument, openApiDocument } from '../lib/documents.js';

const folder = new URL('../generated/', import.meta.url);
mkdirSync(folder, { recursive: true });
writeFileSync(new URL('openapi.json', folder), JSON.stringify(openApiDocument(), null, 2) + '\n');
writeFileSync(new URL('contract.schema.json', folder), JSON.stringify(jsonSchemaDocument(), null, 2) + '\n');
