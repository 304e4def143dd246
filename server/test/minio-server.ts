import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secret, type S3Settings } from '../src/objects/s3-settings.js';
import { askSigned, type Signer } from '../src/objects/signed-request.js';
import { createBucket, createUser, serverPolicy } from './minio-admin.js';
import { onSmallDisk } from './small-disk.js';

const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'labscale');
const readyWithinMs = 30_000;

/** The MinIO program: the test cluster's, or the newest that was built for one; undefined where there is none. */
function findProgram(): string | undefined {
  const clusterFile = process.env['LABSCALE_TEST_CLUSTER'] || join(cache, 'test-cluster', 'cluster.json');
  if (existsSync(clusterFile)) {
    const { programs } = JSON.parse(readFileSync(clusterFile, 'utf8')) as { programs?: { minio?: string } };
    if (programs?.minio !== undefined && existsSync(programs.minio)) return programs.minio;
  }
  const built = join(cache, 'cluster');
  if (!existsSync(built)) return undefined;
  return readdirSync(built)
    .filter((name) => name.startsWith('minio-'))
    .map((name) => join(built, name, 'minio'))
    .filter((file) => existsSync(file))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs)[0];
}

const program = findProgram();

/** `describe` where there is a MinIO; elsewhere a skip that says why, or a failure where a cluster was asked for. */
export const describeWithMinio: (name: string, tests: () => void) => void = (name, tests) => {
  if (program !== undefined) return describe(name, tests);
  const why = 'there is no MinIO program on this machine; `npm run cluster -- up` builds one';
  if (process.env['LABSCALE_TEST_CLUSTER_REQUIRED'] === '1') {
    return describe(name, () =>
      test('has a MinIO', () => {
        throw new Error(why);
      })
    );
  }
  console.warn(`Skipped: ${name}, as ${why}.`);
  return describe.skip(name, tests);
};

export const hasMinio = program !== undefined;

/** What a store object takes to come to it as the server's user. */
export function settingsOf({ endpoint, bucket, accessKey, secretKey, root, dataBuckets }: MinioServer): S3Settings {
  const secret = new Secret(secretKey);
  return {
    ...{ endpoint, bucket, region: 'us-east-1', pathStyle: true, ca: root.ca, accessKey, secretKey: secret },
    ...{ podEndpoint: endpoint, dataBuckets }
  };
}

/** A MinIO of one's own on loopback with one bucket, and the user of a labscale server, who is not its root. */
export interface MinioServer {
  endpoint: string;
  port: number;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** As its administrator. */
  root: Signer;
  /** The certificate by which it is known where it speaks TLS. */
  caFile: string | undefined;
  folder: string;
  dataBuckets: readonly string[];
  /** The variables by which a labscale server finds it. */
  environment: Record<string, string>;
  /** Ends the process by a signal and returns when it has gone. */
  kill: (signal: NodeJS.Signals) => Promise<void>;
  /** Starts it again after `kill`, over the same data, at the same port. */
  start: () => Promise<void>;
  /** Ends it and removes its folder. */
  stop: () => Promise<void>;
}

export interface MinioOptions {
  tls?: boolean;
  /** Buckets that the server's user may read only. */
  dataBuckets?: readonly string[];
  /** Its data lie on a disk of its own of that size. */
  diskBytes?: number;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, 'close');
  return port;
}

function makeCertificate(folder: string): string {
  const file = join(folder, 'public.crt');
  const { status, stderr } = spawnSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'],
      ...['-keyout', join(folder, 'private.key'), '-out', file]
    ],
    { encoding: 'utf8' }
  );
  if (status !== 0) throw new Error(`openssl made no certificate: ${stderr}`);
  return file;
}

export async function startMinio(options: MinioOptions = {}): Promise<MinioServer> {
  if (program === undefined) throw new Error('there is no MinIO program on this machine');
  const folder = await mkdtemp(join(tmpdir(), 'labscale-minio-'));
  const certificates = join(folder, 'certificates');
  await mkdir(certificates);
  const dataFolder = join(folder, 'data');
  await mkdir(dataFolder, { recursive: true });
  const caFile = options.tls ? makeCertificate(certificates) : undefined;
  const port = await freePort();
  const endpoint = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`;
  const root: Signer = {
    endpoint,
    region: 'us-east-1',
    accessKey: 'root-of-the-test',
    secretKey: randomBytes(20).toString('hex'),
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile, 'utf8') })
  };
  let child: ChildProcess | undefined;
  let said = '';

  const start = async () => {
    const command = [
      program,
      'server',
      '--quiet',
      '--address',
      `127.0.0.1:${port}`,
      '--certs-dir',
      certificates,
      dataFolder
    ];
    const { diskBytes: sizeBytes } = options;
    const [first, ...rest] =
      sizeBytes === undefined ? command : onSmallDisk({ folder: dataFolder, sizeBytes }, command);
    const started = spawn(first!, rest, {
      env: {
        PATH: process.env['PATH'] ?? '',
        HOME: folder,
        MINIO_ROOT_USER: root.accessKey,
        MINIO_ROOT_PASSWORD: root.secretKey,
        MINIO_BROWSER: 'off',
        MINIO_UPDATE: 'off',
        // Two cores that others use too: every shard of an erasure set would cost a process.
        GOMAXPROCS: '2'
      },
      stdio: ['ignore', 'pipe', 'pipe']
    });
    for (const stream of [started.stdout, started.stderr]) {
      stream.on('data', (part: Buffer) => (said = (said + part.toString()).slice(-4_000)));
    }
    child = started;
    const until = Date.now() + readyWithinMs;
    for (;;) {
      // Of its users and policies, which it reads after it answers that it lives.
      const path = '/minio/admin/v3/list-canned-policies';
      const answer = await askSigned(root, { method: 'GET', path }).catch(() => undefined);
      if (answer?.status === 200) return;
      if (started.exitCode !== null || Date.now() > until) throw new Error(`MinIO did not start: ${said}`);
      await new Promise((give) => setTimeout(give, 50));
    }
  };
  const kill = async (signal: NodeJS.Signals) => {
    if (child === undefined) return;
    const gone = child;
    child = undefined;
    if (gone.exitCode !== null || gone.signalCode !== null) return;
    const exited = once(gone, 'exit');
    gone.kill(signal);
    await exited;
  };
  const stop = async () => {
    await kill('SIGKILL');
    await rm(folder, { recursive: true, force: true });
  };

  const bucket = 'labscale';
  const accessKey = 'labscale-server';
  const secretKey = randomBytes(20).toString('hex');
  try {
    await start();
    for (const name of [bucket, ...(options.dataBuckets ?? [])]) await createBucket(root, name);
    await createUser(root, { accessKey, secretKey, policy: serverPolicy(bucket, options.dataBuckets) });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    ...{ endpoint, port, bucket, accessKey, secretKey, root, caFile, folder, kill, start, stop },
    dataBuckets: options.dataBuckets ?? [],
    environment: {
      LABSCALE_OBJECTS: 'minio',
      LABSCALE_S3_ENDPOINT: endpoint,
      LABSCALE_S3_BUCKET: bucket,
      LABSCALE_S3_ACCESS_KEY: accessKey,
      LABSCALE_S3_SECRET_KEY: secretKey,
      ...(caFile === undefined ? {} : { LABSCALE_S3_CA_FILE: caFile }),
      ...(options.dataBuckets === undefined ? {} : { LABSCALE_S3_DATA_BUCKETS: options.dataBuckets.join(',') })
    }
  };
}
