import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { apiPrefix } from '@labscale/schema';
import { leftovers, makeCommandAnalysis, makeDataset, makeSet, promote, runIn, until } from './run-fixtures.js';
import {
  bundleServer,
  refusedStart,
  startServerProcess,
  tokenOfTheTest,
  type Environment,
  type ServerProcess
} from './server-process.js';

let bundled: Awaited<ReturnType<typeof bundleServer>>;
beforeAll(async () => {
  bundled = await bundleServer();
});
afterAll(() => bundled.remove());

let project: string;
let data: string;
let connection: string;
const running: ServerProcess[] = [];
beforeEach(async () => {
  project = await mkdtemp(join(tmpdir(), 'labscale-lifecycle-'));
  data = join(project, '.labscale');
  connection = join(data, 'server.json');
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.kill();
  await rm(project, { recursive: true, force: true });
});

async function start(environment: Environment = {}): Promise<ServerProcess> {
  const server = await startServerProcess(bundled.file, project, environment);
  running.push(server);
  return server;
}
const refused = (environment: Environment = {}) => refusedStart(bundled.file, project, environment);

/** All bytes below the data folder but those of the server's log and lock, and of SQLite's index of its own log. */
async function filesOf(folder: string): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name);
    if (!/^(server\.log|lock\.sqlite|metadata\.sqlite-shm)/.test(name) && (await stat(path)).isFile())
      files[name] = (await readFile(path)).toString('base64');
  }
  return files;
}

