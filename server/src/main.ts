import { randomBytes } from 'node:crypto';
import { mkdirSync, statSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { buildApp } from './app.js';
import { compose } from './compose.js';
import { ConfigError, readConfig, type Config } from './config.js';
import { removeConnection, writeConnection } from './connection-file.js';
import { singleUser } from './http/identify.js';
import { openLog } from './log-file.js';
import { openMetadata } from './metadata/database.js';
import { FolderHeld, holdFolder } from './metadata/folder-lock.js';
import { DatabaseTooNew } from './metadata/migrate.js';
import { version } from './version.js';

/** Keeps the server from starting: one line that says what and the mend. */
class StartError extends Error {}

async function main(): Promise<void> {
  const config = readConfig(process.env);
  // What is started from here shall not inherit it.
  delete process.env['LABSCALE_TOKEN'];
  delete process.env['LABSCALE_S3_SECRET_KEY'];
  checkHelpers(config);
  makeDataFolder(config);
  const release = holdFolder(config.dataFolder, join(config.dataFolder, 'lock.sqlite'));
  const logger = openLog(join(config.dataFolder, 'server.log'), config.logLevel);
  const die = (error: unknown) => {
    logger.fatal({ err: error }, 'the server ends: it made a mistake that it cannot go on from');
    process.exit(1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const metadataFile = join(config.dataFolder, 'metadata.sqlite');
  const metadata = await openMetadata(metadataFile).catch((error: unknown) => {
    if (error instanceof DatabaseTooNew) throw error;
    throw new StartError(
      `The database ${metadataFile} cannot be opened (${messageOf(error)}). Put back a copy of it, or move it away to start with an empty one.`
    );
  });

  const token = config.token ?? randomBytes(32).toString('hex');
  const user = userInfo().username;
  const services = compose(config, metadata, logger);
  const app = buildApp(services, singleUser(token, user), logger);
  const { fastify } = app;
  const url = await fastify.listen({ host: config.host, port: config.port }).catch((error: unknown) => {
    throw new StartError(whyNotListening(error, config));
  });

  const connectionFile = join(config.dataFolder, 'server.json');
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    logger.info({ signal }, 'stopping');
    await removeConnection(connectionFile);
    await app.close();
    await services.stop();
    await metadata.close();
    release();
    logger.info('stopped');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => void stop(signal));

  await writeConnection(connectionFile, { url, token, pid: process.pid, version });
  logger.info({ url, version, pid: process.pid }, 'listening');
  process.stdout.write(`${JSON.stringify({ listening: url, pid: process.pid })}\n`);
  await services.start();
}

function checkHelpers({ helpersFolder }: Config): void {
  const worker = join('labscale', 'worker.py');
  if (!statSync(join(helpersFolder, worker), { throwIfNoEntry: false })?.isFile()) {
    throw new StartError(`LABSCALE_HELPERS is ${helpersFolder}, which has no ${worker}; no run could start.`);
  }
}

function makeDataFolder(config: Config): void {
  if (!statSync(config.projectFolder, { throwIfNoEntry: false })?.isDirectory()) {
    throw new StartError(`LABSCALE_PROJECT is ${config.projectFolder}, which is not a folder.`);
  }
  try {
    mkdirSync(config.dataFolder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new StartError(
      `The data folder ${config.dataFolder} cannot be made (${messageOf(error)}); set LABSCALE_DATA to another one.`
    );
  }
}

function whyNotListening(error: unknown, config: Config): string {
  const { code } = error as { code?: string };
  if (code === 'EADDRINUSE') {
    return `Port ${config.port} of ${config.host} is taken by another program; set LABSCALE_PORT to another one, or to 0 for any that is free.`;
  }
  return `It cannot listen at ${config.host}, port ${config.port} (${messageOf(error)}); set LABSCALE_HOST and LABSCALE_PORT.`;
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

main().catch((error: unknown) => {
  const known =
    error instanceof StartError ||
    error instanceof ConfigError ||
    error instanceof FolderHeld ||
    error instanceof DatabaseTooNew;
  process.stderr.write(`labscale: ${known ? error.message : `it cannot start: ${messageOf(error)}`}\n`);
  process.exit(error instanceof FolderHeld ? 2 : 1);
});
