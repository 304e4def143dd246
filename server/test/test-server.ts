import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { apiPrefix, components, operations, operationSchemas } from '@labscale/schema';
import type { Operation, OperationId, Operations, Problem } from '@labscale/schema';
import { Ajv } from 'ajv';
import formats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApp } from '../src/app.js';
import { compose, type Services } from '../src/compose.js';
import { readConfig, type Config } from '../src/config.js';
import { openMetadata, type Metadata } from '../src/metadata/database.js';
import { createBucket, createUser, serverPolicy } from './minio-admin.js';
import { startMinio, type MinioServer } from './minio-server.js';
import { clearCluster, cluster, clusterEnvironment, isOnCluster, leftOut } from './test-cluster.js';

export type UserName = 'ana' | 'ben';

export interface Input {
  params?: Record<string, string | number>;
  query?: Record<string, string | number | boolean>;
  body?: unknown;
  as?: UserName;
  headers?: Record<string, string>;
}

export class AnsweredWithProblem extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.code}: ${problem.detail} [${problem.field ?? ''}]`);
  }
}

/** The services and their HTTP face over a temporary project, with two users; every JSON answer is held against the contract. */
export interface TestServer {
  app: FastifyInstance;
  services: Services;
  metadata: Metadata;
  config: Config;
  /** Folder of the project; the data folder is `.labscale` in it. */
  project: string;
  /** The result of an operation; throws AnsweredWithProblem. */
  call: <K extends OperationId>(id: K, input?: Input) => Promise<Operations[K]['result']>;
  /** The problem that an operation answers with; fails where it succeeds. */
  problem: (id: OperationId, input?: Input) => Promise<Problem>;
  inject: (
    id: OperationId,
    input?: Input
  ) => Promise<{ statusCode: number; body: string; rawPayload: Buffer; headers: Record<string, unknown> }>;
  /** Ends the services and opens them again over the same project, as a restart does. */
  restart: () => Promise<void>;
  close: () => Promise<void>;
}

const ajv = new Ajv({ strict: false, allErrors: true });
(formats as unknown as (ajv: Ajv) => void)(ajv);
for (const schema of Object.values(components)) ajv.addSchema(schema);

/** Raises where a value is not what the contract says of a noun. */
export function checkNoun(noun: string, value: unknown): void {
  if (!ajv.validate(components[noun]!, value)) {
    throw new Error(`${JSON.stringify(value)} is no ${noun}: ${ajv.errorsText(ajv.errors)}`);
  }
}

/** Raises where an answer is not what the contract says of the operation. */
function checkAnswer(id: OperationId, status: number, body: unknown): void {
  const schemas = operationSchemas[id] as { result?: object };
  const schema = status >= 400 ? components['Problem'] : schemas.result;
  if (schema === undefined) throw new Error(`${id} answered ${status} with a body, but has none in the contract`);
  if (!ajv.validate(schema, body)) {
    throw new Error(`the answer of ${id} (${status}) does not fit the contract: ${ajv.errorsText(ajv.errors)}`);
  }
}

export function urlOf(id: OperationId, input: Input = {}): string {
  const path = operations[id].path.replace(/:([A-Za-z]+)/g, (_, name: string) =>
    encodeURIComponent(String(input.params?.[name] ?? ''))
  );
  const query = new URLSearchParams(
    Object.entries(input.query ?? {}).map(([name, value]): [string, string] => [name, String(value)])
  );
  return `${apiPrefix}${path}${query.size > 0 ? `?${query.toString()}` : ''}`;
}

/** The same bodies over objects in a bucket: one MinIO for the tests of a file. */
const onMinio = process.env['LABSCALE_TEST_OBJECTS'] === 'minio';
/** For what is about files in the folder of the store, or is read where it lies only there: no test elsewhere. */
export const testOnDisk = onMinio ? leftOut : test;
let shared: Promise<MinioServer> | undefined;
if (onMinio) afterAll(async () => await (await shared)?.stop());

/** The variables of a bucket that nobody else uses, nor its user. */
async function bucketOfItsOwn(): Promise<Record<string, string>> {
  const { root, environment } = await (shared ??= startMinio());
  const bucket = `labscale-${randomUUID()}`;
  const secretKey = randomUUID();
  await createBucket(root, bucket);
  await createUser(root, { accessKey: bucket, secretKey, policy: serverPolicy(bucket) });
  return {
    ...environment,
    ...{ LABSCALE_S3_BUCKET: bucket, LABSCALE_S3_ACCESS_KEY: bucket, LABSCALE_S3_SECRET_KEY: secretKey }
  };
}

export async function startTestServer(environment: Record<string, string> = {}): Promise<TestServer> {
  const project = await mkdtemp(join(tmpdir(), 'labscale-test-'));
  const inBucket = onMinio && environment['LABSCALE_OBJECTS'] === undefined;
  const onCluster = isOnCluster && environment['LABSCALE_RUNNER'] === undefined ? cluster : undefined;
  const config = readConfig({
    LABSCALE_PROJECT: project,
    LABSCALE_HELPERS: resolve('../kernels-helpers/python/src'),
    LABSCALE_PYTHON: resolve('../.venv/bin/python'),
    LABSCALE_CPUS: '2',
    LABSCALE_MEMORY_BYTES: String(2 ** 32),
    ...(inBucket ? await bucketOfItsOwn() : {}),
    ...(onCluster && (await clusterEnvironment(onCluster, project))),
    ...environment
  });
  await mkdir(config.dataFolder, { recursive: true });

  const server = { project, config } as TestServer;
  const open = async () => {
    const logger = pino({ level: process.env['LABSCALE_TEST_LOG'] ?? 'silent' });
    server.metadata = await openMetadata(join(config.dataFolder, 'metadata.sqlite'));
    server.services = compose(config, server.metadata, logger);
    const users: Record<string, { name: string }> = {
      'token-of-ana': { name: 'ana' },
      'token-of-ben': { name: 'ben' }
    };
    const app = buildApp(server.services, async (token) => users[token], logger);
    server.app = app.fastify;
    await server.services.start();
    return app;
  };
  let app = await open();
  const end = async () => {
    await app.close();
    await server.services.stop();
    await server.metadata.close();
  };

  server.inject = async (id, input = {}) => {
    const operation: Operation = operations[id];
    const response = await server.app.inject({
      method: operation.method,
      url: urlOf(id, input),
      headers: {
        ...(input.as === undefined
          ? { authorization: 'Bearer token-of-ana' }
          : { authorization: `Bearer token-of-${input.as}` }),
        ...(input.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...input.headers
      },
      ...(input.body === undefined
        ? {}
        : { payload: typeof input.body === 'string' ? input.body : JSON.stringify(input.body) })
    });
    if (String(response.headers['content-type']).includes('json') && operation.answers === undefined) {
      checkAnswer(id, response.statusCode, JSON.parse(response.body));
    } else if (response.statusCode >= 400) {
      checkAnswer(id, response.statusCode, JSON.parse(response.body));
    }
    return response;
  };
  server.call = async (id, input) => {
    const response = await server.inject(id, input);
    if (response.statusCode >= 400) throw new AnsweredWithProblem(JSON.parse(response.body) as Problem);
    return (response.body === '' ? undefined : JSON.parse(response.body)) as never;
  };
  server.problem = async (id, input) => {
    const response = await server.inject(id, input);
    if (response.statusCode < 400) throw new Error(`${id} succeeded: ${response.body.slice(0, 500)}`);
    return JSON.parse(response.body) as Problem;
  };
  server.restart = async () => {
    await end();
    app = await open();
  };
  server.close = async () => {
    const { database } = server.metadata;
    const runs = config.kubernetes ? await database.selectFrom('run').select('id').execute() : [];
    const datasets = config.kubernetes ? await database.selectFrom('dataset').select('id').execute() : [];
    await end();
    if (config.kubernetes && cluster) {
      await clearCluster(
        cluster,
        runs.map(({ id }) => id),
        datasets.map(({ id }) => id)
      );
    }
    // A worker that ends after its server still removes its scratch.
    await rm(project, { recursive: true, force: true, maxRetries: 10 });
  };
  return server;
}
