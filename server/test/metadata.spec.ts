import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { operations, type Operation } from '@labscale/schema';
import { CamelCasePlugin, Kysely } from 'kysely';
import { Migrator } from 'kysely/migration';
import { openMetadata } from '../src/metadata/database.js';
import { migrations } from '../src/metadata/migrate.js';
import { sqliteDialect } from '../src/metadata/sqlite.js';
import type { Tables } from '../src/metadata/tables.js';
import { flowOf } from './flow-seed.js';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(async () => {
  await server.close();
});

test('every row has an owner, or belongs by a number to a row that has one', async () => {
  const tables = await server.metadata.database.introspection.getTables();
  const own = tables.filter(({ columns }) => !columns.some(({ name }) => name === 'owner'));
  // Index rows: too many for a copy of the owner in each, and read only by the number of a field of one owner's thing.
  expect(own.map(({ name }) => name).sort()).toEqual(['parameter_field', 'shard_field', 'shard_field_name']);
});

test('every operation that names a thing asks for a right to it, and no other does', () => {
  for (const [id, { path, policy }] of Object.entries<Operation>(operations)) {
    expect([id, policy]).toEqual([
      id,
      path.includes('/:') ? expect.stringMatching(/^(view|use|edit)$/) : expect.stringMatching(/^(signed-in|anyone)$/)
    ]);
  }
});

test('a database of the first migration is brought up to date and keeps what is in it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-migration-'));
  const file = join(folder, 'metadata.sqlite');
  const old = new Kysely<Tables>({ dialect: sqliteDialect(file).dialect, plugins: [new CamelCasePlugin()] });
  const migrator = new Migrator({ db: old, provider: { getMigrations: async () => migrations } });
  expect((await migrator.migrateTo('0001-initial')).error).toBeUndefined();
  const { id, analysisId, number, digest, kind, path, owner, createdAt } = flowOf('ana').Analysis.latestVersion;
  const version = { id, analysisId, number, digest, kind, path, owner, createdAt };
  await old
    .insertInto('analysisVersion')
    .values({ ...version, filesJson: '[]', contractJson: '{}' } as Tables['analysisVersion'])
    .execute();
  await old.destroy();

  const { database, close } = await openMetadata(file);
  expect(await database.selectFrom('analysisVersion').selectAll().execute()).toEqual([
    {
      ...version,
      ...{ kernelJson: null, commandJson: null, filesJson: '[]', contractJson: '{}', imageJson: null, adapter: null }
    }
  ]);
  await close();
  await rm(folder, { recursive: true });
});
