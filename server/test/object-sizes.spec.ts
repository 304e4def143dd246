import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LocalObjectStore } from '../src/objects/local-object-store.js';
import type { ObjectStore } from '../src/objects/object-store.js';
import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { ObjectSizes } from '../src/runs/object-sizes.js';
import { describeWithMinio, settingsOf, startMinio } from './minio-server.js';
import { startStoreProxy } from './store-proxy.js';

const tasks = 400;

/** A run whose tasks made two objects each, besides what tells of the attempts, and another run beside it. */
async function makeRuns(store: ObjectStore): Promise<void> {
  const keys = Array.from({ length: tasks }, (_, index) =>
    ['out/a', 'out/b/c', 'log', 'report.json'].map((name) => `runs/run-1/attempts/${index}/1/${name}`)
  ).flat();
  keys.push('runs/run-10/attempts/0/1/out/a', 'runs/run-10/attempts/1/1/out/a');
  for (let n = 0; n < keys.length; n += 50) {
    await Promise.all(keys.slice(n, n + 50).map((key) => store.put(key, Buffer.from(key))));
  }
}

const folderOf = (runId: string, index: number) => `runs/${runId}/attempts/${index}/1/out`;
const madeBy = (runId: string, index: number, names = ['a', 'b/c']) =>
  names.map((name) => {
    const key = `${folderOf(runId, index)}/${name}`;
    return { key, sizeBytes: key.length };
  });

async function checkAll(store: ObjectStore): Promise<void> {
  const sizes = new ObjectSizes(store, 'run-1');
  const whole = (index: number) => sizes.hold('run-1', folderOf('run-1', index), madeBy('run-1', index));
  const held = await Promise.all(Array.from({ length: tasks }, (_, index) => whole(index)));
  expect(held.every(Boolean)).toBe(true);
  expect(await sizes.hold('run-10', folderOf('run-10', 0), madeBy('run-10', 0, ['a']))).toBe(true);
}

async function checkFaults(store: ObjectStore): Promise<void> {
  const sizes = new ObjectSizes(store, 'run-1');
  const [first, second] = madeBy('run-1', 7);
  expect(await sizes.hold('run-1', folderOf('run-1', 7), [first!, { ...second!, sizeBytes: 1 }])).toBe(false);
  expect(await sizes.hold('run-1', folderOf('run-1', 7), [first!, { ...second!, key: `${second!.key}c` }])).toBe(false);
  expect(await sizes.hold('run-10', folderOf('run-10', 0), madeBy('run-10', 0))).toBe(false);
  expect(await sizes.hold('run-1', folderOf('run-1', 7), [])).toBe(true);
}

test('on a disk, what attempts made is found by looking at each', async () => {
  const root = mkdtempSync(join(tmpdir(), 'labscale-objects-'));
  try {
    const store = new LocalObjectStore(root);
    await makeRuns(store);
    await checkAll(store);
    await checkFaults(store);
  } finally {
    rmSync(root, { recursive: true });
  }
});

describeWithMinio('in a bucket', () => {
  test('what a run made is found by one walk of its list, and what is reused by one page', async () => {
    const minio = await startMinio();
    const proxy = await startStoreProxy(minio.endpoint);
    try {
      const store = new S3ObjectStore({ ...settingsOf(minio), endpoint: proxy.endpoint });
      await makeRuns(store);
      proxy.requests = [];
      await checkAll(store);
      // Two pages of the run's 1,600 objects, and one of the task that is reused.
      expect(proxy.requests.map(({ method }) => method)).toEqual(['GET', 'GET', 'GET']);
      await checkFaults(store);
    } finally {
      await proxy.close();
      await minio.stop();
    }
  });
});
