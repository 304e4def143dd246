import { execFile } from 'node:child_process';
import { X509Certificate, createPrivateKey, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { mayStandFor } from '../src/images/registry-address.js';
import { RegistryClient } from '../src/images/registry-client.js';
import { ProblemError } from '../src/problem-error.js';
import { digestOfBytes, missingForRegistry, startRegistry, type ImageRegistry } from './image-registry.js';

const run = promisify(execFile);
const missing = missingForRegistry();
if (missing !== undefined) console.warn(`skipped: the tests of a real registry: ${missing}`);
const withRegistry = missing === undefined ? describe : describe.skip;

const indexType = 'application/vnd.oci.image.index.v1+json';
const manifestType = 'application/vnd.oci.image.manifest.v1+json';
const configType = 'application/vnd.oci.image.config.v1+json';

function clientFor(...hosts: string[]): RegistryClient {
  return new RegistryClient(hosts.map((registry) => ({ registry, plain: true })));
}

async function problemOf(asked: Promise<unknown>) {
  const error = await asked.then(
    (answer) => new Error(`resolved to ${JSON.stringify(answer)}`),
    (thrown: unknown) => thrown
  );
  if (!(error instanceof ProblemError)) throw error as Error;
  expect(error.more.field).toBe('body/image');
  expect(error.more.mend).toMatch(/[.?]$/);
  return [error.code, error.detail] as const;
}

/** A server of one test that counts who connects; ended with it. */
const servers: Server[] = [];
async function listen(answer: RequestListener, make: (answer: RequestListener) => Server = createServer) {
  const server = make(answer);
  let connections = 0;
  server.on('connection', () => (connections += 1));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: (server.address() as AddressInfo).port, connections: () => connections };
}
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

