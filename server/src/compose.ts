import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { AnalysisRepository } from './analyses/analysis-repository.js';
import { registerAnalysisRoutes } from './analyses/analysis-routes.js';
import { AnalysisService } from './analyses/analysis-service.js';
import type { Config } from './config.js';
import { DataBuckets } from './datasets/data-buckets.js';
import { DatasetFolders } from './datasets/dataset-folder.js';
import { DatasetRepository } from './datasets/dataset-repository.js';
import { registerDatasetRoutes } from './datasets/dataset-routes.js';
import { DatasetService } from './datasets/dataset-service.js';
import { DerivativeVersions } from './datasets/derivative-versions.js';
import { Indexer } from './datasets/indexer.js';
import { ObjectReader } from './datasets/object-reader.js';
import { QueryService } from './datasets/query-service.js';
import { ShardRepository } from './datasets/shard-repository.js';
import { ShardService } from './datasets/shard-service.js';
import { DatasetShardSource } from './datasets/shard-source.js';
import { SourceLook } from './datasets/source-look.js';
import { EventLog } from './events/event-log.js';
import { EventStreams, registerEventRoutes } from './events/event-routes.js';
import type { OperationRoutes } from './http/operation.js';
import { registerServerRoutes } from './http/server-routes.js';
import { RegistryClient } from './images/registry-client.js';
import { LineageRepository } from './lineage/lineage-repository.js';
import { registerLineageRoutes } from './lineage/lineage-routes.js';
import { LineageService } from './lineage/lineage-service.js';
import { Access } from './metadata/access.js';
import type { Metadata } from './metadata/database.js';
import { Idempotency } from './metadata/idempotency.js';
import { LocalObjectStore } from './objects/local-object-store.js';
import type { ObjectStore } from './objects/object-store.js';
import { isOnDisk } from './objects/object-walk.js';
import { StsRunCredentials } from './objects/run-credentials.js';
import { S3ObjectStore } from './objects/s3-object-store.js';
import { StoreSelfTest } from './objects/store-self-test.js';
import { ParameterRepository } from './parameters/parameter-repository.js';
import { registerParameterRoutes } from './parameters/parameter-routes.js';
import { ParameterSearch } from './parameters/parameter-search.js';
import { ParameterService } from './parameters/parameter-service.js';
import type { ProblemError } from './problem-error.js';
import { ImageEnvironment } from './runner/kubernetes/image-environment.js';
import { KubernetesCluster } from './runner/kubernetes/kubernetes-client.js';
import { KubernetesRunner } from './runner/kubernetes/kubernetes-runner.js';
import { LocalRunner } from './runner/local-runner.js';
import { Interpreters, type Environments } from './runner/interpreter.js';
import type { Runner } from './runner/runner.js';
import { transferEnvironment } from './runner/transfer-environment.js';
import type { WorkerPlace } from './runner/worker-process.js';
import { AttemptWrites } from './runs/attempt-writes.js';
import { DerivativeRepository } from './runs/derivative-repository.js';
import { killAt, noFault } from './runs/fault-point.js';
import { Publisher } from './runs/publish.js';
import { RunAdvance } from './runs/run-advance.js';
import { RunEnd } from './runs/run-end.js';
import { RunEvents } from './runs/run-events.js';
import { RunLogs } from './runs/run-logs.js';
import { RunLoop } from './runs/run-loop.js';
import { RunOrders } from './runs/run-orders.js';
import { RunPlanner } from './runs/run-planner.js';
import { RunRepository } from './runs/run-repository.js';
import { registerRunRoutes } from './runs/run-routes.js';
import { RunService } from './runs/run-service.js';
import { RunSteering } from './runs/run-steering.js';
import { RunWrites } from './runs/run-writes.js';
import { RunsInHand } from './runs/runs-in-hand.js';
import { TaskRepository } from './runs/task-repository.js';
import { SnippetRepository } from './snippets/snippet-repository.js';
import { registerSnippetRoutes } from './snippets/snippet-routes.js';
import { SnippetService } from './snippets/snippet-service.js';

/** Everything that a request or the run loop needs, made once from the configuration. */
export interface Services {
  access: Access;
  idempotency: Idempotency;
  events: EventLog;
  metrics: Registry;
  registerRoutes: (routes: OperationRoutes, fastify: FastifyInstance) => void;
  endStreams: () => void;
  /** Why no run can be started or published, as far as is known; undefined where all is well. */
  trouble: () => ProblemError | undefined;
  /** Starts what goes on by itself: unfinished indexing, unfinished runs. */
  start: () => Promise<void>;
  /** Ends it; workers finish what they do by themselves. */
  stop: () => Promise<void>;
}

