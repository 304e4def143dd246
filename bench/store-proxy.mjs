import { Agent, createServer, request } from 'node:http';

/**
 * A place on the way to a store where all that passes is written down; signatures hold, as the name of the host passes as
 * it is. `answerOf(method, path)` may answer in place of the store: {status, headers?, body?}, or undefined.
 * Each entry: {method, key, isList, bytesIn, bytesOut, from, to, by, copies, status}; `key` without the bucket, times by
 * performance.now(), `by` the access key that signed.
 */
export async function startStoreProxy(target, { address = '127.0.0.1', answerOf = () => undefined } = {}) {
  const { hostname, port } = new URL(target);
  const agent = new Agent({ keepAlive: true });
  const log = [];
  const server = createServer((asked, answer) => {
    const { method, url, headers } = asked;
    const { pathname, searchParams } = new URL(url, target);
    const [, , ...names] = pathname.split('/');
    const entry = {
      method,
      key: decodeURIComponent(names.join('/')),
      isList: searchParams.has('list-type'),
      prefix: searchParams.get('prefix') ?? undefined,
      bytesIn: 0,
      bytesOut: 0,
      from: performance.now(),
      to: undefined,
      by: /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1],
      copies: headers['x-amz-copy-source'] !== undefined,
      status: 0
    };
    log.push(entry);
    asked.on('data', (part) => (entry.bytesIn += part.length));
    answer.on('close', () => (entry.to = performance.now()));
    const made = answerOf(method, entry.key, searchParams);
    if (made) {
      entry.status = made.status;
      const body = Buffer.from(made.body ?? '');
      entry.bytesOut = method === 'HEAD' ? 0 : body.length;
      answer.writeHead(made.status, { 'content-length': body.length, ...made.headers });
      answer.end(method === 'HEAD' ? undefined : body);
      return asked.resume();
    }
    const onward = request({ agent, hostname, port, method, path: url, headers }, (said) => {
      entry.status = said.statusCode;
      answer.writeHead(said.statusCode, said.rawHeaders);
      said.on('data', (part) => (entry.bytesOut += part.length));
      said.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => !answer.writableEnded && onward.destroy());
    asked.pipe(onward);
  });
  // Pods and the server keep their connections open between the shards.
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, address, resolve));
  return {
    endpoint: `http://${address}:${server.address().port}`,
    log,
    close() {
      server.closeAllConnections();
      agent.destroy();
      return new Promise((resolve) => server.close(resolve));
    }
  };
}
