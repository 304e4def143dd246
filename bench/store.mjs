import { Agent, request } from 'node:http';
import { signedHeaders } from '../hub-config/test-cluster/s3-request.mjs';

/** A client of the cluster's bucket, by the server's own keys, over one kept-alive connection. `s3` is that of cluster.json. */
export function storeClient(s3) {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  /** Resolves to {status, body}; `sink` takes the body part by part in its place. */
  function ask(method, key, body = Buffer.alloc(0), sink) {
    const path = `/${s3.bucket}/${key}`;
    const headers = { ...signedHeaders(s3, method, path, {}, body, new Date()), 'content-length': body.length };
    const place = s3.endpoint + path.split('/').map(encodeURIComponent).join('/');
    return new Promise((resolve, reject) => {
      const asked = request(place, { method, agent, headers }, (answer) => {
        const parts = [];
        answer.on('data', sink ?? ((part) => parts.push(part)));
        answer.on('error', reject);
        answer.on('end', () => resolve({ status: answer.statusCode, body: Buffer.concat(parts) }));
      });
      asked.on('error', reject);
      asked.end(body);
    });
  }
  async function must(method, key, body, sink) {
    const answer = await ask(method, key, body, sink);
    if (answer.status >= 300) throw new Error(`${method} ${key} answered ${answer.status}: ${answer.body}`);
    return answer.body;
  }
  return {
    get: (key, sink) => must('GET', key, undefined, sink),
    put: (key, body) => must('PUT', key, body),
    remove: (key) => must('DELETE', key),
    has: async (key) => (await ask('HEAD', key)).status === 200,
    close: () => agent.destroy()
  };
}