/** The one place that names concrete adapters. */
export function compose(config: Config, metadata: Metadata, logger: Logger): Services {
  const { database } = metadata;
  const { objects, buckets, selfTest, sweep } = openObjects(config, logger);
  const mayPublish = async () => await selfTest?.mustHold();
  const access = new Access(database);
  const idempotency = new Idempotency(database);
  const events = new EventLog();
  const streams = new EventStreams(events);
  const metrics = new Registry();
  collectDefaultMetrics({ register: metrics });

  const folders = new DatasetFolders(config.projectFolder, config.dataFolder);
  const datasetRepository = new DatasetRepository(database);
  const shardRepository = new ShardRepository(database);
  const reader = new ObjectReader(folders, buckets, objects);
  const indexer = new Indexer(
    database,
    datasetRepository,
    shardRepository,
    folders,
    buckets,
    objects,
    events,
    logger,
    metadata.refreshStatistics
  );
  const datasets = new DatasetService(
    database,
    datasetRepository,
    shardRepository,
    // Tasks elsewhere see the store, and no folder of this machine.
    new SourceLook(folders, buckets, shardRepository, !isOnDisk(objects)),
    indexer,
    objects,
    access,
    events
  );
  const shards = new ShardService(datasets, datasetRepository, shardRepository, reader);
  const queries = new QueryService(datasetRepository, events);

  const analysisRepository = new AnalysisRepository(database);
  const analyses = new AnalysisService(analysisRepository, objects, new RegistryClient(config.registries), events);
  const parameters = new ParameterService(
    new ParameterRepository(database),
    new ParameterSearch(database),
    analysisRepository,
    objects,
    access,
    events
  );

  const snippets = new SnippetService(
    new SnippetRepository(database),
    new DatasetShardSource(access, datasets, datasetRepository, shardRepository, reader),
    async (_user, analysisId) => analyses.source((await analyses.get(analysisId)).latestVersion),
    access,
    events
  );
  const place = {
    dataFolder: config.dataFolder,
    objectsFolder: join(config.dataFolder, 'objects'),
    helpersFolder: config.helpersFolder,
    jupyterPython: config.jupyterPython,
    environment: config.workerEnvironment,
    ...(config.s3 === undefined ? {} : { transferEnvironment: transferEnvironment(config.s3, config.dataFolder) })
  };
  const fault = config.faultPoint ? killAt(config.faultPoint.name, config.faultPoint.nth) : noFault;
  const { runner, environments } = openRunner(config, place, objects, logger);
  const runRepository = new RunRepository(database);
  const runWrites = new RunWrites(database);
  const derivatives = new DerivativeRepository(database);
  const publisher = new Publisher(
    database,
    runRepository,
    runWrites,
    derivatives,
    shardRepository,
    new DerivativeVersions(datasetRepository, shardRepository, indexer),
    objects,
    mayPublish,
    fault
  );
  const orders = new RunOrders(database, objects, reader);
  const hands = new RunsInHand(runRepository);
  const runEvents = new RunEvents(hands, runRepository, runner, events);
  const runEnd = new RunEnd(hands, runEvents, publisher, runner, logger);
  const advance = new RunAdvance(
    database,
    hands,
    runRepository,
    runWrites,
    new AttemptWrites(runWrites, orders),
    orders,
    objects,
    runner,
    publisher,
    runEvents,
    runEnd,
    fault,
    logger
  );
  const loop = new RunLoop(hands, runRepository, runner, runEnd, runEvents, advance, logger);
  const runs = new RunService(
    database,
    runRepository,
    new TaskRepository(database),
    derivatives,
    new RunPlanner(database, access, derivatives, environments, runner, config.runner),
    runWrites,
    hands,
    new RunSteering(database, hands, runWrites, runEvents, runEnd, publisher),
    new RunLogs(objects),
    runner,
    events,
    fault
  );
  const lineage = new LineageService(new LineageRepository(database));
  return {
    access,
    idempotency,
    events,
    metrics,
    registerRoutes: (routes) => {
      registerServerRoutes(routes, config);
      registerEventRoutes(routes, streams, access);
      registerDatasetRoutes(routes, datasets, shards, queries, buckets);
      registerSnippetRoutes(routes, snippets);
      registerAnalysisRoutes(routes, analyses);
      registerParameterRoutes(routes, parameters);
      registerRunRoutes(routes, runs, mayPublish);
      registerLineageRoutes(routes, lineage);
    },
    endStreams: () => streams.end(),
    trouble: () => selfTest?.fault,
    start: async () => {
      selfTest?.start();
      await sweep();
      await indexer.start();
      await loop.start();
    },
    stop: async () => {
      await loop.close();
      await indexer.stop();
    }
  };
}

function openRunner(
  { cpus, memoryBytes, kubernetes, s3 }: Config,
  place: WorkerPlace,
  objects: ObjectStore,
  logger: Logger
): { runner: Runner; environments: Environments } {
  if (kubernetes === undefined || s3 === undefined) {
    const runner = new LocalRunner({ cpus, memoryBytes }, place, logger);
    return { runner, environments: new Interpreters(place) };
  }
  const { profile, kubeconfig } = kubernetes;
  const { podEndpoint: endpoint, bucket, region, pathStyle } = s3;
  const cluster = new KubernetesCluster(kubeconfig, profile.namespace);
  const store = { endpoint, bucket, region, pathStyle };
  const credentials = new StsRunCredentials(s3);
  const runner = new KubernetesRunner(cluster, profile, store, objects, credentials, logger);
  return { runner, environments: new ImageEnvironment(profile) };
}

interface Objects {
  objects: ObjectStore;
  buckets: DataBuckets;
  /** Undefined where the store is a folder, whose rules are known. */
  selfTest: StoreSelfTest | undefined;
  sweep: () => Promise<void>;
}

function openObjects({ s3, dataFolder }: Config, logger: Logger): Objects {
  if (s3 === undefined) {
    const objects = new LocalObjectStore(join(dataFolder, 'objects'));
    const buckets = new DataBuckets(objects, null, new Map());
    return { objects, buckets, selfTest: undefined, sweep: () => objects.sweep() };
  }
  const objects = new S3ObjectStore(s3);
  const others = new Map(s3.dataBuckets.map((name) => [name, objects.inBucket(name)]));
  return {
    objects,
    buckets: new DataBuckets(objects, s3.bucket, others),
    selfTest: new StoreSelfTest(objects, logger),
    // What an upload left that was killed goes by the store's own rule, in MinIO after a day.
    sweep: async () => {}
  };
}
