import type { Kysely } from 'kysely';

/** Every row has an owner, but for index rows, which hang off one that has; sharing and roles add tables, they do not change these. */
export async function up(database: Kysely<unknown>): Promise<void> {
  await database.schema
    .createTable('dataset')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('metadataJson', 'text', (column) => column.notNull())
    .addColumn('sourceJson', 'text', (column) => column.notNull())
    .addColumn('derivedFromDatasetId', 'text')
    .addColumn('derivedByAnalysisId', 'text')
    .addColumn('defaultParameterSetVersionId', 'text')
    .addColumn('latestVersionId', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .addColumn('updatedAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('datasetVersion')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('datasetId', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text')
    .addColumn('indexingState', 'text', (column) => column.notNull())
    .addColumn('indexingDone', 'bigint', (column) => column.notNull())
    .addColumn('indexingDetail', 'text')
    .addColumn('shardCount', 'bigint', (column) => column.notNull())
    .addColumn('sizeBytes', 'bigint', (column) => column.notNull())
    .addColumn('entityNamesJson', 'text', (column) => column.notNull())
    .addColumn('metadataNamesJson', 'text', (column) => column.notNull())
    .addColumn('changesJson', 'text')
    .addColumn('previousVersionId', 'text')
    .addColumn('rootJson', 'text', (column) => column.notNull())
    .addColumn('madeByRunId', 'text')
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('shard')
    .addColumn('versionId', 'text', (column) => column.notNull())
    .addColumn('index', 'bigint', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('entitiesJson', 'text', (column) => column.notNull())
    .addColumn('metadataJson', 'text', (column) => column.notNull())
    .addColumn('objectsJson', 'text', (column) => column.notNull())
    .addColumn('sizeBytes', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('originJson', 'text')
    .addPrimaryKeyConstraint('shardKey', ['versionId', 'index'])
    .execute();
  await database.schema
    .createTable('shardFieldName')
    .addColumn('number', 'bigint', (column) => column.notNull().primaryKey())
    .addColumn('versionId', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('shardField')
    .addColumn('fieldNumber', 'bigint', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('number', 'double precision')
    .addColumn('shardIndex', 'bigint', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('query')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('datasetId', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('filter', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('snippet')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('datasetId', 'text', (column) => column.notNull())
    .addColumn('datasetVersionId', 'text', (column) => column.notNull())
    .addColumn('selectionJson', 'text', (column) => column.notNull())
    .addColumn('shardIndexesJson', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('analysis')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('description', 'text', (column) => column.notNull())
    .addColumn('latestVersionId', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .addColumn('updatedAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('analysisVersion')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('analysisId', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('path', 'text')
    .addColumn('kernelJson', 'text')
    .addColumn('commandJson', 'text')
    .addColumn('filesJson', 'text', (column) => column.notNull())
    .addColumn('contractJson', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('parameterSet')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('analysisId', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('note', 'text', (column) => column.notNull())
    .addColumn('tagsJson', 'text', (column) => column.notNull())
    .addColumn('searchText', 'text', (column) => column.notNull())
    .addColumn('parentVersionId', 'text')
    .addColumn('changedFromParentJson', 'text', (column) => column.notNull())
    .addColumn('latestVersionId', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .addColumn('updatedAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('parameterSetVersion')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('parameterSetId', 'text', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('analysisVersionId', 'text', (column) => column.notNull())
    .addColumn('valuesJson', 'text', (column) => column.notNull())
    .addColumn('digest', 'text', (column) => column.notNull())
    .addColumn('metricsJson', 'text', (column) => column.notNull())
    .addColumn('provenanceJson', 'text', (column) => column.notNull())
    .addColumn('snippetId', 'text')
    .addColumn('thumbnailDigest', 'text')
    .addColumn('thumbnailMediaType', 'text')
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('parameterFieldName')
    .addColumn('number', 'bigint', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('analysisId', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .execute();
  await database.schema
    .createTable('parameterField')
    .addColumn('setNumber', 'bigint', (column) => column.notNull())
    .addColumn('fieldNumber', 'bigint', (column) => column.notNull())
    .addColumn('text', 'text', (column) => column.notNull())
    .addColumn('number', 'double precision')
    .execute();
  await database.schema
    .createTable('run')
    .addColumn('id', 'text', (column) => column.notNull().primaryKey())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('analysisId', 'text', (column) => column.notNull())
    .addColumn('analysisVersionId', 'text', (column) => column.notNull())
    .addColumn('datasetId', 'text', (column) => column.notNull())
    .addColumn('datasetVersionId', 'text', (column) => column.notNull())
    .addColumn('filter', 'text', (column) => column.notNull())
    .addColumn('trialCount', 'bigint')
    .addColumn('trialReleased', 'bigint', (column) => column.notNull())
    .addColumn('resourcesJson', 'text', (column) => column.notNull())
    .addColumn('environmentJson', 'text', (column) => column.notNull())
    .addColumn('environmentDigest', 'text', (column) => column.notNull())
    .addColumn('taskCount', 'bigint', (column) => column.notNull())
    .addColumn('countsJson', 'text', (column) => column.notNull())
    .addColumn('publishPartial', 'bigint', (column) => column.notNull())
    .addColumn('garbage', 'bigint', (column) => column.notNull())
    .addColumn('failure', 'text')
    .addColumn('derivativesVersionId', 'text')
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .addColumn('startedAt', 'text')
    .addColumn('finishedAt', 'text')
    .execute();
  await database.schema
    .createTable('runParameterSet')
    .addColumn('runId', 'text', (column) => column.notNull())
    .addColumn('position', 'bigint', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('parameterSetId', 'text', (column) => column.notNull())
    .addColumn('parameterSetVersionId', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('runParameterSetKey', ['runId', 'position'])
    .execute();
  await database.schema
    .createTable('task')
    .addColumn('runId', 'text', (column) => column.notNull())
    .addColumn('index', 'bigint', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('shardIndex', 'bigint', (column) => column.notNull())
    .addColumn('shardKey', 'text', (column) => column.notNull())
    .addColumn('parameterSetVersionId', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('derivativeKey', 'text', (column) => column.notNull())
    .addColumn('reusedRunId', 'text')
    .addColumn('reusedTaskIndex', 'bigint')
    .addColumn('attempts', 'bigint', (column) => column.notNull())
    .addColumn('failures', 'bigint', (column) => column.notNull())
    .addColumn('losses', 'bigint', (column) => column.notNull())
    .addColumn('resourcesJson', 'text')
    .addColumn('exitKind', 'text')
    .addColumn('reason', 'text')
    .addColumn('failureGroup', 'text')
    .addColumn('failureText', 'text')
    .addColumn('notBefore', 'text')
    .addColumn('startedAt', 'text')
    .addColumn('finishedAt', 'text')
    .addColumn('durationSeconds', 'double precision')
    .addColumn('cpuSeconds', 'double precision')
    .addColumn('peakMemoryBytes', 'bigint')
    .addColumn('metricsJson', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('taskKey', ['runId', 'index'])
    .execute();
  await database.schema
    .createTable('attempt')
    .addColumn('runId', 'text', (column) => column.notNull())
    .addColumn('taskIndex', 'bigint', (column) => column.notNull())
    .addColumn('number', 'bigint', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('state', 'text', (column) => column.notNull())
    .addColumn('workerId', 'text')
    .addColumn('exitKind', 'text')
    .addColumn('reason', 'text')
    .addColumn('exitCode', 'bigint')
    .addColumn('startedAt', 'text', (column) => column.notNull())
    .addColumn('finishedAt', 'text')
    .addColumn('durationSeconds', 'double precision')
    .addColumn('cpuSeconds', 'double precision')
    .addColumn('peakMemoryBytes', 'bigint')
    .addColumn('published', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('attemptKey', ['runId', 'taskIndex', 'number'])
    .execute();
  await database.schema
    .createTable('derivative')
    .addColumn('derivativeKey', 'text', (column) => column.notNull())
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('runId', 'text', (column) => column.notNull())
    .addColumn('taskIndex', 'bigint', (column) => column.notNull())
    .addColumn('attempt', 'bigint', (column) => column.notNull())
    .addColumn('place', 'bigint')
    .addColumn('madeByRunId', 'text', (column) => column.notNull())
    .addColumn('madeByTaskIndex', 'bigint', (column) => column.notNull())
    .addColumn('datasetId', 'text', (column) => column.notNull())
    .addColumn('shardKey', 'text', (column) => column.notNull())
    .addColumn('shardDigest', 'text', (column) => column.notNull())
    .addColumn('analysisId', 'text', (column) => column.notNull())
    .addColumn('analysisDigest', 'text', (column) => column.notNull())
    .addColumn('parametersDigest', 'text', (column) => column.notNull())
    .addColumn('environmentDigest', 'text', (column) => column.notNull())
    .addColumn('publishedAt', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('derivativeKey', ['runId', 'taskIndex'])
    .execute();
  await database.schema
    .createTable('idempotency')
    .addColumn('owner', 'text', (column) => column.notNull())
    .addColumn('operation', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('bodyDigest', 'text', (column) => column.notNull())
    .addColumn('answer', 'text', (column) => column.notNull())
    .addColumn('createdAt', 'text', (column) => column.notNull())
    .addPrimaryKeyConstraint('idempotencyKey', ['owner', 'operation', 'key'])
    .execute();
  await database.schema.createIndex('datasetByOwnerName').on('dataset').columns(['owner', 'name']).unique().execute();
  await database.schema
    .createIndex('datasetVersionByMadeByRunId')
    .on('datasetVersion')
    .columns(['madeByRunId'])
    .unique()
    .execute();
  await database.schema
    .createIndex('datasetByDerivedFromDatasetIdDerivedByAnalysisId')
    .on('dataset')
    .columns(['owner', 'derivedFromDatasetId', 'derivedByAnalysisId'])
    .unique()
    .execute();
  await database.schema
    .createIndex('datasetVersionByDatasetIdNumber')
    .on('datasetVersion')
    .columns(['datasetId', 'number'])
    .unique()
    .execute();
  await database.schema.createIndex('shardByVersionIdKey').on('shard').columns(['versionId', 'key']).unique().execute();
  await database.schema
    .createIndex('shardFieldNameByVersionIdName')
    .on('shardFieldName')
    .columns(['versionId', 'name'])
    .unique()
    .execute();
  // All that a filter reads, so that it reads nothing else; the rows are too many for a second index.
  await database.schema
    .createIndex('shardFieldByFieldNumberText')
    .on('shardField')
    .columns(['fieldNumber', 'text', 'number', 'shardIndex'])
    .execute();
  await database.schema
    .createIndex('queryByOwnerDatasetIdName')
    .on('query')
    .columns(['owner', 'datasetId', 'name'])
    .unique()
    .execute();
  await database.schema.createIndex('snippetByOwnerDatasetId').on('snippet').columns(['owner', 'datasetId']).execute();
  await database.schema
    .createIndex('analysisByOwnerKindPlace')
    .on('analysis')
    .columns(['owner', 'kind', 'place'])
    .unique()
    .execute();
  await database.schema
    .createIndex('analysisVersionByAnalysisIdNumber')
    .on('analysisVersion')
    .columns(['analysisId', 'number'])
    .unique()
    .execute();
  await database.schema
    .createIndex('parameterSetByOwnerAnalysisIdName')
    .on('parameterSet')
    .columns(['owner', 'analysisId', 'name'])
    .unique()
    .execute();
  await database.schema.createIndex('parameterSetByNumber').on('parameterSet').columns(['number']).unique().execute();
  await database.schema
    .createIndex('parameterSetByOwnerNumber')
    .on('parameterSet')
    .columns(['owner', 'number'])
    .execute();
  await database.schema
    .createIndex('parameterSetByOwnerAnalysisIdNumber')
    .on('parameterSet')
    .columns(['owner', 'analysisId', 'number'])
    .execute();
  await database.schema
    .createIndex('parameterSetByOwnerName')
    .on('parameterSet')
    .columns(['owner', 'name', 'number'])
    .execute();
  await database.schema
    .createIndex('parameterSetByParentVersionId')
    .on('parameterSet')
    .columns(['parentVersionId'])
    .execute();
  await database.schema
    .createIndex('parameterSetVersionByParameterSetIdNumber')
    .on('parameterSetVersion')
    .columns(['parameterSetId', 'number'])
    .unique()
    .execute();
  await database.schema
    .createIndex('parameterFieldNameByOwnerNameKindAnalysisId')
    .on('parameterFieldName')
    .columns(['owner', 'name', 'kind', 'analysisId'])
    .unique()
    .execute();
  // Each holds all that one step of a search reads, so that no row of the table itself is fetched.
  await database.schema
    .createIndex('parameterFieldByFieldNumberText')
    .on('parameterField')
    .columns(['fieldNumber', 'text', 'setNumber'])
    .execute();
  await database.schema
    .createIndex('parameterFieldByFieldNumberNumber')
    .on('parameterField')
    .columns(['fieldNumber', 'number', 'setNumber'])
    .execute();
  await database.schema
    .createIndex('parameterFieldByFieldNumberSetNumber')
    .on('parameterField')
    .columns(['fieldNumber', 'setNumber', 'number'])
    .unique()
    .execute();
  await database.schema.createIndex('runByOwnerCreatedAt').on('run').columns(['owner', 'createdAt']).execute();
  await database.schema.createIndex('runByState').on('run').columns(['state']).execute();
  await database.schema.createIndex('taskByRunIdState').on('task').columns(['runId', 'state', 'index']).execute();
  await database.schema.createIndex('taskByDerivativeKey').on('task').columns(['derivativeKey']).execute();
  await database.schema.createIndex('attemptByStateRunId').on('attempt').columns(['state', 'runId']).execute();
  await database.schema
    .createIndex('derivativeByDerivativeKeyOwnerPublishedAt')
    .on('derivative')
    .columns(['derivativeKey', 'owner', 'publishedAt'])
    .execute();
  await database.schema
    .createIndex('derivativeByRunIdShardKey')
    .on('derivative')
    .columns(['runId', 'shardKey'])
    .execute();
  await database.schema.createIndex('derivativeByShardDigest').on('derivative').columns(['shardDigest']).execute();
  await database.schema
    .createIndex('derivativeByDatasetIdShardKey')
    .on('derivative')
    .columns(['datasetId', 'shardKey'])
    .execute();
  await database.schema
    .createIndex('runParameterSetByParameterSetVersionId')
    .on('runParameterSet')
    .columns(['parameterSetVersionId'])
    .execute();
  await database.schema
    .createIndex('runParameterSetByParameterSetIdRunId')
    .on('runParameterSet')
    .columns(['parameterSetId', 'runId'])
    .execute();
  await database.schema
    .createIndex('datasetByDefaultParameterSetVersionId')
    .on('dataset')
    .columns(['defaultParameterSetVersionId'])
    .execute();
  await database.schema
    .createIndex('parameterSetVersionBySnippetId')
    .on('parameterSetVersion')
    .columns(['snippetId'])
    .execute();
}
