// PostgreSQL with a data folder of its own, on loopback.
import { chownSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../scripts/child.mjs';
import { inState, ports } from './places.mjs';
import { secrets } from './secrets.mjs';

const home = inState('postgres');
const data = join(home, 'data');
const installed = '/usr/lib/postgresql';

export const postgresUrl = () => `postgres://labscale:${secrets().postgres}@127.0.0.1:${ports.postgres}/labscale`;

function program(name) {
  const newest = readdirSync(installed).sort((a, b) => Number(b) - Number(a))[0];
  return join(installed, newest, 'bin', name);
}

/**
 * PostgreSQL refuses to run as root, and no other user may enter root's home, where the data is: it runs as `postgres` with the
 * one capability to pass through folders.
 */
function asPostgres(name, args) {
  if (process.getuid() !== 0) return [program(name), args];
  const capability = '+dac_read_search';
  return [
    'setpriv',
    [
      ...['--reuid', 'postgres', '--regid', 'postgres', '--clear-groups'],
      ...['--inh-caps', capability, '--ambient-caps', capability, program(name), ...args]
    ]
  ];
}

async function makeData() {
  rmSync(home, { recursive: true, force: true });
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const password = join(home, 'password');
  writeFileSync(password, secrets().postgres, { mode: 0o600 });
  if (process.getuid() === 0) {
    const { stdout } = await run('id', ['--user', 'postgres']);
    for (const place of [home, password]) chownSync(place, Number(stdout), Number(stdout));
  }
  const [initdb, args] = asPostgres('initdb', [
    ...['--pgdata', data, '--username', 'labscale', '--pwfile', password, '--auth', 'scram-sha-256'],
    ...['--encoding', 'UTF8', '--locale', 'C.UTF-8']
  ]);
  await run(initdb, args, { cwd: '/' });
  rmSync(password);
}

export const postgres = {
  name: 'postgres',
  async command() {
    if (!existsSync(join(data, 'PG_VERSION'))) await makeData();
    const [server, args] = asPostgres('postgres', [
      ...['-D', data, '-p', String(ports.postgres)],
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=']
    ]);
    return { program: server, args };
  },
  // By SIGTERM it would wait until its last client has gone.
  stopping: { signal: 'SIGINT' },
  async trouble() {
    const { code, stdout } = await run(
      program('pg_isready'),
      ['--host', '127.0.0.1', '--port', String(ports.postgres), '--dbname', 'postgres'],
      { mayFail: true }
    );
    return code === 0 ? undefined : stdout.trim();
  }
};

/** Make the database that the URL names. */
export async function ensureDatabase() {
  const psql = (...args) =>
    run(program('psql'), ['--host', '127.0.0.1', '--port', String(ports.postgres), '--username', 'labscale', ...args], {
      env: { ...process.env, PGPASSWORD: secrets().postgres }
    });
  const { stdout } = await psql('--dbname', 'postgres', '-Atc', "select 1 from pg_database where datname = 'labscale'");
  if (stdout.trim() !== '1') await psql('--dbname', 'postgres', '-c', 'create database labscale');
}
