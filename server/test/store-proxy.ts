import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage } from 'node:http';

/** What happens to one request on its way. */
export type StoreFault =
  | { kind: 'answer'; status: number; code: string }
  /** The connection breaks before the store hears of it. */
  | { kind: 'lose-request' }
  /** The store does it, and the connection breaks before it is known. */
  | { kind: 'lose-answer' }
  /** The connection breaks when so many bytes of the answer's body have passed. */
  | { kind: 'cut-answer'; afterBytes: number }
  /** Some bytes of the body, as if they were all. */
  | { kind: 'shorten-unseen'; toBytes: number }
  /** As if it were the whole object where it is a part of it. */
  | { kind: 'as-whole' }
  /** Done as asked, but not before something else has happened. */
  | { kind: 'first'; act: () => Promise<void> };

export interface AskedOfStore {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
}

export interface StoreProxy {
  endpoint: string;
  /** All that passed, in order. */
  requests: AskedOfStore[];
  /** Decides over each request; undefined lets it pass. */
  rule: ((asked: AskedOfStore) => StoreFault | undefined) | undefined;
  close: () => Promise<void>;
}

/** A place on the way to a store, at which requests are counted and harmed. Signatures hold, as the host's name passes as it is. */
export async function startStoreProxy(target: string): Promise<StoreProxy> {
  const { hostname, port } = new URL(target);
  const proxy = { requests: [] } as unknown as StoreProxy;
  const server = createServer((asked, answer) => {
    const { method = '', url: path = '', headers } = asked;
    proxy.requests.push({ method, path, headers });
    const fault = proxy.rule?.({ method, path, headers });
    asked.on('error', () => undefined);
    if (fault?.kind === 'lose-request') return void asked.socket.destroy();
    if (fault?.kind === 'answer') {
      asked.resume();
      asked.on('end', () => {
        answer.writeHead(fault.status, { 'x-amz-request-id': 'of the proxy' });
        answer.end(method === 'HEAD' ? undefined : `<Error><Code>${fault.code}</Code><Message>said</Message></Error>`);
      });
      return;
    }
    const pass = () => {
      const onward = forward({ hostname, port, method, path, headers, agent: false }, (answered) => {
        answered.on('error', () => asked.socket.destroy());
        if (fault?.kind === 'lose-answer') {
          answered.resume();
          answered.on('end', () => asked.socket.destroy());
          return;
        }
        if (fault?.kind === 'shorten-unseen') {
          delete answered.headers['content-length'];
          answer.writeHead(answered.statusCode ?? 500, answered.headers);
          answered.once('data', (part: Buffer) => answer.end(part.subarray(0, fault.toBytes)));
          return;
        }
        answer.writeHead(fault?.kind === 'as-whole' ? 200 : (answered.statusCode ?? 500), answered.headers);
        if (fault?.kind !== 'cut-answer') return void answered.pipe(answer);
        let left = fault.afterBytes;
        answer.flushHeaders();
        answered.on('data', (part: Buffer) => {
          const last = part.length >= left;
          answer.write(part.subarray(0, left), () => {
            if (last) asked.socket.destroy();
          });
          left -= Math.min(left, part.length);
          if (last) answered.destroy();
        });
      });
      onward.on('error', () => asked.socket.destroy());
      asked.pipe(onward);
    };
    if (fault?.kind === 'first') fault.act().then(pass, () => asked.socket.destroy());
    else pass();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  proxy.endpoint = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  proxy.close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
  return proxy;
}
