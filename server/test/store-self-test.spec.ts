import { once } from 'node:events';
import { mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { ConfigError, readConfig } from '../src/config.js';
import { askSigned } from '../src/objects/signed-request.js';
import { describeWithMinio, startMinio, type MinioServer } from './minio-server.js';
import { bundleServer, startServerProcess } from './server-process.js';
import { startStoreProxy } from './store-proxy.js';
import { startTestServer, type TestServer } from './test-server.js';

describe('the variables of the object store', () => {
  const whole = {
    LABSCALE_HELPERS: '/helpers',
    LABSCALE_OBJECTS: 'minio',
    LABSCALE_S3_ENDPOINT: 'http://store:9000',
    LABSCALE_S3_BUCKET: 'labscale',
    LABSCALE_S3_ACCESS_KEY: 'someone',
    LABSCALE_S3_SECRET_KEY: 'the-secret-key'
  };
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'labscale-config-'))));
  afterAll(() => rm(folder, { recursive: true }));
  const read = (change: Record<string, string | undefined>) => readConfig({ ...whole, ...change });
  const refusal = (change: Record<string, string | undefined>) => {
    try {
      read(change);
    } catch (error) {
      expect(error).toBeInstanceOf(ConfigError);
      return (error as Error).message;
    }
    throw new Error(`${JSON.stringify(change)} was taken`);
  };

  test('have their defaults, and the secret shows nowhere', () => {
    const config = read({});
    expect(config.s3).toMatchObject({
      ...{ endpoint: 'http://store:9000', podEndpoint: 'http://store:9000', bucket: 'labscale', region: 'us-east-1' },
      ...{ pathStyle: true, ca: undefined, dataBuckets: [] }
    });
    expect(JSON.stringify(config)).not.toContain('the-secret-key');
    expect(config.s3!.secretKey.reveal()).toBe('the-secret-key');
    expect(config.workerEnvironment).toEqual({});
    expect(readConfig({ LABSCALE_HELPERS: '/helpers' }).s3).toBeUndefined();
  });

  test.each<[string, string | undefined]>([
    ['LABSCALE_OBJECTS', 's3'],
    ['LABSCALE_S3_ENDPOINT', undefined],
    ['LABSCALE_S3_ENDPOINT', 'store:9000'],
    ['LABSCALE_S3_ENDPOINT', 'file:///etc'],
    ['LABSCALE_S3_ENDPOINT', 'http://store/path'],
    ['LABSCALE_S3_ENDPOINT', 'http://user@store'],
    ['LABSCALE_S3_ENDPOINT', 'http://store/?x'],
    ['LABSCALE_S3_ENDPOINT', 'http://store#x'],
    ['LABSCALE_S3_POD_ENDPOINT', 'store'],
    ['LABSCALE_S3_BUCKET', undefined],
    ['LABSCALE_S3_BUCKET', 'ab'],
    ['LABSCALE_S3_BUCKET', 'a*b'],
    ['LABSCALE_S3_BUCKET', 'Upper'],
    ['LABSCALE_S3_BUCKET', 'a..b'],
    ['LABSCALE_S3_REGION', 'eu/west'],
    ['LABSCALE_S3_PATH_STYLE', 'yes'],
    ['LABSCALE_S3_ACCESS_KEY', undefined],
    ['LABSCALE_S3_ACCESS_KEY', 'two words'],
    ['LABSCALE_S3_SECRET_KEY', undefined],
    ['LABSCALE_S3_SECRET_KEY', ''],
    ['LABSCALE_S3_CA_FILE', '/not/there'],
    ['LABSCALE_S3_CREDENTIALS_FILE', '/not/there'],
    ['LABSCALE_S3_DATA_BUCKETS', 'scans,'],
    ['LABSCALE_S3_DATA_BUCKETS', 'labscale']
  ])('%s=%s is refused and named', (name, value) => {
    const message = refusal({ [name]: value });
    expect(message).toContain(name);
    expect(message).not.toContain('the-secret-key');
  });

  test('take both keys from a file, whose content no error shows', async () => {
    const file = join(folder, 'keys.json');
    const none = { LABSCALE_S3_ACCESS_KEY: undefined, LABSCALE_S3_SECRET_KEY: undefined };
    await writeFile(file, JSON.stringify({ accessKey: 'from-file', secretKey: 'the-secret-in-it' }));
    const { s3 } = read({ ...none, LABSCALE_S3_CREDENTIALS_FILE: file });
    expect([s3!.accessKey, s3!.secretKey.reveal()]).toEqual(['from-file', 'the-secret-in-it']);
    expect(refusal({ LABSCALE_S3_CREDENTIALS_FILE: file })).toContain('LABSCALE_S3_ACCESS_KEY');
    for (const text of ['the-secret-in-it', 'null', '{"accessKey":"a","secretKey":7}', '["the-secret-in-it"]']) {
      await writeFile(file, text);
      const message = refusal({ ...none, LABSCALE_S3_CREDENTIALS_FILE: file });
      expect(message).toContain('LABSCALE_S3_CREDENTIALS_FILE');
      expect(message).not.toContain('the-secret');
    }
  });

  test('take authorities only as PEM and only for TLS', async () => {
    const file = join(folder, 'ca.pem');
    await writeFile(file, 'no certificate');
    expect(refusal({ LABSCALE_S3_ENDPOINT: 'https://store', LABSCALE_S3_CA_FILE: file })).toContain(
      'LABSCALE_S3_CA_FILE'
    );
    await writeFile(file, '-----BEGIN CERTIFICATE-----');
    expect(refusal({ LABSCALE_S3_CA_FILE: file })).toContain('LABSCALE_S3_CA_FILE');
    expect(read({ LABSCALE_S3_ENDPOINT: 'https://store', LABSCALE_S3_CA_FILE: file }).s3!.ca).toContain('BEGIN');
  });
});