withRegistry('a real registry', () => {
  let registry: ImageRegistry;
  beforeAll(async () => {
    registry = await startRegistry();
  });
  afterAll(async () => {
    await registry.stop();
  });

  test('a tag gives the digest and what the image starts with; the digest gives the same', async () => {
    const digest = await registry.push('lab/tool:1.0', {
      Entrypoint: ['/bin/busybox', 'cat'],
      Cmd: ['{x}', ''],
      WorkingDir: '/work'
    });
    const reference = `${registry.host}/lab/tool:1.0`;
    const resolved = {
      ...{ digest, entrypoint: ['/bin/busybox', 'cat'], workingDirectory: '/work', defaultCommand: ['{x}', ''] }
    };
    const client = clientFor(registry.host);
    expect(await client.resolve(reference)).toEqual({ ...resolved, reference });
    for (const other of [`${registry.host}/lab/tool@${digest}`, `${registry.host}/lab/tool:gone@${digest}`]) {
      expect(await client.resolve(other)).toEqual({ ...resolved, reference: other });
    }
  });

  test('an image that says nothing of itself', async () => {
    await registry.push('bare:1', {});
    const resolved = await clientFor(registry.host).resolve(`${registry.host}/bare:1`);
    expect(resolved).toMatchObject({ entrypoint: [], defaultCommand: [], workingDirectory: null });
  });

  test('of an index the image for the machines is taken, and none for another', async () => {
    const digests = {
      arm64: await registry.push('many:arm64', { Cmd: ['arm64'] }, 'arm64'),
      amd64: await registry.push('many:amd64', { Cmd: ['amd64'] })
    };
    const entry = async (architecture: 'arm64' | 'amd64', os = 'linux') => {
      const answer = await fetch(`http://${registry.host}/v2/many/manifests/${digests[architecture]}`, {
        headers: { accept: manifestType }
      });
      const size = Buffer.byteLength(await answer.text());
      return { mediaType: manifestType, digest: digests[architecture], size, platform: { os, architecture } };
    };
    const index = (...manifests: object[]) => ({ schemaVersion: 2, mediaType: indexType, manifests });
    await registry.putManifest('many', 'all', indexType, index(await entry('arm64'), await entry('amd64')));
    const resolve = (tag: string, architecture: string) =>
      new RegistryClient([{ registry: registry.host, plain: true }], architecture).resolve(
        `${registry.host}/many:${tag}`
      );
    expect(await resolve('all', 'amd64')).toMatchObject({ digest: digests.amd64, defaultCommand: ['amd64'] });
    expect(await resolve('all', 'arm64')).toMatchObject({ digest: digests.arm64, defaultCommand: ['arm64'] });
    await registry.putManifest('many', 'one', indexType, index(await entry('arm64'), await entry('amd64', 'unknown')));
    expect(await problemOf(resolve('one', 'amd64'))).toEqual([
      'IMAGE_INVALID',
      `The image "${registry.host}/many:one" is there for linux/arm64, not for linux/amd64.`
    ]);
    expect(await problemOf(resolve('arm64', 'amd64'))).toEqual([
      'IMAGE_INVALID',
      `The image "${registry.host}/many:arm64" is for linux/arm64, not for linux/amd64.`
    ]);
  });

  test('what is not there, and what is no image', async () => {
    const client = clientFor(registry.host);
    const digest = `sha256:${'0'.repeat(64)}`;
    for (const name of ['nothing:1', `nothing@${digest}`]) {
      expect((await problemOf(client.resolve(`${registry.host}/${name}`)))[0]).toBe('IMAGE_NOT_FOUND');
    }
    const config = Buffer.from('{"name": "chart"}');
    const descriptor = { digest: await registry.putBlob('chart', config), size: config.length };
    await registry.putManifest('chart', '1', manifestType, {
      ...{ schemaVersion: 2, mediaType: manifestType, layers: [] },
      config: { mediaType: 'application/vnd.cncf.helm.config.v1+json', ...descriptor }
    });
    expect((await problemOf(client.resolve(`${registry.host}/chart:1`)))[1]).toContain('is not an image');
    const odd = Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', config: { Entrypoint: 'sh -c' } }));
    await registry.putManifest('odd', '1', manifestType, {
      ...{ schemaVersion: 2, mediaType: manifestType, layers: [] },
      config: { mediaType: configType, digest: await registry.putBlob('odd', odd), size: odd.length }
    });
    expect((await problemOf(client.resolve(`${registry.host}/odd:1`)))[1]).toContain('has an entrypoint that');
  });

  test('where a registry asks for a token, one for this repository is fetched from a host that may be asked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-token-'));
    const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=tokens', '-days', '2'],
      ...['-keyout', key, '-out', certificate]
    ]);
    const der = new X509Certificate(await readFile(certificate)).raw.toString('base64');
    const privateKey = createPrivateKey(await readFile(key));
    const asked: string[] = [];
    const tokens = await listen((request, response) => {
      const url = new URL(request.url!, 'http://tokens');
      asked.push(url.search);
      const [type, name, action] = (url.searchParams.get('scope') ?? '').split(':');
      const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const now = Math.floor(Date.now() / 1_000);
      const content = `${part({ typ: 'JWT', alg: 'RS256', x5c: [der] })}.${part({
        ...{ iss: 'tokens', aud: 'registry', sub: '', jti: 'a', iat: now, nbf: now - 10, exp: now + 60 },
        access: [{ type, name, actions: [action] }]
      })}`;
      const signature = sign('sha256', Buffer.from(content), privateKey).toString('base64url');
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ token: `${content}.${signature}` }));
    });
    const digest = await registry.push('public:1', { Cmd: ['true'] });
    const realm = `http://127.0.0.1:${tokens.port}/token`;
    const more = `auth: { token: { realm: "${realm}", service: registry, issuer: tokens, rootcertbundle: ${certificate} } }`;
    const guarded = await startRegistry({ more, storage: registry.folder });
    try {
      const both = clientFor(guarded.host, `127.0.0.1:${tokens.port}`);
      expect(await both.resolve(`${guarded.host}/public:1`)).toMatchObject({ digest, defaultCommand: ['true'] });
      expect(asked).toEqual(['?service=registry&scope=repository%3Apublic%3Apull']);
      const connections = tokens.connections();
      const [code, detail] = await problemOf(clientFor(guarded.host).resolve(`${guarded.host}/public:1`));
      expect(code).toBe('REGISTRY_NOT_ALLOWED');
      expect(detail).toContain(`may not ask http://127.0.0.1:${tokens.port}`);
      expect(tokens.connections()).toBe(connections);
    } finally {
      await guarded.stop();
      await rm(folder, { recursive: true });
    }
  });

  test('a registry that wants a login says so', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-login-'));
    const more = `auth: { htpasswd: { realm: staff, path: ${join(folder, 'htpasswd')} } }`;
    const guarded = await startRegistry({ more });
    try {
      const [code, detail] = await problemOf(clientFor(guarded.host).resolve(`${guarded.host}/public:1`));
      expect(code).toBe('IMAGE_NOT_FOUND');
      expect(detail).toContain('asks for a login');
    } finally {
      await guarded.stop();
      await rm(folder, { recursive: true });
    }
  });
});

