import { apiPrefix, operations, type Operation } from '@labscale/schema';
import type { FastifyError, FastifyInstance, FastifySchemaValidationError } from 'fastify';
import { isDiskFull } from '../metadata/database-errors.js';
import { ProblemError } from '../problem-error.js';

const fastifyCodes: Record<string, ConstructorParameters<typeof ProblemError>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [
    'TOO_LARGE',
    'The request body is too large.',
    { mend: 'Send less at once; notebooks are sent without their outputs.' }
  ],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'MEDIA_TYPE_UNSUPPORTED',
    'The request body is not JSON.',
    { mend: 'Send Content-Type: application/json.' }
  ],
  FST_ERR_CTP_INVALID_JSON_BODY: ['BODY_INVALID', 'The request body is not valid JSON.', { field: 'body' }],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['BODY_INVALID', 'The request body is empty.', { field: 'body' }],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'BODY_INVALID',
    'The body does not have the length that its header says.',
    { field: 'body' }
  ]
};

/** Names the field of the deepest fault: in a union of shapes that is the one that the caller most likely meant. */
export function explainValidation(
  errors: readonly FastifySchemaValidationError[],
  where: string
): { field: string; detail: string } {
  const depth = (error: FastifySchemaValidationError) => error.instancePath.split('/').length;
  const rank = (error: FastifySchemaValidationError) =>
    depth(error) * 10 +
    (error.keyword === 'anyOf'
      ? -100
      : error.keyword === 'const'
        ? -50
        : error.keyword === 'additionalProperties'
          ? 2
          : 1);
  const error = [...errors].sort((a, b) => rank(b) - rank(a))[0];
  if (error === undefined) return { field: where, detail: 'It does not fit the contract.' };
  const named =
    error.keyword === 'additionalProperties'
      ? error.params['additionalProperty']
      : error.keyword === 'required'
        ? error.params['missingProperty']
        : undefined;
  const field = `${where}${error.instancePath}${typeof named === 'string' ? `/${named}` : ''}`;
  if (error.keyword === 'additionalProperties')
    return { field, detail: `"${String(named)}" is not a field that is known here.` };
  if (error.keyword === 'required') return { field, detail: `"${String(named)}" is missing.` };
  if (error.keyword === 'enum')
    return { field, detail: `It must be one of ${(error.params['allowedValues'] as unknown[]).join(', ')}.` };
  return { field, detail: `It ${error.message ?? 'does not fit the contract'}.` };
}

/** Turns whatever a handler throws into a problem; what is not the caller's to mend goes to the log and not to the caller. */
export function installErrorHandler(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError, request, reply) => {
    let problem: ProblemError;
    const fastifyCode = error.code === undefined ? undefined : fastifyCodes[error.code];
    if (error instanceof ProblemError) {
      problem = error;
    } else if (error.validation !== undefined) {
      const where = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'body');
      const { field, detail } = explainValidation(error.validation, where);
      problem = new ProblemError(where === 'body' ? 'BODY_INVALID' : 'REQUEST_INVALID', detail, { field });
    } else if (fastifyCode !== undefined) {
      problem = new ProblemError(...fastifyCode);
    } else if (error instanceof SyntaxError && error.statusCode === 400) {
      // secure-json-parse: a key such as __proto__ that would change an object's prototype.
      problem = new ProblemError(
        'BODY_INVALID',
        'The body is not JSON that may be used: a key is `__proto__` or `constructor`.',
        { field: 'body', mend: 'Leave that key out or rename it.' }
      );
    } else if (isDiskFull(error)) {
      problem = new ProblemError('DISK_FULL', 'The disk of the server is full; nothing was changed.', {
        mend: 'Free some room and try again.'
      });
    } else if (typeof error.statusCode === 'number' && error.statusCode >= 400 && error.statusCode < 500) {
      problem = new ProblemError('REQUEST_INVALID', 'The request cannot be read.');
    } else {
      problem = new ProblemError('INTERNAL', 'The server made a mistake; its log has more under this request id.');
    }
    if (problem.status >= 500) request.log.error({ err: error }, 'request failed');
    void reply.code(problem.status).type('application/problem+json').send(problem.toProblem(request.id));
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split('?')[0] ?? '';
    const allowed = methodsOf(path);
    const problem =
      allowed.length > 0
        ? new ProblemError('METHOD_NOT_ALLOWED', `${path} does not take ${request.method}.`, {
            mend: `It takes ${allowed.join(', ')}.`
          })
        : new ProblemError('NOT_FOUND', `There is no ${request.method} ${path}.`);
    if (allowed.length > 0) void reply.header('allow', allowed.join(', '));
    void reply.code(problem.status).type('application/problem+json').send(problem.toProblem(request.id));
  });
}

const addresses = Object.values<Operation>(operations).map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${apiPrefix}${path.replace(/:[A-Za-z]+/g, '[^/]+')}$`)
}));

function methodsOf(path: string): string[] {
  return [...new Set(addresses.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method))];
}
