import { Notification } from '@jupyterlab/apputils';
import { nullTranslator } from '@jupyterlab/translation';
import type { Dataset, DatasetVersion, ServerEvent } from '@labscale/schema';
import { EventStream, type ServerEventType } from '../api/event-stream';
import { exampleClient, examples } from '../api/example-answers';
import type { ILabscale } from '../tokens';
import { IndexingProgress } from './indexing-progress';

const dataset = examples<Dataset>('Dataset');
const ready = examples<DatasetVersion>('DatasetVersion');
const digesting = (done: number): DatasetVersion => ({ ...ready, indexing: { state: 'digesting', done, total: 10 } });

function setUp(now: () => DatasetVersion) {
  const { client } = exampleClient({
    listEvents: () => new Promise(() => undefined),
    getDatasetVersion: () => now()
  });
  const events = new EventStream(client);
  const listeners: [ServerEventType, (event: ServerEvent) => void][] = [];
  const on = events.on.bind(events);
  events.on = (type, listener) => {
    listeners.push([type, listener as (event: ServerEvent) => void]);
    return on(type, listener);
  };
  const send = (version: DatasetVersion) => {
    for (const [type, listener] of listeners) {
      if (type === 'indexing') listener({ type: 'indexing', datasetId: dataset.id, version });
    }
  };
  const labscale: ILabscale = {
    client,
    events,
    trans: nullTranslator.load('labscale'),
    serverInfo: () => Promise.reject(new Error('not asked')),
    options: () => Promise.reject(new Error('not asked'))
  };
  const progress = new IndexingProgress(labscale, () => undefined);
  return { progress, send };
}

const messages = () => Notification.manager.notifications.map((one) => `${one.type}: ${one.message}`);

describe('IndexingProgress', () => {
  afterEach(() => Notification.dismiss());

  it('says at once that what was quick is ready', async () => {
    const { progress } = setUp(() => ready);
    await progress.follow(dataset, ready);
    expect(messages()).toEqual([`success: ${dataset.name} is ready: version 1 has 100 shards, 128 kB`]);
    expect(progress.current).toEqual([]);
  });

  it('shows how far it is, then that it is ready', async () => {
    const { progress, send } = setUp(() => digesting(2));
    await progress.follow(dataset, digesting(0));
    expect(messages()).toEqual([`in-progress: Indexing ${dataset.name}: 2 of 10 shards`]);
    expect(progress.current).toHaveLength(1);
    send(digesting(7));
    expect(messages()).toEqual([`in-progress: Indexing ${dataset.name}: 7 of 10 shards`]);
    send(ready);
    expect(messages()).toEqual([expect.stringContaining('is ready')]);
    expect(progress.current).toEqual([]);
  });

  it('says what made it fail, until it is read', async () => {
    const { progress, send } = setUp(() => digesting(2));
    await progress.follow(dataset, digesting(0));
    send({ ...ready, indexing: { state: 'failed', done: 2, total: 10, detail: 'a.npy went away' } });
    expect(messages()).toEqual([`error: Indexing ${dataset.name} failed: a.npy went away`]);
    expect(Notification.manager.notifications[0]?.options.autoClose).toBe(false);
  });
});
