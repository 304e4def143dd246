import { Agent, request } from 'node:http';

/**
 * One client with one kept-alive connection to a JSON API; the same for every arm, so that none pays for its client.
 * Raises an error with status and body where the answer is not 2xx.
 */
export function jsonClient(baseUrl, headers = {}) {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  function send(method, path, body, extraHeaders = {}) {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    return new Promise((resolve, reject) => {
      const sent = request(
        baseUrl + path,
        {
          method,
          agent,
          headers: {
            ...headers,
            ...extraHeaders,
            ...(payload && { 'content-type': 'application/json', 'content-length': payload.length })
          }
        },
        (answer) => {
          const parts = [];
          answer.on('data', (part) => parts.push(part));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(parts).toString();
            if (answer.statusCode >= 200 && answer.statusCode < 300)
              resolve(text === '' ? undefined : JSON.parse(text));
            else reject(new Error(`${method} ${path} answered ${answer.statusCode}: ${text.slice(0, 2_000)}`));
          });
        }
      );
      sent.on('error', reject);
      sent.end(payload);
    });
  }
  return { send, close: () => agent.destroy() };
}

/** Calls until the answer comes, as a server that is starting refuses connections. */
export async function untilAnswers(call, { timeoutMs = 60_000, everyMs = 20, stillRunning = () => true } = {}) {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    try {
      return await call();
    } catch (error) {
      if (!stillRunning()) throw new Error('the server ended before it answered', { cause: error });
      if (performance.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