describe('what may be asked', () => {
  test('a registry that is not listed: no socket is opened to it', async () => {
    const other = await listen((_, response) => response.end());
    for (const host of [`127.0.0.1:${other.port}`, `localhost:${other.port}`, `[::1]:${other.port}`]) {
      const [code, detail] = await problemOf(clientFor('registry.example').resolve(`${host}/a:1`));
      expect([code, detail]).toEqual(['REGISTRY_NOT_ALLOWED', expect.stringContaining(`may not ask ${host}`)]);
    }
    for (const host of ['169.254.169.254', '10.0.0.1:5000', 'registry.example:5000']) {
      expect((await problemOf(clientFor('registry.example').resolve(`${host}/a:1`)))[0]).toBe('REGISTRY_NOT_ALLOWED');
    }
    expect(other.connections()).toBe(0);
    expect(await problemOf(new RegistryClient([]).resolve('registry.example/a:1'))).toEqual([
      'REGISTRY_NOT_ALLOWED',
      'This server may ask no image registry, so no image can be registered.'
    ]);
  });

  test('a listed name that stands for this machine', async () => {
    const own = await listen((_, response) => response.end());
    // Other names that the system's look-up has for this machine, as a name would be that somebody pointed there.
    const names = readFileSync('/etc/hosts', 'utf8')
      .split('\n')
      .map((line) => line.replace(/#.*/, '').trim().split(/\s+/))
      .flatMap(([address, ...others]) => (/^(127\.|::1$)/.test(address!) ? others : []))
      .filter((name) => name !== 'localhost');
    if (names.length === 0) console.warn('skipped: names of this machine: /etc/hosts has none but localhost');
    for (const name of names.map((of) => `${of}:${own.port}`)) {
      const [code, detail] = await problemOf(clientFor(name).resolve(`${name}/a:1`));
      expect([code, detail]).toEqual(['REGISTRY_NOT_ALLOWED', expect.stringMatching(/stands for (127\.|::1)/)]);
    }
    expect(own.connections()).toBe(0);
    expect((await problemOf(clientFor(`localhost:${own.port}`).resolve(`localhost:${own.port}/a:1`)))[0]).toBe(
      'IMAGE_INVALID'
    );
    expect(own.connections()).toBe(1);
  });

  test.each([
    ['203.0.113.7', true],
    ['10.1.2.3', true],
    ['192.168.0.1', true],
    ['2001:db8::1', true],
    ['127.0.0.53', false],
    ['0.0.0.0', false],
    ['169.254.169.254', false],
    ['255.255.255.255', false],
    ['::1', false],
    ['::', false],
    ['fe80::1', false],
    ['::ffff:127.0.0.1', false],
    ['::ffff:169.254.169.254', false],
    ['not an address', false]
  ])('a name may stand for %s: %s', (address, may) => {
    expect(mayStandFor('registry.example', address)).toBe(may);
  });

  test('redirects lead only to listed places, by the listed protocol, and take no token along', async () => {
    const seen: string[] = [];
    const body = JSON.stringify({ mediaType: 'nothing' });
    const blobs = await listen((request, response) => {
      seen.push(`${request.url} ${request.headers.authorization ?? '-'}`);
      response.end(body);
    });
    const places: string[] = [];
    const registry = await listen((request, response) => {
      if (request.url!.startsWith('/token')) return void response.end(JSON.stringify({ token: 'abc' }));
      if (request.headers.authorization !== 'Bearer abc') {
        response.setHeader('www-authenticate', `Bearer realm="http://${request.headers.host}/token"`);
        response.statusCode = 401;
      } else {
        response.statusCode = 307;
        response.setHeader('location', places.shift() ?? request.url!);
      }
      response.end();
    });
    const [host, other] = [`127.0.0.1:${registry.port}`, `127.0.0.1:${blobs.port}`];
    const follow = (place: string, ...listed: string[]) => {
      places.splice(0, places.length, place);
      return problemOf(clientFor(host, ...listed).resolve(`${host}/a:1`));
    };
    expect((await follow(`http://${other}/x`))[0]).toBe('REGISTRY_NOT_ALLOWED');
    expect((await follow('http://169.254.169.254/latest/meta-data'))[0]).toBe('REGISTRY_NOT_ALLOWED');
    expect((await follow(`https://${other}/x`, other))[0]).toBe('REGISTRY_NOT_ALLOWED');
    expect((await follow('file:///etc/passwd', other))[0]).toBe('REGISTRY_NOT_ALLOWED');
    expect((await follow('http://[', other))[0]).toBe('REGISTRY_NOT_ALLOWED');
    expect(blobs.connections()).toBe(0);
    expect((await follow(`http://${other}/x`, other))[1]).toContain('is not an image');
    expect(seen).toEqual(['/x -']);
    expect(await follow('')).toEqual(['REGISTRY_UNAVAILABLE', expect.stringContaining('redirected more than 5 times')]);
  });

  test('a registry that lies, floods, breaks or is not there', async () => {
    const answers: Record<string, RequestListener> = {
      lies: (_, response) => response.end('{}'),
      floods: (_, response) => response.end(Buffer.alloc(4_194_305, ' ')),
      breaks: (request) => request.socket.destroy(),
      is_ill: (_, response) => response.writeHead(503).end(),
      chats: (_, response) => response.end('<html></html>')
    };
    const { port } = await listen((request, response) => answers[request.url!.split('/')[2]!]!(request, response));
    const host = `127.0.0.1:${port}`;
    const ask = (name: string) => problemOf(clientFor(host).resolve(`${host}/${name}`));
    const digest = digestOfBytes('something');
    expect((await ask(`lies@${digest}`))[1]).toContain(`${digest} was asked for, ${digestOfBytes('{}')} came`);
    expect(await ask('floods:1')).toEqual(['IMAGE_INVALID', expect.stringContaining('more than 4194304 bytes')]);
    expect(await ask('breaks:1')).toEqual(['REGISTRY_UNAVAILABLE', expect.stringContaining('ECONNRESET')]);
    expect(await ask('is_ill:1')).toEqual(['REGISTRY_UNAVAILABLE', expect.stringContaining('status 503')]);
    expect((await ask('chats:1'))[1]).toContain('is not JSON');
    expect((await ask('lies:1'))[1]).toContain('is not an image');
    servers[0]!.closeAllConnections();
    await new Promise((resolve) => servers.splice(0, 1)[0]!.close(resolve));
    expect(await ask('lies:1')).toEqual(['REGISTRY_UNAVAILABLE', expect.stringContaining('ECONNREFUSED')]);
  });

  test('a certificate that nobody vouches for', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'labscale-tls-'));
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject],
      ...['-keyout', key, '-out', cert]
    ]);
    const pair = { key: await readFile(key), cert: await readFile(cert) };
    const { port } = await listen(
      (_, response) => response.end('{}'),
      (answer) => createSecureServer(pair, answer)
    );
    const registry = `127.0.0.1:${port}`;
    const asked = new RegistryClient([{ registry, plain: false }]).resolve(`${registry}/a:1`);
    expect(await problemOf(asked)).toEqual([
      'REGISTRY_UNAVAILABLE',
      expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT')
    ]);
    await rm(folder, { recursive: true });
  });
});
