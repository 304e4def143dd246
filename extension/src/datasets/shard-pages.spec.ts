import type { Shard } from '@labscale/schema';
import { exampleClient, examples, page, problemResponse, type IExampleRequest } from '../api/example-answers';
import { ShardPages } from './shard-pages';

const shard = examples<Shard>('Shard');

/** Pages of a version of `count` shards, as the server cuts them. */
function shardsOf(count: number) {
  return (request: IExampleRequest) => {
    const from = Number(request.query['cursor'] ?? 0);
    const limit = Number(request.query['limit']);
    const items = Array.from({ length: Math.min(limit, count - from) }, (_, at) => ({
      ...shard,
      index: from + at,
      key: `shard-${from + at}`
    }));
    const next = from + items.length;
    return page(items, next < count ? String(next) : null, count);
  };
}

describe('ShardPages', () => {
  it('fetches no further than somebody looks', async () => {
    const { client, requests } = exampleClient({ listShards: shardsOf(100_000) });
    const pages = new ShardPages(client, 'dv-1', 'a=b');
    await pages.ensure(10);
    expect(requests).toHaveLength(1);
    expect(requests[0]?.query).toEqual({ filter: 'a=b', limit: '200' });
    expect(pages.total).toBe(100_000);
    expect(pages.get(199)?.key).toBe('shard-199');
    expect(pages.get(200)).toBeUndefined();
    await pages.ensure(199);
    expect(requests).toHaveLength(1);
  });

  it('jumps to the end in large pages, in order and without doubles', async () => {
    const { client, requests } = exampleClient({ listShards: shardsOf(10_000) });
    const pages = new ShardPages(client, 'dv-1', '');
    await Promise.all([pages.ensure(5), pages.ensure(9_999), pages.ensure(300)]);
    expect(pages.loaded).toBe(10_000);
    expect(pages.get(9_999)?.key).toBe('shard-9999');
    expect(requests.length).toBeLessThanOrEqual(12);
  });

  it('says an error and goes on after a retry', async () => {
    let broken = true;
    const answer = shardsOf(300);
    const { client } = exampleClient({
      listShards: (request) => (broken ? problemResponse(503, 'STOPPING') : answer(request))
    });
    const pages = new ShardPages(client, 'dv-1', '');
    await pages.ensure(0);
    expect(pages.error).toMatchObject({ code: 'STOPPING' });
    broken = false;
    await pages.retry();
    expect(pages.error).toBeNull();
    expect(pages.loaded).toBe(200);
  });

  it('gives up what it asked for when nobody needs it', async () => {
    const { client, requests } = exampleClient({ listShards: () => new Promise(() => undefined) });
    const pages = new ShardPages(client, 'dv-1', '');
    void pages.ensure(0);
    await new Promise((resolve) => setTimeout(resolve, 0));
    pages.dispose();
    expect(requests[0]?.signal?.aborted).toBe(true);
  });
});
