import { ServerConnection } from '@jupyterlab/services';
import type { Dataset } from '@labscale/schema';
import { ApiError } from './client';
import { exampleClient, examples, page, problemResponse } from './example-answers';

const dataset = examples<Dataset>('Dataset');

describe('LabscaleClient', () => {
  it('puts parameters into path and query, encoded, and leaves out what is not given', async () => {
    const { client, requests } = exampleClient({ listShards: () => page([]) });
    await client.call('listShards', {
      params: { versionId: 'dv/1' },
      query: { filter: 'a=b&c', cursor: undefined, limit: 5 }
    });
    expect(requests[0]).toMatchObject({ params: { versionId: 'dv%2F1' }, query: { filter: 'a=b&c', limit: '5' } });
    // The contract refuses a query name it does not know, so makeRequest must not add its cache buster.
    expect(Object.keys(requests[0]?.query ?? {})).toEqual(['filter', 'limit']);
  });

  it('throws before it asks where a path parameter is missing', () => {
    const { client } = exampleClient({});
    expect(() => client.url('getDataset')).toThrow('datasetId');
  });

  it('sends a body as JSON with its idempotency key, and gives the result', async () => {
    const { client, requests } = exampleClient({ createDataset: () => dataset });
    const body = { name: 'a', source: { kind: 'folder', path: 'p', layout: 'file-per-shard' } } as const;
    expect(await client.call('createDataset', { body, idempotencyKey: 'k1' })).toEqual(dataset);
    expect(requests[0]?.body).toEqual(body);
    expect(requests[0]?.headers.get('Idempotency-Key')).toBe('k1');
    expect(requests[0]?.headers.get('Content-Type')).toBe('application/json');
  });

  it('gives undefined for an answer without content', async () => {
    const { client } = exampleClient({ deleteQuery: () => new Response(null, { status: 204 }) });
    expect(await client.call('deleteQuery', { params: { queryId: 'q' } })).toBeUndefined();
  });

  it('throws a problem as an ApiError with code, field and mend', async () => {
    const { client } = exampleClient({
      getDataset: () => problemResponse(404, 'NOT_FOUND', { field: '/datasetId', mend: 'Look again.' })
    });
    const error: unknown = await client.call('getDataset', { params: { datasetId: 'd' } }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ApiError);
    expect(error).toBeInstanceOf(ServerConnection.ResponseError);
    expect(error).toMatchObject({ code: 'NOT_FOUND', field: '/datasetId', mend: 'Look again.' });
  });

  it('keeps what a proxy answers apart from what the server says', async () => {
    const { client } = exampleClient({ getDataset: () => new Response('<html>', { status: 502 }) });
    const error: unknown = await client.call('getDataset', { params: { datasetId: 'd' } }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ServerConnection.ResponseError);
    expect(error).not.toBeInstanceOf(ApiError);
  });

  it('throws a NetworkError where nobody answers, and an abort as it is', async () => {
    const { client } = exampleClient({});
    await expect(client.call('getServer')).rejects.toBeInstanceOf(ServerConnection.NetworkError);
    const abort = new AbortController();
    abort.abort();
    await expect(client.call('getServer', { signal: abort.signal })).rejects.toMatchObject({ name: 'AbortError' });
  });
});
