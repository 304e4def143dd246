import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import type { Services } from './compose.js';
import { checkBody } from './http/body-guard.js';
import { contractValidator } from './http/contract-validator.js';
import { registerContractRoutes } from './http/contract-routes.js';
import { installErrorHandler } from './http/error-handler.js';
import type { Identify } from './http/identify.js';
import { registerMetrics } from './http/metrics.js';
import { OperationRoutes } from './http/operation.js';
import { ProblemError } from './problem-error.js';

export interface App {
  fastify: FastifyInstance;
  routes: OperationRoutes;
  /** Refuses new requests, ends the event streams, and returns when no request is left. */
  close: () => Promise<void>;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token; every other address, one without a route included, asks for one. */
    open?: boolean;
  }
}

const closeWithinMs = 5_000;
const lookForIdleMs = 50;

/** The HTTP face of the services: identity, checks and routes; it listens nowhere yet. */
export function buildApp(services: Services, identify: Identify, logger: Logger): App {
  let stopping = false;
  const fastify = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    bodyLimit: 16 * 1_048_576,
    // The body guard refuses such keys and names them; Fastify would say that the body is not JSON.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
    // In the place of Fastify's own compilers, so that those are never loaded; answers are plain JSON.stringify.
    schemaController: {
      compilersFactory: {
        buildValidator: () => contractValidator() as never,
        buildSerializer: () => () => JSON.stringify
      }
    },
    exposeHeadRoutes: false,
    return503OnClosing: false,
    // One address a thing: no second spelling by slashes or case, which a proxy in front might judge otherwise.
    routerOptions: {
      ignoreTrailingSlash: false,
      ignoreDuplicateSlashes: false,
      caseSensitive: true,
      maxParamLength: 200
    }
  }) as unknown as FastifyInstance;

  // Fastify would read it; a page of another origin may send it without asking the browser.
  fastify.removeContentTypeParser('text/plain');
  installErrorHandler(fastify);

  fastify.decorateRequest('user');
  fastify.addHook('onRequest', async (request, reply) => {
    void reply.header('x-content-type-options', 'nosniff').header('cache-control', 'no-store');
    if (stopping) throw new ProblemError('STOPPING', 'The server is stopping.', { mend: 'Try again in a moment.' });
    // By the route and never by the text of the address: the router reads `%61pi` as `api`.
    if (request.routeOptions.config.open === true) return;
    const [scheme, token] = (request.headers.authorization ?? '').split(' ');
    const user = scheme?.toLowerCase() === 'bearer' && token ? await identify(token) : undefined;
    if (user === undefined) {
      throw new ProblemError('NOT_SIGNED_IN', 'The request carries no valid token.', {
        field: 'Authorization',
        mend: 'Send Authorization: Bearer with the token of this server.'
      });
    }
    request.user = user;
  });
  fastify.addHook('preValidation', async (request) => checkBody(request.body));

  fastify.get('/health', { config: { open: true } }, async () => {
    const trouble = services.trouble();
    if (trouble === undefined) return { status: 'ok' };
    // Whoever asks carries no token, and is told no address and no name of a bucket.
    const { code, title } = trouble.toProblem();
    return { status: 'degraded', code, title };
  });
  registerMetrics(fastify, services.metrics);
  registerContractRoutes(fastify);
  const routes = new OperationRoutes(fastify, services.access, services.idempotency);
  services.registerRoutes(routes, fastify);

  const close = async () => {
    stopping = true;
    services.endStreams();
    const overdue = setTimeout(() => fastify.server.closeAllConnections(), closeWithinMs);
    // A client that keeps its connection would hold it open after its last answer.
    const idle = setInterval(() => fastify.server.closeIdleConnections(), lookForIdleMs);
    await fastify.close();
    clearTimeout(overdue);
    clearInterval(idle);
  };
  return { fastify, routes, close };
}
