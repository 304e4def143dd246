import { operations, type Operation } from '@labscale/schema';
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
