import { Ajv, type Options } from 'ajv';
import { randomUUID } from 'node:crypto';
import { apiPrefix, components } from '@labscale/schema';
import Fastify, { type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Services } from './compose.js';
import { installErrorHandler } from './http/error-handler.js';
import type { Identify } from './http/identify.js';
import { OperationRoutes } from './http/operation.js';
import { ProblemError } from './problem-error.js';

export interface App {
  fastify: FastifyInstance;
  routes: OperationRoutes;
}

/** The HTTP face of the services: identity, checks and routes; it listens nowhere yet. */
export function buildApp(services: Services, identify: Identify, logger: Logger): App {
  const fastify = Fastify({
    loggerInstance: logger,
    disableRequestLogging: true,
    genReqId: () => randomUUID(),
    bodyLimit: 16 * 1_048_576,
    // `/runs/` and `/runs` are one address and no more: the policy is looked up by the route, never by the text.
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: 200 }
  }) as unknown as FastifyInstance;

  // Bodies are never coerced or trimmed: "4" stays a mistake and an unknown field is named. Path and query are text by nature.
  const options: Options = { allErrors: true, removeAdditional: false, useDefaults: true, strict: false, validateFormats: false };
  const ajvOf = { body: new Ajv({ ...options, coerceTypes: false, useDefaults: false }), text: new Ajv({ ...options, coerceTypes: true }) };
  for (const ajv of Object.values(ajvOf)) for (const schema of Object.values(components)) ajv.addSchema(schema);
  fastify.setValidatorCompiler(({ schema, httpPart }) => (httpPart === 'body' ? ajvOf.body : ajvOf.text).compile(schema as object));
  installErrorHandler(fastify);

  fastify.decorateRequest('user');
  fastify.addHook('onRequest', async (request) => {
    if (!request.url.startsWith(apiPrefix)) return;
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    const user = scheme?.toLowerCase() === 'bearer' && token ? await identify(token) : undefined;
    if (user === undefined) {
      throw new ProblemError('NOT_SIGNED_IN', 'The request carries no valid token.', { field: 'Authorization', mend: 'Send Authorization: Bearer with the token of this server.' });
    }
    request.user = user;
  });

  const routes = new OperationRoutes(fastify, services.access, services.idempotency);
  services.registerRoutes(routes, fastify);
  return { fastify, routes };
}
