import type { DatasetVersion, Shard } from '@labscale/schema';
import { exampleClient, examples, page } from '../api/example-answers';
import { ObjectDrive } from './object-drive';

const version = examples<DatasetVersion>('DatasetVersion');
const object = (path: string, mediaType: string) => ({
  path,
  mediaType,
  sizeBytes: 3,
  digest: `sha256:${'0'.repeat(64)}`
});
const shard: Shard = {
  ...examples<Shard>('Shard'),
  key: 'sub-01/anat',
  objects: [object('a.csv', 'text/csv'), object('b.png', 'image/png'), object('c/d.ipynb', 'application/x-ipynb+json')]
};
const base = `${version.id}/sub-01%2Fanat`;

function setUp() {
  const { client, requests } = exampleClient({
    listDatasets: () => page([{ name: 'Digits', latestVersion: version }]),
    listShards: () => page([shard]),
    getDatasetVersion: () => version,
    getShard: () => shard,
    getObject: ({ query }) =>
      query['path']?.endsWith('.ipynb')
        ? new Response('{"cells":[]}')
        : new Response(new Uint8Array([0x61, 0x2c, 0x62]), { headers: { 'Content-Type': 'application/octet-stream' } })
  });
  return { drive: new ObjectDrive(client), requests };
}

describe('ObjectDrive', () => {
  it('gives text as text, pictures as base64 and notebooks as JSON', async () => {
    const { drive, requests } = setUp();
    expect(await drive.get(`${base}/a.csv`)).toMatchObject({ format: 'text', content: 'a,b', writable: false });
    expect(requests.at(-1)?.query).toEqual({ shard: 'sub-01/anat', path: 'a.csv' });
    expect(await drive.get(`${base}/b.png`)).toMatchObject({
      format: 'base64',
      content: 'YSxi',
      mimetype: 'image/png'
    });
    expect(await drive.get(`${base}/a.csv`, { format: 'base64' })).toMatchObject({ content: 'YSxi' });
    expect(await drive.get(`${base}/c/d.ipynb`)).toMatchObject({
      type: 'notebook',
      format: 'json',
      content: { cells: [] },
      path: `${base}/c/d.ipynb`
    });
  });

  it('fetches no bytes where only the model is asked for', async () => {
    const { drive, requests } = setUp();
    expect(await drive.get(`${base}/a.csv`, { content: false })).toMatchObject({ size: 3, content: null });
    expect(requests.some((one) => one.operation === 'getObject')).toBe(false);
  });

  it('lists versions, shards and objects as folders whose paths open', async () => {
    const { drive } = setUp();
    const names = async (path: string) =>
      ((await drive.get(path)).content as { name: string; path: string }[]).map((one) => [one.name, one.path]);
    expect(await names('')).toEqual([['Digits 1', version.id]]);
    expect(await names(version.id)).toEqual([['sub-01/anat', base]]);
    expect(await names(base)).toEqual([
      ['a.csv', `${base}/a.csv`],
      ['b.png', `${base}/b.png`],
      ['d.ipynb', `${base}/c/d.ipynb`]
    ]);
  });

  it('says what is not there, and changes nothing', async () => {
    const { drive } = setUp();
    await expect(drive.get(`${base}/x.csv`)).rejects.toThrow('has no object x.csv');
    for (const change of [drive.save(), drive.rename(), drive.delete(), drive.newUntitled(), drive.copy()]) {
      await expect(change).rejects.toThrow('read-only');
    }
  });
});
