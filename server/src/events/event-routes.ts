import type { ServerResponse } from 'node:http';
import type { User } from '../http/identify.js';
import type { OperationRoutes } from '../http/operation.js';
import type { Access } from '../metadata/access.js';
import type { EventLog } from './event-log.js';

const heartbeatMs = 15_000;

/** The event streams that are open. */
export class EventStreams {
  readonly #open = new Set<ServerResponse>();

  constructor(private readonly log: EventLog) {}

  /**
   * Writes events from `lastEventId` on, or from now, until the client goes. What a slow client has not read stays in the
   * log and not in memory of its own: it is written when there is room, or a `reset` where the log has moved past it.
   */
  open(response: ServerResponse, user: User, runId: string | undefined, lastEventId: string | undefined): void {
    response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-accel-buffering': 'no'
    });
    let cursor = lastEventId ?? this.log.lastId;
    // An id without data sets where a client that has seen no event yet would resume.
    let room = response.write(`id: ${this.log.since(cursor) === undefined ? this.log.lastId : cursor}\n\n`);
    const pump = () => {
      while (room) {
        const events = this.log.since(cursor, 100);
        if (events === undefined) {
          cursor = this.log.lastId;
          room = response.write(`id: ${cursor}\nevent: reset\ndata: {"type":"reset"}\n\n`);
          continue;
        }
        if (events.length === 0) return;
        for (const { id, owner, runId: of, event } of events) {
          cursor = id;
          if (owner !== user.name || (runId !== undefined && of !== runId)) continue;
          room = response.write(`id: ${id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
          if (!room) break;
        }
      }
    };
    const silence = this.log.listen(pump);
    const heartbeat = setInterval(() => room && response.write(':\n\n'), heartbeatMs);
    response.on('drain', () => {
      room = true;
      pump();
    });
    this.#open.add(response);
    response.on('close', () => {
      silence();
      clearInterval(heartbeat);
      this.#open.delete(response);
    });
    pump();
  }

  end(): void {
    for (const response of this.#open) response.end();
  }
}

export function registerEventRoutes(routes: OperationRoutes, streams: EventStreams, access: Access): void {
  routes.handle('listEvents', async ({ query, user, request, reply }) => {
    if (query.runId !== undefined) await access.require(user, 'view', query.runId);
    const last = request.headers['last-event-id'];
    reply.hijack();
    streams.open(reply.raw, user, query.runId, typeof last === 'string' ? last : undefined);
  });
}
