import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { join } from 'node:path';
import { AnalysisRepository } from './analyses/analysis-repository.js';
import { registerAnalysisRoutes } from './analyses/analysis-routes.js';
import { AnalysisService } from './analyses/analysis-service.js';
import type { Config } from './config.js';
import { EventLog } from './events/event-log.js';
import { EventStreams, registerEventRoutes } from './events/event-routes.js';
import type { OperationRoutes } from './http/operation.js';
import { registerServerRoutes } from './http/server-routes.js';
import { Access } from './metadata/access.js';
import type { Metadata } from './metadata/database.js';
import { Idempotency } from './metadata/idempotency.js';
import { LocalObjectStore } from './objects/local-object-store.js';

/** Everything that a request or the run loop needs, made once from the configuration. */
export interface Services {
  access: Access;
  idempotency: Idempotency;
  events: EventLog;
  metrics: Registry;
  registerRoutes: (routes: OperationRoutes, fastify: FastifyInstance) => void;
  endStreams: () => void;
  /** Starts what goes on by itself: unfinished indexing, unfinished runs. */
  start: () => Promise<void>;
  /** Ends it; workers finish what they do by themselves. */
  stop: () => Promise<void>;
}

/** The one place that names concrete adapters. */
export function compose(config: Config, metadata: Metadata, _logger: Logger): Services {
  const objects = new LocalObjectStore(join(config.dataFolder, 'objects'));
  const access = new Access(metadata.database);
  const idempotency = new Idempotency(metadata.database);
  const events = new EventLog();
  const streams = new EventStreams(events);
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });
  const analyses = new AnalysisService(new AnalysisRepository(metadata.database), objects, events);
  return {
    access,
    idempotency,
    events,
    metrics,
    registerRoutes: (routes) => {
      registerServerRoutes(routes, config);
      registerEventRoutes(routes, streams, access);
      registerAnalysisRoutes(routes, analyses);
    },
    endStreams: () => streams.end(),
    start: async () => {
      await objects.sweep();
    },
    stop: async () => {}
  };
}
