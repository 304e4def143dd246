import { request } from 'node:http';

/**
 * Opens the event stream at a URL and calls `hear(event, at)` for each event, `at` by performance.now(). Resolves once the
 * server has answered, to `{bytes(), close()}`; bytes are those of the stream's body as they came.
 */
export function openEvents(url, token, hear = () => {}) {
  return new Promise((resolve, reject) => {
    const asked = request(
      url,
      { headers: { accept: 'text/event-stream', authorization: `Bearer ${token}` } },
      (answer) => {
        if (answer.statusCode !== 200) return reject(new Error(`${url} answered ${answer.statusCode}`));
        let bytes = 0;
        let rest = '';
        answer.on('data', (part) => {
          const at = performance.now();
          bytes += part.length;
          const events = (rest + part.toString('utf8')).split('\n\n');
          rest = events.pop();
          for (const text of events) {
            const data = text.split('\n').find((line) => line.startsWith('data: '));
            if (data) hear(JSON.parse(data.slice('data: '.length)), at);
          }
        });
        // Closed by us, or by a server that ends: whoever waits for an event has a deadline of its own.
        answer.on('error', () => {});
        resolve({ bytes: () => bytes, close: () => asked.destroy() });
      }
    );
    asked.on('error', reject);
    asked.end();
  });
}
