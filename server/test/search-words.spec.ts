import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeCommandAnalysis, makeDataset, until } from './run-fixtures.js';
import { startTestServer, type TestServer } from './test-server.js';

const name = 'Ärzte 50%_\\';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
  await makeDataset(server, 1, name);
  await makeDataset(server, 1, 'Aerzte 500');
  await makeCommandAnalysis(server, 'true', { name });
});
afterAll(async () => {
  await server.close();
});

test.each(['ÄRZTE', 'ärzte', 'Ärzte', 'zte 50%_\\'])(
  'a search for %s finds a name whatever its case',
  async (search) => {
    const found = await server.call('listDatasets', { query: { search } });
    expect(found.items.map((dataset) => dataset.name)).toEqual([name]);
    expect((await server.call('listAnalyses', { query: { search } })).total).toBe(1);
  }
);

test('a word of a filter finds a key whatever its case', async () => {
  await mkdir(join(server.project, 'kinds'));
  for (const file of ['Übung.txt', 'ubung.txt']) await writeFile(join(server.project, 'kinds', file), '1');
  const { id: datasetId } = await server.call('createDataset', {
    body: { name: 'kinds', source: { kind: 'folder', path: 'kinds', layout: 'file-per-shard' } }
  });
  const { latestVersion } = await until(
    () => server.call('getDataset', { params: { datasetId } }),
    (dataset) => dataset.latestVersion.indexing.state === 'ready'
  );
  const { items } = await server.call('listShards', {
    params: { versionId: latestVersion.id },
    query: { filter: 'ÜBUNG' }
  });
  expect(items.map(({ key }) => key)).toEqual(['Übung.txt']);
});
