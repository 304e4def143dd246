import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { OperationId, Operations, Problem, ProblemCode } from '@labscale/schema';
import { apiPrefix, operations, type Operation } from '@labscale/schema/operations';

/** What an operation may be given; only what its schema names. */
export interface IOperationInput<K extends OperationId> {
  params?: Operations[K]['params'];
  query?: Operations[K]['query'];
  body?: Operations[K]['body'];
  /** The same key with the same body gives the first answer again, so a retry never does the work twice. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** The server answered with a problem (RFC 9457); `code` says which. */
export class ApiError extends ServerConnection.ResponseError {
  constructor(
    response: Response,
    readonly problem: Problem
  ) {
    super(response, problem.detail);
    this.name = 'ApiError';
  }
  get code(): ProblemCode {
    return this.problem.code;
  }
  get title(): string {
    return this.problem.title;
  }
  get detail(): string {
    return this.problem.detail;
  }
  /** JSON pointer or name of the field at fault. */
  get field(): string | undefined {
    return this.problem.field;
  }
  get mend(): string | undefined {
    return this.problem.mend;
  }
}

/** True where the request was given up by its own AbortSignal: nothing to tell the user. */
export function isAborted(error: unknown): boolean {
  return (error as { name?: unknown } | null)?.name === 'AbortError';
}

/**
 * The operations of the labscale server, through the Jupyter server (its login, its XSRF).
 *
 * Throws `ApiError` where the server says no, `ServerConnection.NetworkError` where it cannot be reached, and
 * `ServerConnection.ResponseError` where something between (a proxy, the login) answered.
 */
export class LabscaleClient {
  constructor(readonly serverSettings: ServerConnection.ISettings = ServerConnection.makeSettings()) {}

  async call<K extends OperationId>(id: K, input: IOperationInput<K> = {}): Promise<Operations[K]['result']> {
    const response = await this.fetch(id, input);
    if (response.status === 204) return undefined as Operations[K]['result'];
    // The one cast: the server checks its answers against the same schemas in its own tests.
    return (await response.json()) as Operations[K]['result'];
  }

  /** The response itself, for operations that answer with bytes or events; throws as `call` does. */
  async fetch<K extends OperationId>(id: K, input: IOperationInput<K> = {}): Promise<Response> {
    const operation: Operation = operations[id];
    const headers: Record<string, string> = { ...input.headers };
    if (input.idempotencyKey !== undefined) headers['Idempotency-Key'] = input.idempotencyKey;
    // Not the default `no-store`: for that, makeRequest puts a time into the query, which the server refuses as unknown.
    const init: RequestInit = { method: operation.method, headers, cache: 'no-cache' };
    if (input.signal) init.signal = input.signal;
    if (input.body !== undefined) {
      init.body = JSON.stringify(input.body);
      headers['Content-Type'] = 'application/json';
    }
    let response: Response;
    try {
      response = await ServerConnection.makeRequest(this.url(id, input), init, this.serverSettings);
    } catch (error) {
      // makeRequest makes a NetworkError of everything, a request given up on purpose included.
      if (input.signal?.aborted) throw new DOMException('The request was given up.', 'AbortError');
      throw error;
    }
    if (!response.ok) throw await toError(response);
    return response;
  }

  /** The address of an operation, for `<img src>`, downloads and viewers. */
  url<K extends OperationId>(id: K, input: Pick<IOperationInput<K>, 'params' | 'query'> = {}): string {
    const params = (input.params ?? {}) as Record<string, string | number>;
    const path = operations[id].path.replace(/:([A-Za-z]+)/g, (_, name: string) => {
      const value = params[name];
      if (value === undefined) throw new Error(`${id} needs the path parameter ${name}`);
      return encodeURIComponent(String(value));
    });
    const query = Object.entries((input.query ?? {}) as Record<string, string | number | boolean | undefined>)
      .filter((entry): entry is [string, string | number | boolean] => entry[1] !== undefined && entry[1] !== '')
      .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
      .join('&');
    return URLExt.join(this.serverSettings.baseUrl, 'labscale', apiPrefix, path) + (query ? `?${query}` : '');
  }
}

async function toError(response: Response): Promise<ServerConnection.ResponseError> {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => null);
  if (isProblem(body)) return new ApiError(response, body);
  return ServerConnection.ResponseError.create(response);
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === 'object' &&
    body !== null &&
    typeof (body as Problem).code === 'string' &&
    typeof (body as Problem).detail === 'string'
  );
}
