import type { ServerEvent } from '@labscale/schema';
import { EventStream } from './event-stream';
import { exampleClient, type IExampleRequest } from './example-answers';
import { EventStreamParser } from './server-sent-events';

describe('EventStreamParser', () => {
  const text = ': hello\n\nid: 7\n\nid: 8\nevent: changed\ndata: {"a":\ndata: 1}\n\nevent: x\n\ndata:y\r\n\r\n';

  it.each([1, 2, 3, 7, 1_000])('reads the same events from pieces of %p', (size) => {
    const parser = new EventStreamParser();
    const events = [];
    for (let at = 0; at < text.length; at += size) events.push(...parser.push(text.slice(at, at + size)));
    expect(events).toEqual([
      { type: 'changed', data: '{"a":\n1}' },
      { type: 'message', data: 'y' }
    ]);
    expect(parser.lastEventId).toBe('8');
  });

  it('takes an id without data as a place to resume from', () => {
    const parser = new EventStreamParser();
    expect(parser.push('id: 3\n')).toEqual([]);
    expect(parser.lastEventId).toBeNull();
    parser.push('\n');
    expect(parser.lastEventId).toBe('3');
  });
});

describe('EventStream', () => {
  // jsdom has none; a browser has the same as Node.
  const { ReadableStream } = jest.requireActual('stream/web') as { ReadableStream: typeof globalThis.ReadableStream };

  class Server {
    readonly requests: IExampleRequest[];
    readonly stream: EventStream;
    refuse = false;
    constructor() {
      const { client, requests } = exampleClient({
        listEvents: (request) => {
          if (this.refuse) return new Response('', { status: 503 });
          const body = new ReadableStream<Uint8Array>({
            start: (controller) => {
              this._controller = controller;
              request.signal?.addEventListener('abort', () => {
                try {
                  controller.error(new DOMException('', 'AbortError'));
                } catch {
                  // It was closed before.
                }
              });
            }
          });
          return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
        }
      });
      this.requests = requests;
      this.stream = new EventStream(client);
    }
    send(text: string): void {
      this._controller?.enqueue(new TextEncoder().encode(text));
    }
    end(): void {
      this._controller?.close();
    }
    private _controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  }

  let hidden = false;
  const setHidden = (value: boolean) => {
    hidden = value;
    document.dispatchEvent(new Event('visibilitychange'));
  };
  beforeAll(() => Object.defineProperty(document, 'hidden', { get: () => hidden }));
  // The real one: a test below fakes the clock.
  const { setTimeout: later } = globalThis;
  const turns = async (count = 20) => {
    for (let turn = 0; turn < count; turn += 1) await Promise.resolve();
    await new Promise((resolve) => later(resolve, 0));
  };
  const changed: ServerEvent = { type: 'changed', noun: 'dataset', id: 'ds-1' };

  it('asks for nothing until somebody listens, and shares one connection', async () => {
    const server = new Server();
    await turns();
    expect(server.requests).toHaveLength(0);
    const seen: string[] = [];
    server.stream.on('changed', (event) => seen.push(`1 ${event.id}`));
    server.stream.on('changed', (event) => seen.push(`2 ${event.id}`));
    server.stream.on('reset', () => seen.push('reset'));
    await turns();
    expect(server.requests).toHaveLength(1);
    server.send(`id: 5\nevent: changed\ndata: ${JSON.stringify(changed)}\n\n`);
    await turns();
    expect(seen).toEqual(['reset', '1 ds-1', '2 ds-1']);
    server.stream.dispose();
  });

  it('closes when nobody listens or looks, and resumes after the last event', async () => {
    const server = new Server();
    const first = server.stream.on('changed', () => undefined);
    await turns();
    server.send(`id: 5\nevent: changed\ndata: ${JSON.stringify(changed)}\n\n`);
    await turns();
    setHidden(true);
    await turns();
    expect(server.requests[0]?.signal?.aborted).toBe(true);
    expect(server.stream.connected).toBe(false);
    setHidden(false);
    await turns();
    expect(server.requests).toHaveLength(2);
    expect(server.requests[1]?.headers.get('Last-Event-ID')).toBe('5');
    first.dispose();
    await turns();
    expect(server.requests[1]?.signal?.aborted).toBe(true);
    server.stream.dispose();
  });

  it('goes on with the others where one listener throws', async () => {
    const server = new Server();
    const report = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const seen: string[] = [];
    server.stream.on('changed', () => {
      throw new Error('at fault');
    });
    server.stream.on('changed', (event) => seen.push(event.id));
    await turns();
    server.send(`event: changed\ndata: ${JSON.stringify(changed)}\n\n`);
    await turns();
    expect(seen).toEqual(['ds-1']);
    expect(report).toHaveBeenCalled();
    report.mockRestore();
    server.stream.dispose();
  });

  it('tries again, later each time, when the connection breaks or is refused', async () => {
    jest.useFakeTimers();
    const server = new Server();
    server.stream.on('reset', () => undefined);
    await turns();
    server.refuse = true;
    server.end();
    await turns();
    expect(server.requests).toHaveLength(1);
    for (const [delay, count] of [
      [1_000, 2],
      [2_000, 3],
      [4_000, 4]
    ] as const) {
      jest.advanceTimersByTime(delay - 1);
      await turns();
      expect(server.requests).toHaveLength(count - 1);
      jest.advanceTimersByTime(1);
      await turns();
      expect(server.requests).toHaveLength(count);
    }
    server.stream.dispose();
    jest.useRealTimers();
  });

  it('says that events may have been missed before it was let in first, and not where it resumes', async () => {
    jest.useFakeTimers();
    const server = new Server();
    server.refuse = true;
    const reset = jest.fn();
    server.stream.on('reset', reset);
    await turns();
    server.refuse = false;
    jest.advanceTimersByTime(1_000);
    await turns();
    expect(server.requests).toHaveLength(2);
    expect(reset).toHaveBeenCalledTimes(1);
    server.send('id: 5\n\n');
    await turns();
    server.end();
    await turns();
    jest.advanceTimersByTime(1_000);
    await turns();
    expect(server.requests).toHaveLength(3);
    expect(reset).toHaveBeenCalledTimes(1);
    server.stream.dispose();
    jest.useRealTimers();
  });
});
