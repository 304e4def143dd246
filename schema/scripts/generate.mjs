// Writes generated/openapi.json and generated/contract.schema.json from the TypeBox sources; `npm run check` fails when they are not current.
import { mkdirSync, writeFileSync } from 'node:fs';
import { apiPrefix, components, operationSchemas, operations, problemCodes } from '../lib/index.js';

const folder = new URL('../generated/', import.meta.url);
mkdirSync(folder, { recursive: true });

/** Ajv and TypeBox refer to a component by its `$id`; OpenAPI and JSON Schema readers by a pointer. */
function relocate(schema, base) {
  if (Array.isArray(schema)) return schema.map((item) => relocate(item, base));
  if (schema === null || typeof schema !== 'object') return schema;
  const out = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$id') continue;
    out[key] =
      key === '$ref' && typeof value === 'string' ? `${base}${value.replace(/#$/, '')}` : relocate(value, base);
  }
  return out;
}

const jsonSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'Labscale contract',
  $defs: Object.fromEntries([
    ...Object.entries(components).map(([name, schema]) => [name, relocate(schema, '#/$defs/')]),
    ...Object.entries(operationSchemas)
      .filter(([, schemas]) => schemas.body !== undefined)
      .map(([name, schemas]) => [`${name}.body`, relocate(schemas.body, '#/$defs/')])
  ])
};

const inOpenApi = (schema) => relocate(schema, '#/components/schemas/');
const paths = {};
for (const [operationId, operation] of Object.entries(operations)) {
  const schemas = operationSchemas[operationId];
  const path = apiPrefix + operation.path.replace(/:([A-Za-z]+)/g, '{$1}');
  const parametersIn = (where, schema) =>
    Object.entries(schema?.properties ?? {}).map(([name, part]) => ({
      name,
      in: where,
      required: where === 'path' || (schema.required ?? []).includes(name),
      schema: inOpenApi(part)
    }));
  const status = String(operation.status ?? 200);
  const content =
    operation.answers === 'events'
      ? { 'text/event-stream': { schema: { $ref: '#/components/schemas/ServerEvent' } } }
      : operation.answers === 'bytes'
        ? { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
        : schemas.result
          ? { 'application/json': { schema: inOpenApi(schemas.result) } }
          : undefined;
  paths[path] ??= {};
  paths[path][operation.method.toLowerCase()] = {
    operationId,
    summary: operation.summary,
    'x-labscale-policy': operation.policy,
    ...(operation.policy === 'anyone' ? { security: [] } : {}),
    parameters: [
      ...parametersIn('path', schemas.params),
      ...parametersIn('query', schemas.query),
      ...(operation.idempotent
        ? [
            {
              name: 'Idempotency-Key',
              in: 'header',
              required: false,
              schema: { type: 'string', minLength: 1, maxLength: 200 }
            }
          ]
        : [])
    ],
    ...(schemas.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: inOpenApi(schemas.body) } } } }
      : {}),
    responses: {
      [status]: { description: operation.summary, ...(content ? { content } : {}) },
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } }
      }
    }
  };
}

const openapi = {
  openapi: '3.1.0',
  info: {
    title: 'Labscale',
    version: '1',
    description: 'Tune on a snippet, run on every shard.',
    license: { name: 'BSD-3-Clause', identifier: 'BSD-3-Clause' }
  },
  security: [{ bearer: [] }],
  paths,
  components: {
    securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    schemas: Object.fromEntries(Object.entries(components).map(([name, schema]) => [name, inOpenApi(schema)]))
  },
  'x-labscale-problems': problemCodes
};

writeFileSync(new URL('openapi.json', folder), JSON.stringify(openapi, null, 2) + '\n');
writeFileSync(new URL('contract.schema.json', folder), JSON.stringify(jsonSchema, null, 2) + '\n');
