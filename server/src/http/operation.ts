import { apiPrefix, operations, operationSchemas, type OperationId, type Operations } from '@labscale/schema';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Access } from '../metadata/access.js';
import { prefixOf, type IdPrefix } from '../metadata/ids.js';
import { notFound } from '../problem-error.js';
import type { Writing } from '../metadata/database.js';
import type { Idempotency, Remember } from '../metadata/idempotency.js';
import type { User } from './identify.js';

export interface Call<K extends OperationId> {
  params: Operations[K]['params'];
  query: Operations[K]['query'];
  body: Operations[K]['body'];
  user: User;
  request: FastifyRequest;
  reply: FastifyReply;
  /**
   * Writes the answer to the request's idempotency key, where it has one, as a part of the caller's transaction: a crash
   * then leaves both or neither. A handler that does not ask for it has its answer remembered after it.
   */
  remember: (writing: Writing, answer: Operations[K]['result']) => Promise<void>;
}

/** Operations that answer with a stream or with nothing have no result to give. */
export type Handler<K extends OperationId> = (
  call: Call<K>
) => Promise<undefined extends Operations[K]['result'] ? void : Operations[K]['result']>;

/** The ids that the first part of a path is of; what is of another noun is not to be found there. Lineage is of any. */
const prefixOfPath: Readonly<Record<string, IdPrefix>> = {
  datasets: 'ds',
  'dataset-versions': 'dv',
  queries: 'qu',
  snippets: 'sn',
  analyses: 'an',
  'analysis-versions': 'av',
  'parameter-sets': 'ps',
  'parameter-set-versions': 'pv',
  runs: 'run'
};

/** Of an operation that takes no body: sent all the same, its fields are named as unknown. */
const noBody = { type: ['object', 'null'], additionalProperties: false };

/** The operations that have a route, with what is checked before each: the table against which tests hold the contract. */
export class OperationRoutes {
  readonly registered = new Set<OperationId>();

  constructor(
    private readonly app: FastifyInstance,
    private readonly access: Access,
    private readonly idempotency: Idempotency
  ) {}

  /** Routes an operation of the contract: its body, path and query are checked, its policy enforced, then the handler is asked. */
  handle<K extends OperationId>(id: K, handler: Handler<K>): void {
    if (this.registered.has(id)) throw new Error(`operation ${id} has two routes`);
    this.registered.add(id);
    const operation: (typeof operations)[OperationId] = operations[id];
    const schemas = operationSchemas[id] as { params?: object; query?: object; body?: object };
    const prefix = prefixOfPath[operation.path.split('/')[1] ?? ''];
    this.app.route({
      method: operation.method,
      url: apiPrefix + operation.path,
      schema: {
        ...(schemas.params ? { params: schemas.params } : {}),
        querystring: schemas.query ?? { type: 'object', additionalProperties: false, properties: {} },
        ...(operation.method === 'GET' ? {} : { body: schemas.body ?? noBody })
      },
      handler: async (request, reply) => {
        const user = request.user;
        const params = (request.params ?? {}) as Record<string, string>;
        if (operation.policy === 'view' || operation.policy === 'use' || operation.policy === 'edit') {
          const subject = Object.values(params)[0];
          if (subject === undefined) throw new Error(`operation ${id} has a policy but its path names nothing`);
          if (prefix !== undefined && prefixOf(subject) !== prefix) throw notFound(subject);
          await this.access.require(user, operation.policy, subject);
        }
        const answer = (remember: Remember) =>
          handler({
            params,
            query: request.query,
            body: request.body,
            user,
            request,
            reply,
            remember
          } as unknown as Call<K>);
        const key = request.headers['idempotency-key'];
        const result =
          'idempotent' in operation && typeof key === 'string'
            ? await this.idempotency.once(user, id, key, { params, body: request.body }, answer)
            : await answer(async () => {});
        if (reply.sent || 'answers' in operation) return reply;
        const status = 'status' in operation ? operation.status : 200;
        return status === 204 ? reply.code(204).send() : reply.code(status).send(result);
      }
    });
  }
}