describe('the connection file', () => {
  test('is for its owner only, whatever the umask, says how to reach the server, and goes with it', async () => {
    const before = process.umask(0);
    const server = await start().finally(() => process.umask(before));
    expect((await stat(connection)).mode & 0o777).toBe(0o600);
    expect((await stat(data)).mode & 0o777).toBe(0o700);
    expect(JSON.parse(await readFile(connection, 'utf8'))).toEqual({
      url: server.url,
      token: tokenOfTheTest,
      pid: server.pid,
      version: (await server.call('getServer')).version
    });
    await server.stop();
    expect(server.exitCode()).toBe(0);
    expect(existsSync(connection)).toBe(false);
    expect((await readdir(data)).filter((name) => name.startsWith('server.json'))).toEqual([]);
  });

  test('has a token made anew where none is given', async () => {
    const tokens = [];
    for (let round = 0; round < 2; round++) {
      const server = await start({ LABSCALE_TOKEN: undefined });
      const { token } = JSON.parse(await readFile(connection, 'utf8')) as { token: string };
      tokens.push(token);
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${server.url}${apiPrefix}/server`, { headers })).status).toBe(200);
      await server.stop();
    }
    expect(tokens[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(tokens[1]).not.toBe(tokens[0]);
  });

  test.each(['{"url":"http://127.0.0.1:9","token":"old","pid":1,"version":"0.0.1"}', '{"url":', ''])(
    'of a server that was killed is replaced: %j',
    async (stale) => {
      await mkdir(data, { mode: 0o700 });
      await writeFile(connection, stale);
      const server = await start();
      expect(JSON.parse(await readFile(connection, 'utf8'))).toMatchObject({ url: server.url, pid: server.pid });
      expect((await stat(connection)).mode & 0o777).toBe(0o600);
    }
  );

  test.each(['{"url":"http://127.0.0.1:9","token":"other","pid":1,"version":"9.9.9"}', 'half of it {'])(
    'that another wrote since then is left alone at the stop: %j',
    async (other) => {
      const server = await start();
      await writeFile(connection, other);
      await server.stop();
      expect(server.exitCode()).toBe(0);
      expect(await readFile(connection, 'utf8')).toBe(other);
    }
  );
});

describe('a start is refused', () => {
  test('where the port is taken, with the port and the mend; the connection file is as it was', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    try {
      const { port } = other.address() as AddressInfo;
      await mkdir(data, { mode: 0o700 });
      await writeFile(connection, 'as it was');
      const { code, said, listened } = await refused({ LABSCALE_PORT: String(port) });
      expect(said).toBe(
        `labscale: Port ${port} of 127.0.0.1 is taken by another program; set LABSCALE_PORT to another one, or to 0 for any that is free.\n`
      );
      expect(code).toBe(1);
      expect(listened).toBe('');
      expect(await readFile(connection, 'utf8')).toBe('as it was');
    } finally {
      other.close();
    }
    // The folder is free again.
    await start();
  });

  test('where another server holds the folder, with its own exit code; that one goes on', async () => {
    const first = await start();
    const before = await readFile(connection, 'utf8');
    const { code, said } = await refused();
    expect(said).toBe(`labscale: Another labscale server holds ${data}; use that one, or stop it first.\n`);
    expect(code).toBe(2);
    expect(await readFile(connection, 'utf8')).toBe(before);
    await first.call('getServer');
    await first.kill();
    // A killed one leaves no trace that keeps the next from starting.
    await start();
  });

  // A later version may keep another journal than this one.
  test.each(['WAL', 'WAL, not closed', 'DELETE'])(
    'where the database is of a newer version, which stays as it is byte for byte (%s)',
    async (mode) => {
      const server = await start();
      await makeDataset(server, 3);
      await server.stop();
      const file = join(data, 'metadata.sqlite');
      const database = new DatabaseSync(file);
      database.exec(
        `PRAGMA journal_mode = ${mode.split(',')[0]}; INSERT INTO kysely_migration VALUES ('0099-later', '2027-01-01')`
      );
      if (mode !== 'WAL, not closed') database.close();
      const before = await filesOf(data);
      const { code, said } = await refused();
      expect(said).toContain('made by a newer version of labscale (it has 0099-later). Install that version');
      expect(said.split('\n')).toHaveLength(2);
      expect(code).toBe(1);
      const after = await filesOf(data);
      expect(Object.keys(after)).toEqual(Object.keys(before));
      expect(after).toEqual(before);
      if (database.isOpen) database.close();
    }
  );

  test('where the database is none, with the file and the mend', async () => {
    await mkdir(data, { mode: 0o700 });
    await writeFile(join(data, 'metadata.sqlite'), 'this is no database, but a text that is long enough to be read\n');
    const { code, said } = await refused();
    expect(said).toContain(`labscale: The database ${data}/metadata.sqlite cannot be opened (`);
    expect(said).toContain('move it away to start with an empty one');
    expect(code).toBe(1);
  });

  test.each<[string, string | undefined, RegExp]>([
    ['LABSCALE_PROJECT', '/dev/null/project', /is not a folder/],
    ['LABSCALE_DATA', 'relative', /must be an absolute path/],
    ['LABSCALE_DATA', '/dev/null/data', /cannot be made/],
    ['LABSCALE_HOST', '', /must name an address/],
    ['LABSCALE_HOST', '192.0.2.1', /cannot listen/],
    ['LABSCALE_PORT', 'http', /whole number from 0 to 65535/],
    ['LABSCALE_PORT', '-1', /whole number/],
    ['LABSCALE_PORT', '65536', /whole number/],
    ['LABSCALE_PORT', '0x50', /whole number/],
    ['LABSCALE_PORT', ' 80', /whole number/],
    ['LABSCALE_TOKEN', 'two words', /one word/],
    ['LABSCALE_TOKEN', 'wörd', /one word/],
    ['LABSCALE_HELPERS', undefined, /must name the folder/],
    ['LABSCALE_HELPERS', '/dev', /labscale\/worker\.py/],
    ['LABSCALE_CPUS', '0', /whole number from 1 to 1024/],
    ['LABSCALE_CPUS', 'two', /whole number/],
    ['LABSCALE_CPUS', '1.5', /whole number/],
    ['LABSCALE_MEMORY_BYTES', '8GB', /whole number from 16777216/],
    ['LABSCALE_MEMORY_BYTES', '1', /whole number/],
    ['LABSCALE_LOG_LEVEL', 'loud', /fatal, error, warn, info, debug, trace/],
    ['LABSCALE_METADATA', 'postgres', /it can be sqlite/],
    ['LABSCALE_OBJECTS', 's3', /it can be local/],
    ['LABSCALE_RUNNER', 'slurm', /it can be local, kubernetes/],
    ['LABSCALE_RUNNER', 'kubernetes', /set LABSCALE_OBJECTS to minio/],
    ['LABSCALE_FAULT_POINT', 'somewhere:1', /NAME:NTH/]
  ])('where %s is %j, by one line that names it', async (name, value, why) => {
    const { code, said, listened } = await refused({ [name]: value });
    expect(said).toMatch(why);
    expect(said).toContain(name);
    expect(said).toMatch(/^labscale: .*\n$/);
    if (name === 'LABSCALE_TOKEN') expect(said).not.toContain(value);
    expect(code).toBe(1);
    expect(listened).toBe('');
    expect(existsSync(connection)).toBe(false);
  });
});

/** A connection on which a test writes by hand, and what came back on it. */
async function openSocket(url: string): Promise<{ socket: Socket; heard: () => string }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, 'connect');
  let heard = '';
  socket.setEncoding('utf8').on('data', (part: string) => (heard += part));
  return { socket, heard: () => heard };
}

const authorization = `Authorization: Bearer ${tokenOfTheTest}\r\nHost: labscale`;

describe('SIGTERM', () => {
  test('lets a request that is under way end well, and refuses those that come', async () => {
    const server = await start();
    const body = JSON.stringify({ kind: 'command', name: 'under way', command: ['true'] });
    const underWay = await openSocket(server.url);
    const late = await openSocket(server.url);
    underWay.socket.write(
      `POST ${apiPrefix}/analyses HTTP/1.1\r\n${authorization}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 9)}`
    );
    // An answer on a third connection: what was written before has been read.
    await server.call('getServer');
    process.kill(server.pid, 'SIGTERM');
    await until(
      async () => existsSync(connection),
      (there) => !there
    );
    late.socket.write(`GET ${apiPrefix}/server HTTP/1.1\r\n${authorization}\r\n\r\n`);
    await once(late.socket, 'close');
    expect(late.heard()).toMatch(/^HTTP\/1.1 503 /);
    expect(late.heard()).toContain('"code":"STOPPING"');
    underWay.socket.write(body.slice(9));
    await once(underWay.socket, 'close');
    expect(underWay.heard()).toMatch(/^HTTP\/1.1 201 /);
    expect(await server.gone).toBeNull();
    expect(server.exitCode()).toBe(0);

    const next = await start();
    expect((await next.call('listAnalyses')).items.map(({ name }) => name)).toEqual(['under way']);
  });

  test('ends the streams of events', async () => {
    const server = await start();
    const headers = { authorization: `Bearer ${tokenOfTheTest}` };
    const stream = await fetch(`${server.url}${apiPrefix}/events`, { headers });
    process.kill(server.pid, 'SIGTERM');
    expect(await stream.text()).toMatch(/^id: /);
    expect(await server.gone).toBeNull();
    expect(server.exitCode()).toBe(0);
  });

  test('leaves a run to its workers, which the next server takes over: nothing runs twice', async () => {
    const server = await start();
    const gate = join(project, 'gate');
    const dataset = await makeDataset(server, 2);
    const analysisVersionId = await makeCommandAnalysis(
      server,
      `while [ ! -e ${gate} ]; do sleep 0.05; done; echo $LABSCALE_TASK > "$LABSCALE_OUTPUT/n.txt"`
    );
    const set = await makeSet(server, analysisVersionId);
    const { id: runId } = await promote(server, {
      analysisVersionId,
      parameterSetVersionIds: [set],
      datasetVersionId: dataset.latestVersion.id
    });
    await until(
      () => server.call('getRun', { params: { runId } }),
      ({ counts }) => counts.running === 2
    );
    // It does not wait for the tasks: they cannot end before the gate is open.
    await server.stop();
    expect(server.exitCode()).toBe(0);
    expect(existsSync(connection)).toBe(false);
    expect(await leftovers(data, runId)).not.toEqual([]);

    const next = await start();
    await writeFile(gate, '');
    const run = await runIn(next, runId, 'succeeded');
    expect(run.derivatives?.shardCount).toBe(2);
    for (const index of [0, 1]) {
      const { items } = await next.call('listAttempts', { params: { runId, index } });
      expect(items.map(({ state, published }) => [state, published])).toEqual([['succeeded', true]]);
    }
    await until(
      () => leftovers(data, runId),
      (found) => found.length === 0
    );
  });
});

test('the token is in no log, whatever goes wrong', async () => {
  const token = 'canary-of-the-token';
  const server = await start({ LABSCALE_TOKEN: token, LABSCALE_LOG_LEVEL: 'trace' });
  const ask = (path: string, more: RequestInit = {}) =>
    fetch(server.url + path, { ...more, headers: { authorization: `Bearer ${token}`, ...more.headers } });
  expect((await ask(`${apiPrefix}/server`)).status).toBe(200);
  expect((await ask(`${apiPrefix}/nowhere?token=${token}`)).status).toBe(404);
  expect((await ask(`${apiPrefix}/datasets?search=${token}x&cursor=1`)).status).toBe(400);
  const bad = { authorization: `Bearer ${token}x` };
  expect((await ask(`${apiPrefix}/server`, { headers: bad })).status).toBe(401);
  const body = JSON.stringify({ kind: 'command', name: 'prints', command: ['sh', '-c', 'env; exit 1'] });
  const headers = { 'content-type': 'application/json' };
  expect((await ask(`${apiPrefix}/analyses`, { method: 'POST', body, headers })).status).toBe(201);
  // An error of the server's own is logged whole.
  await rm(join(data, 'objects'), { recursive: true });
  await writeFile(join(data, 'objects'), '');
  const notebook = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 };
  const lost = JSON.stringify({ kind: 'notebook', path: 'a.ipynb', notebook, contract: { parameters: [] } });
  expect((await ask(`${apiPrefix}/analyses`, { method: 'POST', body: lost, headers })).status).toBeGreaterThanOrEqual(
    500
  );
  await server.stop();
  const log = await readFile(join(data, 'server.log'), 'utf8');
  expect(log).toContain('request failed');
  expect(log).toContain(`${apiPrefix}/server`);
  expect(log).not.toContain(token);
  expect((await stat(join(data, 'server.log'))).mode & 0o077).toBe(0);
});
