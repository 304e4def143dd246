import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Dataset, DatasetVersion } from '@labscale/schema';
import { startTestServer, type TestServer } from './test-server.js';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server.close());

const write = (files: Record<string, string>, folder = 'data') => {
  for (const [path, text] of Object.entries(files)) {
    const file = join(server.project, folder, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
};

/** The version once it is no longer digesting. */
async function settled(versionId: string): Promise<DatasetVersion> {
  for (;;) {
    const version = await server.call('getDatasetVersion', { params: { versionId } });
    if (version.indexing.state !== 'digesting') return version;
    await new Promise(setImmediate);
  }
}

async function register(source: Record<string, unknown> = {}, name = 'data'): Promise<Dataset> {
  const body = { name, source: { kind: 'folder', path: 'data', layout: 'file-per-shard', ...source } };
  const { id, latestVersion } = await server.call('createDataset', { body });
  await settled(latestVersion.id);
  return server.call('getDataset', { params: { datasetId: id } });
}

test('a folder, file per shard', async () => {
  write({ 'digit-0_batch-01.npy': 'zero', 'digit-1_batch-01.npy': 'one', '.hidden': 'x', 'deep/er/a.txt': 'a' });
  const dataset = await register();
  expect(dataset.latestVersion).toMatchObject({ number: 1, shardCount: 3, sizeBytes: 8, indexing: { state: 'ready', done: 3, total: 3 } });
  const page = await server.call('listShards', { params: { versionId: dataset.latestVersion.id } });
  expect(page.items.map(({ key, entities }) => [key, entities])).toEqual([
    ['deep/er/a.txt', {}],
    ['digit-0_batch-01.npy', { digit: '0', batch: '01', extension: '.npy' }],
    ['digit-1_batch-01.npy', { digit: '1', batch: '01', extension: '.npy' }]
  ]);
});
