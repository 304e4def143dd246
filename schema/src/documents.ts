import { components } from './components.js';
import { operationSchemas } from './operation-schemas.js';
import { apiPrefix, operations, type Operation, type OperationId } from './operations.js';
import { problemCodes } from './problem.js';

interface Part {
  properties?: Record<string, unknown>;
  required?: readonly string[];
}

/** Ajv and TypeBox refer to a component by its `$id`; OpenAPI and JSON Schema readers by a pointer. */
function relocate(schema: unknown, base: string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => relocate(item, base));
  if (schema === null || typeof schema !== 'object') return schema;
  const out: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(schema)) {
    if (key === '$id') continue;
    out[key] =
      key === '$ref' && typeof value === 'string' ? `${base}${value.replace(/#$/, '')}` : relocate(value, base);
  }
  return out;
}

/** The contract as JSON Schema 2020-12: every component, and the body of every operation as `<operation>.body`. */
export function jsonSchemaDocument(): Record<string, unknown> {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Labscale contract',
    $defs: Object.fromEntries([
      ...Object.entries(components).map(([name, schema]) => [name, relocate(schema, '#/$defs/')]),
      ...Object.entries(operationSchemas)
        .filter(([, schemas]) => 'body' in schemas)
        .map(([name, schemas]) => [`${name}.body`, relocate((schemas as { body: unknown }).body, '#/$defs/')])
    ])
  };
}

/** The contract as OpenAPI 3.1, as the server serves it. */
export function openApiDocument() {
  const inOpenApi = (schema: unknown) => relocate(schema, '#/components/schemas/');
  const paths: Record<string, Record<string, unknown>> = {};
  for (const [operationId, operation] of Object.entries<Operation>(operations)) {
    const schemas = operationSchemas[operationId as OperationId] as Record<string, Part | undefined>;
    const path = apiPrefix + operation.path.replace(/:([A-Za-z]+)/g, '{$1}');
    const parametersIn = (where: string, schema: Part | undefined) =>
      Object.entries(schema?.properties ?? {}).map(([name, part]) => ({
        name,
        in: where,
        required: where === 'path' || (schema?.required ?? []).includes(name),
        schema: inOpenApi(part)
      }));
    const status = String(operation.status ?? 200);
    const content =
      operation.answers === 'events'
        ? { 'text/event-stream': { schema: { $ref: '#/components/schemas/ServerEvent' } } }
        : operation.answers === 'bytes'
          ? { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } }
          : schemas['result']
            ? { 'application/json': { schema: inOpenApi(schemas['result']) } }
            : undefined;
    const ofPath = (paths[path] ??= {});
    ofPath[operation.method.toLowerCase()] = {
      operationId,
      summary: operation.summary,
      'x-labscale-policy': operation.policy,
      ...(operation.policy === 'anyone' ? { security: [] } : {}),
      parameters: [
        ...parametersIn('path', schemas['params']),
        ...parametersIn('query', schemas['query']),
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
      ...(schemas['body']
        ? { requestBody: { required: true, content: { 'application/json': { schema: inOpenApi(schemas['body']) } } } }
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

  return {
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
}
