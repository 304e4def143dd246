import { ServerConnection } from '@jupyterlab/services';
import { apiPrefix, operations, type OperationId } from '@labscale/schema/operations';
import { LabscaleClient } from './client';

export interface IExampleRequest {
  operation: OperationId;
  params: Record<string, string>;
  query: Record<string, string>;
  body: unknown;
  headers: Headers;
  signal: AbortSignal | null;
}

/** What an operation answers: a JSON value, or a Response of any kind. */
export type ExampleAnswer = (request: IExampleRequest) => unknown;

/** The linked examples of the contract, one a noun; for specs. */
export function examples<T>(noun: string): T {
  const all = jest.requireActual('@labscale/schema/example.json') as Record<string, T>;
  return JSON.parse(JSON.stringify(all[noun])) as T;
}

export function page<T>(items: T[], nextCursor: string | null = null, total = items.length) {
  return { items, nextCursor, total };
}

/** Takes what it is given: jsdom's AbortSignal is not the one that a Request of Node asks for. */
class ExampleAsk {
  constructor(
    readonly url: string,
    init: RequestInit = {}
  ) {
    this.method = init.method ?? 'GET';
    this.headers = new Headers(init.headers);
    this.body = typeof init.body === 'string' ? init.body : '';
    this.signal = init.signal ?? null;
  }
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal: AbortSignal | null;
}

/** A client of a server that answers with what a spec says, and the requests that reached it. */
export function exampleClient(answers: Partial<Record<OperationId, ExampleAnswer>>): {
  client: LabscaleClient;
  requests: IExampleRequest[];
} {
  const requests: IExampleRequest[] = [];
  const answer = async (asked: ExampleAsk): Promise<Response> => {
    if (asked.signal?.aborted) throw new DOMException('', 'AbortError');
    const url = new URL(asked.url);
    const path = url.pathname.replace(`/labscale${apiPrefix}`, '');
    for (const [id, operation] of Object.entries(operations)) {
      if (operation.method !== asked.method) continue;
      const found = new RegExp(`^${operation.path.replace(/:([A-Za-z]+)/g, '(?<$1>[^/]+)')}$`).exec(path);
      if (!found) continue;
      const request: IExampleRequest = {
        operation: id as OperationId,
        params: { ...found.groups },
        query: Object.fromEntries(url.searchParams),
        body: asked.body === '' ? undefined : (JSON.parse(asked.body) as unknown),
        headers: asked.headers,
        signal: asked.signal
      };
      requests.push(request);
      const answered = answers[id as OperationId];
      if (!answered) break;
      const value = await answered(request);
      if (value instanceof Response) return value;
      return new Response(JSON.stringify(value), { headers: { 'Content-Type': 'application/json' } });
    }
    throw new TypeError(`The spec gives no answer to ${asked.method} ${path}`);
  };
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    Request: ExampleAsk as unknown as typeof Request,
    fetch: (asked) => answer(asked as unknown as ExampleAsk)
  });
  return { client: new LabscaleClient(settings), requests };
}

/** A problem as the server sends it. */
export function problemResponse(status: number, code: string, more: Record<string, unknown> = {}): Response {
  const body = { type: `urn:labscale:problem:${code}`, code, title: code, status, detail: `${code} happened`, ...more };
  return new Response(JSON.stringify(body), { status, headers: { 'Content-Type': 'application/problem+json' } });
}