describeWithMinio('a server whose store', () => {
  let minio: MinioServer;
  let server: TestServer | undefined;
  beforeAll(async () => {
    minio = await startMinio();
  });
  afterEach(async () => {
    await server?.close();
    server = undefined;
  });
  afterAll(() => minio.stop());

  const promotion = {
    analysisVersionId: `av-${'0'.repeat(20)}`,
    parameterSetVersionIds: [`psv-${'0'.repeat(20)}`],
    datasetVersionId: `dsv-${'0'.repeat(20)}`
  };
  const health = async () => (await server!.app.inject({ url: '/health' })).json<Record<string, string>>();

  test('holds what is published is well, and leaves nothing of the test in it', async () => {
    server = await startTestServer(minio.environment);
    expect((await server.problem('createPlan', { body: promotion })).code).toBe('NOT_FOUND');
    expect(await health()).toEqual({ status: 'ok' });
    const left = await askSigned(minio.root, { method: 'GET', path: '/labscale', query: { 'list-type': '2' } });
    expect(left.body.toString()).not.toContain('self-test');
  });

  /** A store as some are: it does what it is asked, and takes no notice of conditions. */
  const startCareless = async () => {
    const careless = createServer((asked, answer) => {
      void buffer(asked).then(async (body) => {
        const url = new URL(asked.url!, 'http://store');
        const {
          status,
          headers,
          body: bytes
        } = await askSigned(minio.root, {
          ...{ method: asked.method!, path: decodeURIComponent(url.pathname), body },
          query: Object.fromEntries(url.searchParams),
          headers: asked.headers['range'] === undefined ? {} : { range: asked.headers['range'] }
        });
        answer.writeHead(status, { ...headers, connection: 'close' }).end(bytes);
      });
    });
    careless.listen(0, '127.0.0.1');
    await once(careless, 'listening');
    return careless;
  };

  test('takes a second PUT starts nothing and publishes nothing, and says why', async () => {
    const careless = await startCareless();
    try {
      const endpoint = `http://127.0.0.1:${(careless.address() as { port: number }).port}`;
      server = await startTestServer({ ...minio.environment, LABSCALE_S3_ENDPOINT: endpoint });
      for (const [id, body] of [
        ['createPlan', promotion],
        ['createRun', { promotion, name: 'a run' }]
      ] as const) {
        const problem = await server.problem(id, { body, headers: { 'idempotency-key': id } });
        expect([id, problem.code]).toEqual([id, 'STORE_UNSUITED']);
        expect(problem.detail).toContain('If-None-Match');
      }
      expect(await health()).toEqual({
        status: 'degraded',
        code: 'STORE_UNSUITED',
        title: 'The object store cannot keep results safe'
      });
      // All else goes on.
      expect((await server.call('listDatasets')).items).toEqual([]);
    } finally {
      careless.close();
      careless.closeAllConnections();
    }
  });

  test('knows no conditional PUT at all is unsuited too', async () => {
    const proxy = await startStoreProxy(minio.endpoint);
    proxy.rule = ({ headers }) =>
      headers['if-none-match'] === undefined ? undefined : { kind: 'answer', status: 501, code: 'NotImplemented' };
    try {
      server = await startTestServer({ ...minio.environment, LABSCALE_S3_ENDPOINT: proxy.endpoint });
      expect((await server.problem('createPlan', { body: promotion })).code).toBe('STORE_UNSUITED');
    } finally {
      await proxy.close();
    }
  });

  test('has no such bucket is told of to whoever plans, but not its name to whoever has no token', async () => {
    server = await startTestServer({ ...minio.environment, LABSCALE_S3_BUCKET: 'elsewhere' });
    const problem = await server.problem('createPlan', { body: promotion });
    expect(problem.code).toBe('STORE_REFUSED');
    expect(problem.mend).toContain('LABSCALE_S3_');
    expect(JSON.stringify(await health())).not.toContain('elsewhere');
  });

  test('is found again after it was away', async () => {
    const proxy = await startStoreProxy(minio.endpoint);
    proxy.rule = () => ({ kind: 'answer', status: 403, code: 'AccessDenied' });
    try {
      server = await startTestServer({ ...minio.environment, LABSCALE_S3_ENDPOINT: proxy.endpoint });
      expect((await server.problem('createPlan', { body: promotion })).code).toBe('STORE_REFUSED');
      proxy.rule = undefined;
      await until(async () => (await server!.problem('createPlan', { body: promotion })).code !== 'STORE_REFUSED');
      expect(await health()).toEqual({ status: 'ok' });
    } finally {
      await proxy.close();
    }
  });

  const until = async (holds: () => Promise<boolean>) => {
    while (!(await holds())) await new Promise((give) => setTimeout(give, 200));
  };

  test('is a bucket works in the bundled server, whose files show no secret but to its workers', async () => {
    const bundle = await bundleServer();
    const project = await mkdtemp(join(tmpdir(), 'labscale-test-'));
    const started = await startServerProcess(bundle.file, project, minio.environment);
    try {
      expect((await started.call('getServer')).objects).toBe('minio');
      await expect(started.call('createPlan', { body: promotion })).rejects.toThrow('NOT_FOUND');
      // Workers outlive their server and go on to publish; nobody else may read what they need for it.
      const keys = join(started.dataFolder, 'object-store.json');
      expect((await stat(keys)).mode & 0o777).toBe(0o600);
      await rm(keys);
      for (const name of await readdir(started.dataFolder)) {
        const content = await readFile(join(started.dataFolder, name), 'latin1').catch(() => '');
        expect([name, content.includes(minio.secretKey)]).toEqual([name, false]);
      }
    } finally {
      await started.stop();
      await bundle.remove();
      await rm(project, { recursive: true });
    }
  });
});
