import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { jest } from '@jest/globals';
import { build } from 'esbuild';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { Secret, type S3Settings } from '../src/objects/s3-settings.js';
import { askSigned } from '../src/objects/signed-request.js';
import { ProblemError } from '../src/problem-error.js';
import { createUser } from './minio-admin.js';
import { describeWithMinio, settingsOf, startMinio, type MinioServer } from './minio-server.js';
import { canMount } from './small-disk.js';
import { startStoreProxy, type StoreProxy } from './store-proxy.js';

const mebibyte = 1_048_576;
const quick = { attempts: 4, firstWaitMs: 1, longestWaitMs: 5 };

const problemOf = async (act: Promise<unknown>): Promise<ProblemError> => {
  try {
    await act;
  } catch (error) {
    if (error instanceof ProblemError) return error;
    throw error;
  }
  throw new Error('it succeeded');
};

/** What a client reads of it. */
const said = (problem: ProblemError) => JSON.stringify(problem.toProblem());

function* chunksOf(mebibytes: number): Generator<Buffer> {
  for (let n = 0; n < mebibytes; n++) yield Buffer.alloc(mebibyte, n);
}

describeWithMinio('the object store on MinIO', () => {
  let minio: MinioServer;
  let settings: S3Settings;
  let store: S3ObjectStore;
  let proxy: StoreProxy;
  /** Through the proxy. */
  let far: S3ObjectStore;
  beforeAll(async () => {
    minio = await startMinio({ dataBuckets: ['scans'] });
    settings = settingsOf(minio);
    store = new S3ObjectStore(settings, quick);
    proxy = await startStoreProxy(minio.endpoint);
    far = new S3ObjectStore({ ...settings, endpoint: proxy.endpoint }, quick);
  });
  beforeEach(() => {
    proxy.rule = undefined;
    proxy.requests = [];
  });
  afterAll(async () => {
    await proxy.close();
    await minio.stop();
  });

  describe('of 20 publishers at once', () => {
    const race = async (
      rounds: number,
      publish: (publisher: S3ObjectStore, key: string, body: Buffer) => Promise<boolean>
    ) => {
      const publishers = Array.from({ length: 20 }, () => new S3ObjectStore(settings, quick));
      let overwrites = 0;
      for (let round = 0; round < rounds; round++) {
        const key = `claims/${randomUUID()}.json`;
        const won = await Promise.all(publishers.map((one, n) => publish(one, key, Buffer.from(String(n)))));
        const winners = won.flatMap((is, n) => (is ? [n] : []));
        const kept = (await store.get(key))?.toString();
        if (winners.length !== 1 || String(winners[0]) !== kept) overwrites++;
      }
      return overwrites;
    };

    test('exactly one wins, and its bytes stay, 200 times', async () => {
      expect(await race(200, (one, key, body) => one.putIfAbsent(key, body))).toBe(0);
    }, 300_000);

    test('without the condition the race is lost, which the same count sees', async () => {
      const unconditional = async (one: S3ObjectStore, key: string, body: Buffer) => {
        await one.put(key, body);
        return true;
      };
      expect(await race(3, unconditional)).toBeGreaterThan(0);
    });
  });

  test('the condition is on the wire as the header that S3 knows', async () => {
    expect(await far.putIfAbsent('wire/1', Buffer.from('x'))).toBe(true);
    expect(proxy.requests.map(({ headers }) => headers['if-none-match'])).toEqual(['*']);
    expect(proxy.requests[0]!.headers['authorization']).toContain('if-none-match');
  });

  test('a claim whose answer was lost is known as its own', async () => {
    let lost = false;
    proxy.rule = ({ method }) => {
      if (method !== 'PUT' || lost) return undefined;
      lost = true;
      return { kind: 'lose-answer' };
    };
    expect(await far.putIfAbsent('lost/answer', Buffer.from('mine'))).toBe(true);
    expect(proxy.requests.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'HEAD']);
  });

  test('a claim that another one took meanwhile is not its own, however equal the bytes', async () => {
    let lost = false;
    proxy.rule = ({ method }) => {
      if (method !== 'PUT') return undefined;
      if (lost)
        return { kind: 'first', act: async () => void (await store.putIfAbsent('lost/race', Buffer.from('x'))) };
      lost = true;
      return { kind: 'lose-request' };
    };
    expect(await far.putIfAbsent('lost/race', Buffer.from('x'))).toBe(false);
  });

  describe('where the store fails for a while', () => {
    test.each([503, 500, 429])('%i is tried again, as often as was said and no more', async (status) => {
      let failures = 2;
      proxy.rule = () => (failures-- > 0 ? { kind: 'answer', status, code: 'SlowDown' } : undefined);
      await far.put('tried/again', Buffer.from('x'));
      expect(proxy.requests).toHaveLength(3);
      proxy.requests = [];
      proxy.rule = () => ({ kind: 'answer', status, code: 'SlowDown' });
      for (const act of [() => far.put('a', Buffer.from('x')), () => far.head('a'), () => far.list('')]) {
        proxy.requests = [];
        const problem = await problemOf(act());
        expect([problem.code, proxy.requests.length]).toEqual(['STORE_UNAVAILABLE', quick.attempts]);
      }
    });

    test('what it refuses for good is asked once', async () => {
      proxy.rule = () => ({ kind: 'answer', status: 403, code: 'AccessDenied' });
      expect((await problemOf(far.put('a', Buffer.from('x')))).code).toBe('STORE_REFUSED');
      expect(proxy.requests).toHaveLength(1);
    });

    test('a large upload whose completion was done but not answered is done', async () => {
      let lost = false;
      proxy.rule = ({ method, path }) => {
        if (lost || method !== 'POST' || !path.includes('uploadId=')) return undefined;
        lost = true;
        return { kind: 'lose-answer' };
      };
      const info = await far.put('lost/completion', Readable.from(chunksOf(17)));
      expect([lost, info.sizeBytes]).toEqual([true, 17 * mebibyte]);
      expect((await store.head('lost/completion'))?.sizeBytes).toBe(17 * mebibyte);
    });

    test('killed in the middle of an upload, it has all of an object or nothing, and is found again', async () => {
      const before = Buffer.alloc(mebibyte, 'before');
      await store.put('killed/kept', before);
      const body = Readable.from(
        (async function* () {
          let n = 0;
          for (const chunk of chunksOf(20)) {
            if (++n === 18) await minio.kill('SIGKILL');
            yield chunk;
          }
        })()
      );
      expect((await problemOf(store.put('killed/new', body))).code).toBe('STORE_UNAVAILABLE');
      const patient = new S3ObjectStore(settings, { attempts: 200, firstWaitMs: 20, longestWaitMs: 100 });
      const later = patient.put('killed/later', Buffer.from('later'));
      await minio.start();
      await later;
      expect((await store.get('killed/later'))?.toString()).toBe('later');
      expect(await store.head('killed/new')).toBeUndefined();
      expect((await store.get('killed/kept'))?.equals(before)).toBe(true);
      expect((await store.list('killed/')).objects.map(({ key }) => key)).toEqual(['killed/kept', 'killed/later']);
    });
  });

  describe('where an answer breaks off', () => {
    const content = Buffer.from(Array.from({ length: 300_000 }, (_, n) => n % 251));
    beforeAll(() => store.put('cut', content));

    test('it is read on from there, and nothing is lost or doubled', async () => {
      const cuts = [0, 1, 70_000];
      proxy.rule = ({ method }) => {
        const afterBytes = method === 'GET' ? cuts.shift() : undefined;
        return afterBytes === undefined ? undefined : { kind: 'cut-answer', afterBytes };
      };
      expect((await buffer(await far.read('cut'))).equals(content)).toBe(true);
      proxy.requests = [];
      cuts.push(10);
      const part = await buffer(await far.read('cut', { start: 1_000, end: 2_000 }));
      expect(part.equals(content.subarray(1_000, 2_001))).toBe(true);
      expect(proxy.requests.map(({ headers }) => headers['range'])).toEqual(['bytes=1000-2000', 'bytes=1010-2000']);
    });

    test('again and again without a byte, it is an error and never short data', async () => {
      proxy.rule = ({ method }) => (method === 'GET' ? { kind: 'cut-answer', afterBytes: 0 } : undefined);
      const stream = await far.read('cut');
      expect((await problemOf(buffer(stream))).code).toBe('STORE_UNAVAILABLE');
      expect(proxy.requests).toHaveLength(quick.attempts);
      expect((await problemOf(far.get('cut'))).code).toBe('STORE_UNAVAILABLE');
    });

    test('without its length, or as the whole in place of a part, it is an error', async () => {
      proxy.rule = ({ method }) => (method === 'GET' ? { kind: 'shorten-unseen', toBytes: 10 } : undefined);
      expect((await problemOf(far.get('cut'))).code).toBe('STORE_UNAVAILABLE');
      proxy.rule = ({ method }) => (method === 'GET' ? { kind: 'as-whole' } : undefined);
      expect((await problemOf(far.read('cut', { start: 5 }))).code).toBe('STORE_UNAVAILABLE');
    });

    test('it is not read on from another object that took its place', async () => {
      await store.put('replaced', content);
      let cut = false;
      proxy.rule = ({ method }) => {
        if (method !== 'GET') return undefined;
        if (cut) return { kind: 'first', act: async () => void (await store.put('replaced', Buffer.alloc(300_000))) };
        cut = true;
        return { kind: 'cut-answer', afterBytes: 100_000 };
      };
      expect((await problemOf(buffer(await far.read('replaced')))).code).toBe('STATE_CONFLICT');
    });
  });

  describe('large objects', () => {
    /** What lies on the disk of MinIO for uploads that nobody completed. */
    const leftOver = async () => {
      const folder = join(minio.folder, 'data', '.minio.sys', 'multipart');
      const files = await readdir(folder, { recursive: true }).catch(() => []);
      return files.filter((name) => /part\.\d+/.test(name));
    };

    test('come back as they were, and a part may be read', async () => {
      const { sizeBytes } = await store.put('large', Readable.from(chunksOf(21)));
      expect(sizeBytes).toBe(21 * mebibyte);
      const back = await buffer(await store.read('large'));
      expect(back.equals(Buffer.concat([...chunksOf(21)]))).toBe(true);
      const edge = await buffer(await store.read('large', { start: 8 * mebibyte - 1, end: 8 * mebibyte }));
      expect([...edge]).toEqual([7, 8]);
    });

    test('that break off leave what was there, and no parts', async () => {
      await store.put('broken', Buffer.from('whole'));
      const before = (await leftOver()).length;
      let during = 0;
      const body = Readable.from(
        (async function* () {
          yield* chunksOf(20);
          during = (await leftOver()).length;
          throw new Error('broken off');
        })()
      );
      await expect(store.put('broken', body)).rejects.toThrow('broken off');
      expect(during).toBeGreaterThan(before);
      expect(await leftOver()).toHaveLength(before);
      expect((await store.get('broken'))?.toString()).toBe('whole');
    });

    test('take no more memory the larger they are', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'labscale-bundle-'));
      try {
        const file = join(folder, 'store.mjs');
        const banner = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;
        await build({
          stdin: {
            contents: `export * from './s3-object-store.ts'; export * from './s3-settings.ts';`,
            resolveDir: resolve('src/objects')
          },
          ...{ outfile: file, bundle: true, format: 'esm', platform: 'node', target: 'node22', banner: { js: banner } }
        });
        const given = JSON.stringify({ ...settings, secretKey: minio.secretKey });
        const { stdout } = await promisify(execFile)(process.execPath, ['test/put-large.mjs', file, given, '300']);
        const { sizeBytes, readBytes, growthMebibytes } = JSON.parse(stdout) as Record<string, number>;
        expect([sizeBytes, readBytes]).toEqual([300 * mebibyte, 300 * mebibyte]);
        // Parts that are done with are freed when the engine pleases; what held the whole would grow by 300 and more.
        expect(growthMebibytes).toBeLessThanOrEqual(150);
      } finally {
        await rm(folder, { recursive: true });
      }
    });
  });

  test('the first page of a long list is one request, and so is the next', async () => {
    for (let n = 0; n < 1_500; n += 50) {
      await Promise.all(Array.from({ length: 50 }, (_, k) => store.put(`many/${n + k}`, Buffer.from('x'))));
    }
    const first = await far.list('many/', { limit: 100 });
    expect([first.objects.length, proxy.requests.length]).toEqual([100, 1]);
    await far.list('many/', { limit: 100, cursor: first.nextCursor! });
    expect(proxy.requests).toHaveLength(2);
    proxy.requests = [];
    await far.deletePrefix('many/');
    // Two pages, and one request for the keys of each.
    expect(proxy.requests).toHaveLength(4);
    expect((await store.list('many/')).objects).toEqual([]);
  });

  test('a bulk deletion that is refused in part is an error', async () => {
    const policy = {
      Version: '2012-10-17',
      Statement: [
        { Effect: 'Allow', Action: ['s3:ListBucket'], Resource: ['arn:aws:s3:::labscale'] },
        { Effect: 'Allow', Action: ['s3:DeleteObject'], Resource: ['arn:aws:s3:::labscale/kept/a'] }
      ]
    };
    await createUser(minio.root, { accessKey: 'deletes-little', secretKey: 'secret-of-it', policy });
    const weak = new S3ObjectStore(
      { ...settings, accessKey: 'deletes-little', secretKey: new Secret('secret-of-it') },
      quick
    );
    for (const key of ['kept/a', 'kept/b']) await store.put(key, Buffer.from('x'));
    expect((await problemOf(weak.deletePrefix('kept/'))).code).toBe('STORE_REFUSED');
    expect((await store.list('kept/')).objects.map(({ key }) => key)).toEqual(['kept/b']);
  });

  test('another bucket is read by the same store, and objects that are no keys are not shown', async () => {
    for (const key of ['study/', 'study/a.csv', 'study//b', 'c'])
      await askSigned(minio.root, { method: 'PUT', path: `/scans/${key}`, body: key.endsWith('/') ? '' : key });
    const scans = store.inBucket('scans');
    expect((await scans.list('')).objects.map(({ key }) => key)).toEqual(['c', 'study/a.csv']);
    expect((await scans.get('study/a.csv'))?.toString()).toBe('study/a.csv');
    expect((await scans.head('c'))?.sizeBytes).toBe(1);
    expect((await problemOf(scans.put('c', Buffer.from('x')))).code).toBe('STORE_REFUSED');
    expect(await store.head('study/a.csv')).toBeUndefined();
  });

  describe('says in plain words, with the variable that mends it and without a secret,', () => {
    const acts: [string, (of: S3ObjectStore) => Promise<unknown>][] = [
      ['get', (of) => of.get('a')],
      ['head', (of) => of.head('a')],
      ['put', (of) => of.put('a', Buffer.from('x'))],
      ['claim', (of) => of.putIfAbsent('a', Buffer.from('x'))],
      ['list', (of) => of.list('')],
      ['upload', (of) => of.put('a', Readable.from(chunksOf(17)))],
      ['deletion', (of) => of.deletePrefix('a/')]
    ];
    const each = async (change: Partial<S3Settings>, code: string, variable: string, only = acts) => {
      const of = new S3ObjectStore({ ...settings, ...change }, quick);
      for (const [name, act] of only) {
        const problem = await problemOf(act(of));
        expect([name, problem.code, problem.detail]).toEqual([name, code, expect.not.stringContaining('<')]);
        expect([name, problem.more.mend]).toEqual([name, expect.stringContaining(variable)]);
        for (const secret of [minio.secretKey, 'wrong-secret']) expect(said(problem)).not.toContain(secret);
      }
    };

    test('that the access key is unknown', () =>
      each({ accessKey: 'nobody' }, 'STORE_REFUSED', 'LABSCALE_S3_ACCESS_KEY'));
    test('that the secret key is another', () =>
      each({ secretKey: new Secret('wrong-secret') }, 'STORE_REFUSED', 'LABSCALE_S3_SECRET_KEY'));
    test('that there is no such bucket', () =>
      each(
        { bucket: 'elsewhere', accessKey: minio.root.accessKey, secretKey: new Secret(minio.root.secretKey) },
        'STORE_REFUSED',
        'LABSCALE_S3_BUCKET'
      ));
    test('that the bucket is read-only for it', async () => {
      const policy = {
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Action: ['s3:GetObject', 's3:ListBucket'], Resource: ['arn:aws:s3:::labscale*'] }
        ]
      };
      await createUser(minio.root, { accessKey: 'reads-only', secretKey: 'secret-of-reads-only', policy });
      const reader = { accessKey: 'reads-only', secretKey: new Secret('secret-of-reads-only') };
      await each(reader, 'STORE_REFUSED', 'LABSCALE_S3_ACCESS_KEY', [acts[2]!, acts[3]!, acts[5]!]);
    });
    test('that the clocks differ', async () => {
      jest.useFakeTimers({
        now: Date.now() - 3_600_000,
        doNotFake: [
          'setTimeout',
          'setInterval',
          'setImmediate',
          'clearTimeout',
          'clearInterval',
          'nextTick',
          'queueMicrotask',
          'performance',
          'hrtime'
        ]
      });
      try {
        await each({}, 'STORE_REFUSED', 'clocks');
      } finally {
        jest.useRealTimers();
      }
    });
    test('that nobody listens there', () =>
      each({ endpoint: 'http://127.0.0.1:1' }, 'STORE_UNAVAILABLE', 'LABSCALE_S3_ENDPOINT'));
    test('that what listens there is no object store, and does not take its 404 for an absence', async () => {
      const other = createServer((_, answer) => answer.writeHead(404).end('<html>nothing here</html>'));
      other.listen(0, '127.0.0.1');
      await once(other, 'listening');
      try {
        const endpoint = `http://127.0.0.1:${(other.address() as { port: number }).port}`;
        await each({ endpoint }, 'STORE_UNAVAILABLE', 'LABSCALE_S3_ENDPOINT');
      } finally {
        other.close();
        other.closeAllConnections();
      }
    });
    test('that the endpoint speaks no TLS', () =>
      each({ endpoint: minio.endpoint.replace('http:', 'https:') }, 'STORE_UNAVAILABLE', 'LABSCALE_S3_ENDPOINT'));

    test('that its certificate is unknown, and works with the CA file', async () => {
      const secure = await startMinio({ tls: true });
      try {
        const known = settingsOf(secure);
        const bare = { ...known, ca: undefined };
        await each(bare, 'STORE_UNAVAILABLE', 'LABSCALE_S3_CA_FILE');
        await each(
          { ...known, endpoint: known.endpoint.replace('https:', 'http:') },
          'STORE_UNAVAILABLE',
          'LABSCALE_S3_ENDPOINT'
        );
        const trusted = new S3ObjectStore(known, quick);
        expect(await trusted.putIfAbsent('a b/ö', Buffer.from('x'))).toBe(true);
        expect(await trusted.putIfAbsent('a b/ö', Buffer.from('x'))).toBe(false);
        await trusted.put('large', Readable.from(chunksOf(17)));
        expect((await buffer(await trusted.read('large'))).length).toBe(17 * mebibyte);
      } finally {
        await secure.stop();
      }
    });

    (canMount() ? test : test.skip)('that the disk is full', async () => {
      const small = await startMinio({ diskBytes: 256 * mebibyte });
      try {
        const full = new S3ObjectStore(settingsOf(small), quick);
        let problem: ProblemError | undefined;
        for (let n = 0; problem === undefined && n < 40; n++) {
          await full.put(`fill/${n}`, Buffer.alloc(16 * mebibyte)).catch((error: unknown) => {
            if (!(error instanceof ProblemError)) throw error;
            problem = error;
          });
        }
        expect(problem).toMatchObject({
          code: 'DISK_FULL',
          more: { mend: expect.stringContaining('LABSCALE_S3_BUCKET') as string }
        });
      } finally {
        await small.stop();
      }
    });
  });
});
