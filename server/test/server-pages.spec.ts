import { readFile } from 'node:fs/promises';
import { operations, apiPrefix, type Operation, type Problem } from '@labscale/schema';
import { makeDataset } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer({ LABSCALE_TOKEN: 'canary-of-the-token' });
});
afterEach(() => server.close());

const withoutToken = (url: string) => server.app.inject({ method: 'GET', url });
const withToken = (url: string) =>
  server.app.inject({ method: 'GET', url, headers: { authorization: 'Bearer token-of-ana' } });

test('health needs no token and tells nothing but that the server answers', async () => {
  const response = await withoutToken('/health');
  expect([response.statusCode, response.body]).toEqual([200, '{"status":"ok"}']);
  expect(response.headers['cache-control']).toBe('no-store');
});

describe('metrics', () => {
  test('need a token: they tell what people do', async () => {
    const response = await withoutToken('/metrics');
    expect(response.statusCode).toBe(401);
    expect((JSON.parse(response.body) as Problem).code).toBe('NOT_SIGNED_IN');
  });

  async function read(): Promise<{ type: string; lines: string[] }> {
    const response = await withToken('/metrics');
    expect(response.statusCode).toBe(200);
    return { type: String(response.headers['content-type']), lines: response.body.split('\n') };
  }

  test('are in the text format of Prometheus, with the process and the requests', async () => {
    const { type, lines } = await read();
    expect(type).toMatch(/^text\/plain; version=0\.0\.4/);
    const typed = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ').slice(2).join(' '));
    expect(typed).toEqual(
      expect.arrayContaining([
        'process_cpu_seconds_total counter',
        'process_resident_memory_bytes gauge',
        'nodejs_eventloop_lag_seconds gauge',
        'labscale_http_request_duration_seconds histogram'
      ])
    );
    // A line is a comment, nothing, or a name with labels and a number.
    const sample = /^[a-z_][a-z0-9_]*(\{([a-z_]+="([^"\\\n]|\\.)*",?)*\})? [-+0-9.eNaInf]+$/i;
    expect(lines.filter((line) => line !== '' && !line.startsWith('#') && !sample.test(line))).toEqual([]);
  });

  test('count each answer by route and status, one label for all ids and none for what has no route', async () => {
    const { id } = await makeDataset(server, 1, 'counted');
    const counts = async () => {
      const found: Record<string, number> = {};
      for (const line of (await read()).lines) {
        const [, labels, count] = /^labscale_http_request_duration_seconds_count\{(.*)\} (\d+)$/.exec(line) ?? [];
        if (labels !== undefined) found[labels] = Number(count);
      }
      return found;
    };
    const of = (route: string, status: number) => `method="GET",route="${route}",status="${status}"`;
    const before = await counts();
    for (let round = 0; round < 3; round++) await withToken(`${apiPrefix}/datasets/${id}`);
    await withToken(`${apiPrefix}/datasets/ds-00000000000000000000`);
    await withToken(`${apiPrefix}/nowhere/${id}`);
    await withoutToken(`${apiPrefix}/datasets/${id}`);
    const after = await counts();
    const moved = (labels: string) => (after[labels] ?? 0) - (before[labels] ?? 0);
    const route = `${apiPrefix}/datasets/:datasetId`;
    expect(moved(of(route, 200))).toBe(3);
    expect(moved(of(route, 404))).toBe(1);
    expect(moved(of(route, 401))).toBe(1);
    expect(moved(of('none', 404))).toBe(1);
    const everything = (await read()).lines.join('\n');
    for (const secret of [id, 'counted', 'ana', server.project, 'canary']) expect(everything).not.toContain(secret);
  });
});

describe('the contract', () => {
  test('is served as it is committed, without a token', async () => {
    const response = await withoutToken(`${apiPrefix}/openapi.json`);
    expect(response.statusCode).toBe(200);
    expect(String(response.headers['content-type'])).toMatch(/^application\/json/);
    const committed = await readFile(new URL('../../schema/generated/openapi.json', import.meta.url), 'utf8');
    expect(JSON.parse(response.body)).toEqual(JSON.parse(committed));
    const { openapi, paths } = JSON.parse(response.body) as { openapi: string; paths: Record<string, object> };
    expect(openapi).toMatch(/^3\.1\./);
    for (const { method, path } of Object.values<Operation>(operations)) {
      const address = apiPrefix + path.replace(/:([A-Za-z]+)/g, '{$1}');
      expect([address, Object.keys(paths[address] ?? {})]).toEqual([
        address,
        expect.arrayContaining([method.toLowerCase()])
      ]);
    }
  });

  test('has a page for people that names every operation and runs nothing', async () => {
    const response = await withoutToken('/');
    expect(response.statusCode).toBe(200);
    expect(String(response.headers['content-type'])).toBe('text/html; charset=utf-8');
    expect(response.headers['content-security-policy']).toMatch(/^default-src 'none';.*frame-ancestors 'none'/);
    for (const [id, { method, path }] of Object.entries<Operation>(operations)) {
      expect(response.body).toContain(
        `<tr id="${id}"><td><code>${method}</code></td><td><code>${apiPrefix}${path}</code>`
      );
    }
    expect(response.body).not.toMatch(/<script|javascript:|onerror/i);
  });

  test('tells nothing of this server: no token, folder, user or dataset', async () => {
    await makeDataset(server, 1, 'a secret name');
    for (const url of ['/', `${apiPrefix}/openapi.json`, '/health']) {
      const { body, headers } = await withoutToken(url);
      for (const secret of ['canary', 'token-of-ana', server.project, 'a secret name', process.version]) {
        expect(body + JSON.stringify(headers)).not.toContain(secret);
      }
    }
  });
});
