import type { ServerEvent } from '@labscale/schema';
import { request, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventLog } from '../src/events/event-log.js';
import { newId } from '../src/metadata/ids.js';
import { startTestServer, type TestServer } from './test-server.js';

const changed = (id = newId('ds')): ServerEvent => ({ type: 'changed', noun: 'dataset', id });

test('the log gives what came after an id, and knows when it no longer can', () => {
  const log = new EventLog(3);
  const first = log.lastId;
  for (let count = 0; count < 3; count++) log.publish('ana', changed());
  expect(log.since(first)?.length).toBe(3);
  expect(log.since(first, 2)?.map(({ id }) => id)).toEqual(
    log
      .since(first)
      ?.slice(0, 2)
      .map(({ id }) => id)
  );
  expect(log.since(log.lastId)).toEqual([]);
  log.publish('ana', changed());
  expect(log.since(first)).toBeUndefined();
  for (const id of ['', 'x', '0-0', `${log.lastId}9`, first.replace(/-.*/, '--1'), first.replace(/-.*/, '-')]) {
    expect(log.since(id)).toBeUndefined();
  }
});

describe('the stream', () => {
  let server: TestServer;
  let port: number;
  const open: IncomingMessage[] = [];

  beforeAll(async () => {
    server = await startTestServer();
    await server.app.listen({ host: '127.0.0.1', port: 0 });
    port = (server.app.server.address() as AddressInfo).port;
  });
  afterAll(async () => {
    for (const response of open) response.destroy();
    await server.close();
  });

  interface Stream {
    response: IncomingMessage;
    /** The next frame that is not a comment. */
    next: () => Promise<Record<string, string>>;
  }

  function connect(path = '', headers: Record<string, string> = {}, user = 'ana'): Promise<Stream> {
    return new Promise((done, failed) => {
      request(
        {
          host: '127.0.0.1',
          port,
          path: `/api/v1/events${path}`,
          headers: { authorization: `Bearer token-of-${user}`, ...headers }
        },
        (response) => {
          open.push(response);
          const frames: Record<string, string>[] = [];
          const waiting: ((frame: Record<string, string>) => void)[] = [];
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            text += chunk;
            for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
              const lines = text.slice(0, end).split('\n');
              text = text.slice(end + 2);
              const frame = Object.fromEntries(
                lines.map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string])
              );
              const taker = waiting.shift();
              if (taker) taker(frame);
              else frames.push(frame);
            }
          });
          const next = () =>
            new Promise<Record<string, string>>((give) => {
              const frame = frames.shift();
              if (frame) give(frame);
              else waiting.push(give);
            });
          done({ response, next });
        }
      )
        .on('error', failed)
        .end();
    });
  }

  test('starts with an id, gives its owner the events and resumes after the last one seen', async () => {
    const stream = await connect();
    expect(stream.response.headers['content-type']).toContain('text/event-stream');
    expect(await stream.next()).toEqual({ id: server.services.events.lastId });
    const events = [changed(), changed(), changed()];
    for (const event of events) server.services.events.publish('ana', event);
    const first = await stream.next();
    expect(first).toMatchObject({ event: 'changed', data: JSON.stringify(events[0]) });

    const resumed = await connect('', { 'last-event-id': first['id'] ?? '' });
    await resumed.next();
    expect((await resumed.next())['data']).toBe(JSON.stringify(events[1]));
    expect((await resumed.next())['data']).toBe(JSON.stringify(events[2]));
  });

  test('what is of another user or another run does not come', async () => {
    const ben = await connect('', {}, 'ben');
    await ben.next();
    const mine = changed();
    server.services.events.publish('ana', changed());
    server.services.events.publish('ben', mine);
    expect((await ben.next())['data']).toBe(JSON.stringify(mine));

    const runId = newId('run');
    const response = await server.app.inject({
      url: `/api/v1/events?runId=${runId}`,
      headers: { authorization: 'Bearer token-of-ben' }
    });
    expect(response.json()).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('an id that is no longer known is answered with reset, and what comes after it follows', async () => {
    const stream = await connect('', { 'last-event-id': 'of-an-earlier-server' });
    await stream.next();
    expect(await stream.next()).toEqual({
      id: server.services.events.lastId,
      event: 'reset',
      data: '{"type":"reset"}'
    });
    const after = changed();
    server.services.events.publish('ana', after);
    expect((await stream.next())['data']).toBe(JSON.stringify(after));
  });

  test('a client that does not read is kept no events in memory, and gets a reset once it reads on', async () => {
    const stream = await connect();
    await stream.next();
    stream.response.pause();
    const long = 'x'.repeat(10_000);
    for (let count = 0; count < 5_000; count++) {
      server.services.events.publish('ana', { type: 'changed', noun: 'dataset', id: long });
      if (count % 100 === 0) await new Promise(setImmediate);
    }
    stream.response.resume();
    let frame = await stream.next();
    let seen = 0;
    while (frame['event'] !== 'reset') {
      seen += 1;
      frame = await stream.next();
    }
    expect(seen).toBeLessThan(3_000);
    expect(frame['id']).toBe(server.services.events.lastId);
  });

  test('closing the server ends the streams', async () => {
    const stream = await connect();
    await stream.next();
    const ended = new Promise((give) => stream.response.on('end', give));
    server.services.endStreams();
    await ended;
  });
});
