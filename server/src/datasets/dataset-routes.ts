import type { OperationRoutes } from '../http/operation.js';
import { sendBytes } from '../http/send-bytes.js';
import { browseBucket } from './browse-bucket.js';
import type { DataBuckets } from './data-buckets.js';
import type { DatasetService } from './dataset-service.js';
import type { QueryService } from './query-service.js';
import type { ShardService } from './shard-service.js';

export function registerDatasetRoutes(
  routes: OperationRoutes,
  datasets: DatasetService,
  shards: ShardService,
  queries: QueryService,
  buckets: DataBuckets
): void {
  routes.handle('listDatasets', ({ user, query }) => datasets.list(user, query));
  routes.handle('createDataset', ({ user, body }) => datasets.create(user, body));
  routes.handle('browseBucket', ({ query }) => browseBucket(buckets, query));
  routes.handle('getDataset', ({ params }) => datasets.get(params.datasetId));
  routes.handle('updateDataset', ({ user, params, body }) => datasets.update(user, params.datasetId, body));
  routes.handle('deleteDataset', ({ user, params }) => datasets.delete(user, params.datasetId));
  routes.handle('checkDataset', ({ params }) => datasets.check(params.datasetId));
  routes.handle('listDatasetVersions', ({ params, query }) => datasets.listVersions(params.datasetId, query));
  routes.handle('createDatasetVersion', ({ user, params }) => datasets.createVersion(user, params.datasetId));
  routes.handle('getDatasetVersion', ({ params }) => datasets.getVersion(params.versionId));

  routes.handle('listShards', ({ params, query }) => shards.list(params.versionId, query));
  routes.handle('getShard', ({ params, query }) => shards.get(params.versionId, query.key));
  routes.handle('listShardChanges', ({ params, query }) => shards.listChanges(params.versionId, query));
  routes.handle('getObject', async ({ params, query, request, reply }) => {
    const { object, read } = await shards.object(params.versionId, query.shard, query.path);
    await sendBytes(request, reply, { ...object, name: object.path.slice(object.path.lastIndexOf('/') + 1), read });
  });

  routes.handle('listQueries', ({ params, query }) => queries.list(params.datasetId, query));
  routes.handle('createQuery', ({ user, params, body }) => queries.create(user, params.datasetId, body));
  routes.handle('deleteQuery', ({ params }) => queries.delete(params.queryId));
}
