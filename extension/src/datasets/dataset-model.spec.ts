import { nullTranslator } from '@jupyterlab/translation';
import type { Dataset, DatasetVersion, Query, ServerInfo, Shard } from '@labscale/schema';
import { EventStream } from '../api/event-stream';
import { exampleClient, examples, page, problemResponse, type ExampleAnswer } from '../api/example-answers';
import type { OperationId } from '@labscale/schema/operations';
import type { ILabscale } from '../tokens';
import { DatasetModel } from './dataset-model';

const dataset = examples<Dataset>('Dataset');
const version = examples<DatasetVersion>('DatasetVersion');
const query = examples<Query>('Query');
const shard = examples<Shard>('Shard');

const settle = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setTimeout(resolve, 0));
};

function setUp(more: Partial<Record<OperationId, ExampleAnswer>> = {}) {
  const { client, requests } = exampleClient({
    listEvents: () => new Promise(() => undefined),
    listDatasets: () => page([dataset]),
    listDatasetVersions: () => page([version]),
    listQueries: () => page([query]),
    listShards: () => page([shard, { ...shard, key: 'other' }]),
    ...more
  });
  const labscale: ILabscale = {
    client,
    events: new EventStream(client),
    trans: nullTranslator.load('labscale'),
    serverInfo: () => Promise.resolve(examples<ServerInfo>('ServerInfo')),
    options: () => Promise.resolve({ snippetSize: 4, trialSize: 0 })
  };
  const model = new DatasetModel(labscale);
  const rows = () => Array.from({ length: model.rowCount }, (_, index) => model.row(index));
  const asked = (operation: OperationId) => requests.filter((one) => one.operation === operation);
  const expand = async (kind: string) => {
    const index = rows().findIndex((row) => row.kind === kind);
    model.expand(index, true);
    await settle();
  };
  return { model, rows, asked, expand, labscale };
}

describe('DatasetModel', () => {
  it('asks for nothing until somebody looks', async () => {
    const { model, asked } = setUp();
    await settle();
    expect(asked('listDatasets')).toHaveLength(0);
    expect(model.loading).toBe(true);
    model.resume();
    await settle();
    expect(asked('listDatasets')).toHaveLength(1);
    expect(model.loading).toBe(false);
    model.dispose();
  });

  it('shows dataset, version, saved queries and shards, each fetched when it is opened', async () => {
    const { model, rows, asked, expand } = setUp();
    model.resume();
    await settle();
    expect(rows().map((row) => row.kind)).toEqual(['dataset']);
    expect(asked('listDatasetVersions')).toHaveLength(0);
    await expand('dataset');
    expect(rows().map((row) => row.kind)).toEqual(['dataset', 'version']);
    expect(asked('listShards')).toHaveLength(0);
    await expand('version');
    expect(rows().map((row) => [row.kind, row.level])).toEqual([
      ['dataset', 1],
      ['version', 2],
      ['query', 3],
      ['shard', 3],
      ['shard', 3]
    ]);
    await expand('query');
    expect(rows().map((row) => row.level)).toEqual([1, 2, 3, 4, 4, 3, 3]);
    expect(asked('listShards').at(-1)?.query['filter']).toBe(query.filter);
    model.dispose();
  });

  it('sends words to the search of datasets and terms to the filter of shards', async () => {
    const { model, asked, expand } = setUp();
    model.resume();
    await settle();
    await expand('dataset');
    await expand('version');
    model.setSearch('digits digit=3');
    await new Promise((resolve) => setTimeout(resolve, 250));
    await settle();
    expect(asked('listDatasets').at(-1)?.query['search']).toBe('digits');
    expect(asked('listShards').at(-1)?.query['filter']).toBe('digit=3');
    model.dispose();
  });

  it('keeps the chosen row when others come before it', async () => {
    let datasets = [dataset];
    const { model, expand } = setUp({ listDatasets: () => page(datasets) });
    model.resume();
    await settle();
    await expand('dataset');
    model.select(1);
    datasets = [{ ...dataset, id: 'ds-new', name: 'Newer' }, dataset];
    await model.refresh();
    expect(model.selectedIndex).toBe(2);
    expect(model.selected?.kind).toBe('version');
    model.dispose();
  });

  it('goes on to what comes where a row that is being fetched was chosen', async () => {
    const { model } = setUp();
    model.resume();
    await settle();
    model.expand(0, true);
    model.select(1);
    expect(model.selected?.kind).toBe('loading');
    await settle();
    expect(model.selected?.kind).toBe('version');
    model.dispose();
  });

  it('says why a branch is empty, and fetches it again on retry', async () => {
    let broken = true;
    const { model, rows, expand } = setUp({
      listDatasetVersions: () => (broken ? problemResponse(503, 'STOPPING') : page([version]))
    });
    model.resume();
    await settle();
    await expand('dataset');
    const failed = rows()[1];
    expect(failed?.kind).toBe('failed');
    broken = false;
    if (failed?.kind === 'failed') failed.retry();
    await settle();
    expect(rows()[1]?.kind).toBe('version');
    model.dispose();
  });

  it('lists the shards of a version only when it is ready', async () => {
    const digesting: DatasetVersion = { ...version, indexing: { state: 'digesting', done: 1, total: 3 } };
    const { model, rows, asked, expand } = setUp({ listDatasetVersions: () => page([digesting]) });
    model.resume();
    await settle();
    await expand('dataset');
    await expand('version');
    expect(rows().map((row) => row.kind)).toEqual(['dataset', 'version']);
    expect(asked('listShards')).toHaveLength(0);
    model.dispose();
  });

  it('holds 100,000 shards and fetches those in sight', async () => {
    const items = Array.from({ length: 200 }, (_, index) => ({ ...shard, index, key: `shard-${index}` }));
    const { model, asked, expand } = setUp({
      listQueries: () => page([]),
      listShards: ({ query: { cursor } }) =>
        page(cursor ? items.map((one) => ({ ...one, key: `${cursor}-${one.key}` })) : items, 'next', 100_000)
    });
    model.resume();
    await settle();
    await expand('dataset');
    await expand('version');
    expect(model.rowCount).toBe(100_002);
    expect(model.row(2)).toMatchObject({ kind: 'shard' });
    expect(model.row(90_000)).toMatchObject({ kind: 'more' });
    const before = asked('listShards').length;
    model.ensure(150, 250);
    await settle();
    expect(asked('listShards')).toHaveLength(before + 1);
    expect(model.row(250)).toMatchObject({ kind: 'shard' });
    model.dispose();
  });
});
