import { Agent, request } from 'node:https';
import { run } from './programs.mjs';

const bytes = (base64) => base64 && Buffer.from(base64, 'base64');

/**
 * A client of one namespace over kept-alive connections, as lean as can be. Raises an error with status and body where an
 * answer is not 2xx.
 */
export async function kubernetesClient({ kubeconfig, namespace, programs: { kubectl } }) {
  const view = ['--kubeconfig', kubeconfig, 'config', 'view', '--minify', '--raw', '--flatten', '-o', 'json'];
  const { clusters, users } = JSON.parse(await run(kubectl, view));
  const [{ cluster }] = clusters;
  const [{ user }] = users;
  const agent = new Agent({
    keepAlive: true,
    ca: bytes(cluster['certificate-authority-data']),
    cert: bytes(user['client-certificate-data']),
    key: bytes(user['client-key-data'])
  });
  const headers = { accept: 'application/json', ...(user.token && { authorization: `Bearer ${user.token}` }) };

  function ask(method, path, body, take) {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const type = payload && { 'content-type': 'application/json', 'content-length': payload.length };
    return new Promise((resolve, reject) => {
      const asked = request(cluster.server + path, { method, agent, headers: { ...headers, ...type } }, (answer) => {
        if (take && answer.statusCode === 200) return take(answer, asked);
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(parts).toString();
          if (answer.statusCode >= 200 && answer.statusCode < 300) resolve(JSON.parse(text));
          else
            reject(
              Object.assign(new Error(`${method} ${path} answered ${answer.statusCode}: ${text.slice(0, 1_000)}`), {
                status: answer.statusCode
              })
            );
        });
      });
      asked.on('error', reject);
      asked.end(payload);
    });
  }

  const jobs = `/apis/batch/v1/namespaces/${namespace}/jobs`;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  return {
    createJob: (job) => ask('POST', jobs, job),
    findJob: (name) =>
      ask('GET', `${jobs}/${name}`).catch((error) => {
        if (error.status !== 404) throw error;
      }),
    /** Its pods go first; resolves when the apiserver has taken it. */
    deleteJob: (name) => ask('DELETE', `${jobs}/${name}?propagationPolicy=Foreground`),
    listPods: (selector) => ask('GET', `${pods}?labelSelector=${encodeURIComponent(selector)}`),
    watchJobs: (hear, fail) => watch(ask, jobs, '', hear, fail),
    watchPods: (selector, hear, fail) => watch(ask, pods, selector, hear, fail),
    create: (path, body) => ask('POST', path, body),
    remove: (path) => ask('DELETE', path),
    close: () => agent.destroy()
  };
}

/**
 * Looks once where it begins, then calls `hear({type, object, at})` for each change, `at` by performance.now(), or
 * `fail(error)`. Resolves to a function that ends it.
 */
async function watch(ask, path, selector, hear, fail) {
  const labels = selector && `&labelSelector=${encodeURIComponent(selector)}`;
  const { metadata } = await ask('GET', `${path}?limit=1${labels}`);
  let version = metadata.resourceVersion;
  let asked;
  let isOver = false;
  const again = () => {
    if (isOver) return;
    ask(
      'GET',
      `${path}?watch=1&allowWatchBookmarks=true&resourceVersion=${version}${labels}`,
      undefined,
      (answer, mine) => {
        asked = mine;
        let rest = '';
        answer.setEncoding('utf8').on('data', (text) => {
          const at = performance.now();
          const lines = (rest + text).split('\n');
          rest = lines.pop();
          for (const line of lines) {
            const { type, object } = JSON.parse(line);
            if (type === 'ERROR') return fail(new Error(`a watch of ${path} failed: ${line.slice(0, 500)}`));
            version = object.metadata.resourceVersion;
            if (type !== 'BOOKMARK') hear({ type, object, at });
          }
        });
        answer.on('close', again);
      }
    ).catch((error) => {
      if (!isOver) fail(error);
    });
  };
  again();
  return () => {
    isOver = true;
    asked?.destroy();
  };
}
