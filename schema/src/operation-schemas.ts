import { Type, type Static, type TSchema } from 'typebox';
import {
  AdapterName,
  Analysis,
  AnalysisVersion,
  BundledFile,
  CommandLine,
  ContainerCommand,
  Contract,
  ImageReference,
  Kernel,
  Notebook,
  Resources
} from './analysis.js';
import {
  BucketPage,
  BucketSource,
  Dataset,
  DatasetCheck,
  DatasetVersion,
  FolderSource,
  Query,
  Shard,
  ShardChange,
  Snippet
} from './dataset.js';
import { Lineage } from './lineage.js';
import { noun, nullable, page, ref, strict } from './noun.js';
import type { OperationId } from './operations.js';
import {
  ParameterComparison,
  ParameterSet,
  ParameterSetVersion,
  ParameterValues,
  Provenance,
  Thumbnail
} from './parameter-set.js';
import { Filter, Id, Json, Metrics, Name, ShardKey, Tags, Text } from './primitives.js';
import {
  Attempt,
  Derivative,
  FailureGroup,
  LogMatch,
  LogPart,
  Plan,
  Promotion,
  Run,
  Task,
  TaskColumns,
  TaskStateString,
  runStates,
  runnerKinds,
  taskStates
} from './run.js';

interface OperationSchema {
  params?: TSchema;
  query?: TSchema;
  body?: TSchema;
  /** Absent where the operation answers with a stream or with nothing. */
  result?: TSchema;
}

const Index = Type.Integer({ minimum: 0, maximum: 4_294_967_295 });
const Limit = Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000, default: 50 }));
const Cursor = Type.Optional(Type.String({ maxLength: 2_000 }));
const Search = Type.Optional(
  Type.String({ maxLength: 2_000, description: 'Words, all of which must occur in name, description, note or tags.' })
);
const paging = { cursor: Cursor, limit: Limit };

const datasetId = strict({ datasetId: Id });
const versionId = strict({ versionId: Id });
const analysisId = strict({ analysisId: Id });
const parameterSetId = strict({ parameterSetId: Id });
const runId = strict({ runId: Id });
const runTask = strict({ runId: Id, index: Index });

export const ServerInfo = noun(
  'ServerInfo',
  'What this server is and runs on.',
  strict({
    version: Type.String(),
    user: Type.String(),
    metadata: Type.Enum(['sqlite', 'postgres'] as const),
    objects: Type.Enum(['local', 'minio'] as const),
    runner: Type.Enum(runnerKinds),
    projectFolder: nullable(
      Type.String({ description: 'Where relative paths start; null where the server shares no disk with its users.' })
    ),
    cpus: Type.Integer({ minimum: 1 }),
    memoryBytes: Type.Integer({ minimum: 0 })
  })
);

const analysisFields = {
  name: Type.Optional(Name),
  description: Type.Optional(Text),
  files: Type.Optional(Type.Array(BundledFile, { maxItems: 200, description: 'Modules of its own that it imports.' })),
  contract: Type.Optional(
    Type.Partial(Contract, {
      $id: undefined,
      additionalProperties: false,
      description: 'What to set instead of what is inferred.'
    })
  )
};

export const operationSchemas = {
  getServer: { result: ref(ServerInfo) },
  listEvents: { query: strict({ runId: Type.Optional(Id) }) },

  listDatasets: { query: strict({ search: Search, ...paging }), result: page(ref(Dataset)) },
  createDataset: {
    body: strict({
      name: Name,
      description: Type.Optional(Text),
      metadata: Type.Optional(Type.Record(Type.String(), Json)),
      source: Type.Union([FolderSource, BucketSource])
    }),
    result: ref(Dataset)
  },
  browseBucket: {
    query: strict({
      bucket: Type.Optional(Type.String({ minLength: 1, maxLength: 63 })),
      prefix: Type.Optional(Type.String({ maxLength: 1_024 })),
      ...paging
    }),
    result: BucketPage
  },
  getDataset: { params: datasetId, result: ref(Dataset) },
  updateDataset: {
    params: datasetId,
    body: strict({
      name: Type.Optional(Name),
      description: Type.Optional(Text),
      metadata: Type.Optional(Type.Record(Type.String(), Json)),
      defaultParameterSetVersionId: Type.Optional(nullable(Id))
    }),
    result: ref(Dataset)
  },
  deleteDataset: { params: datasetId },
  checkDataset: { params: datasetId, result: DatasetCheck },
  listDatasetVersions: { params: datasetId, query: strict(paging), result: page(ref(DatasetVersion)) },
  createDatasetVersion: { params: datasetId, result: ref(DatasetVersion) },
  getDatasetVersion: { params: versionId, result: ref(DatasetVersion) },
  listShardChanges: { params: versionId, query: strict(paging), result: page(ShardChange) },
  listShards: {
    params: versionId,
    query: strict({ filter: Type.Optional(Filter), ...paging }),
    result: page(ref(Shard))
  },
  getShard: { params: versionId, query: strict({ key: ShardKey }), result: ref(Shard) },
  getObject: {
    params: versionId,
    query: strict({ shard: ShardKey, path: Type.String({ minLength: 1, maxLength: 1_024 }) })
  },

  listQueries: { params: datasetId, query: strict(paging), result: page(ref(Query)) },
  createQuery: { params: datasetId, body: strict({ name: Name, filter: Filter }), result: ref(Query) },
  deleteQuery: { params: strict({ queryId: Id }) },

  listSnippets: { query: strict({ datasetId: Type.Optional(Id), ...paging }), result: page(ref(Snippet)) },
  createSnippet: {
    body: strict({
      datasetVersionId: Id,
      name: Type.Optional(Name),
      count: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000, default: 4 })),
      filter: Type.Optional(Filter),
      seed: Type.Optional(
        Type.Integer({ minimum: 0, maximum: 4_294_967_295, description: 'Chosen and recorded where it is left out.' })
      )
    }),
    result: ref(Snippet)
  },
  getSnippet: { params: strict({ snippetId: Id }), result: ref(Snippet) },
  getSnippetFiles: {
    params: strict({ snippetId: Id }),
    result: strict({
      shards: Type.Array(
        strict({
          key: ShardKey,
          objects: Type.Array(
            strict({
              path: Type.String(),
              file: Type.Optional(
                Type.String({
                  description:
                    'Absolute path on the machine of the server; left out where it is not on its disk: getObject gives the bytes.'
                })
              )
            })
          )
        })
      )
    })
  },
  getSnippetNotebook: {
    params: strict({ snippetId: Id }),
    query: strict({ analysisId: Type.Optional(Id) }),
    result: Notebook
  },

  inspectNotebook: {
    body: strict({ notebook: Notebook }),
    result: strict({
      contract: ref(Contract),
      kernel: nullable(Kernel),
      cellIndex: nullable(Type.Integer({ minimum: 0 }))
    })
  },
  listAnalyses: {
    query: strict({ search: Search, path: Type.Optional(Type.String({ maxLength: 4_096 })), ...paging }),
    result: page(ref(Analysis))
  },
  createAnalysis: {
    body: Type.Union([
      strict({
        kind: Type.Literal('notebook'),
        path: Type.String({ minLength: 1, maxLength: 4_096 }),
        notebook: Notebook,
        ...analysisFields
      }),
      strict({ kind: Type.Literal('command'), command: CommandLine, ...analysisFields, name: Name }),
      strict({
        kind: Type.Literal('container'),
        image: ImageReference,
        command: Type.Optional(ContainerCommand),
        adapter: Type.Optional(AdapterName),
        name: Name,
        description: analysisFields.description,
        contract: analysisFields.contract
      })
    ]),
    result: ref(Analysis)
  },
  getAnalysis: { params: analysisId, result: ref(Analysis) },
  updateAnalysis: {
    params: analysisId,
    body: strict({ name: Type.Optional(Name), description: Type.Optional(Text) }),
    result: ref(Analysis)
  },
  updateContract: { params: analysisId, body: ref(Contract), result: ref(AnalysisVersion) },
  listAnalysisVersions: { params: analysisId, query: strict(paging), result: page(ref(AnalysisVersion)) },
  getAnalysisVersion: { params: versionId, result: ref(AnalysisVersion) },
  getAnalysisSource: { params: versionId, result: Notebook },

  listParameterSets: {
    query: strict({
      analysisId: Type.Optional(Id),
      search: Search,
      filter: Type.Optional(Filter),
      orderBy: Type.Optional(
        Type.String({
          maxLength: 200,
          pattern: '^(created|name|(metric|parameter):[A-Za-z_][A-Za-z0-9_.-]{0,127})(:(asc|desc))?$',
          description:
            '`created` (default, descending), `name`, `metric:NAME` or `parameter:NAME`, with `:asc` or `:desc`.'
        })
      ),
      ...paging
    }),
    result: page(ref(ParameterSet))
  },
  createParameterSet: {
    body: strict({
      name: Name,
      analysisVersionId: Id,
      values: ParameterValues,
      note: Type.Optional(Text),
      tags: Type.Optional(Tags),
      metrics: Type.Optional(Metrics),
      provenance: Type.Optional(Type.Partial(Provenance, { additionalProperties: false })),
      thumbnail: Type.Optional(Thumbnail)
    }),
    result: ref(ParameterSet)
  },
  getParameterSet: { params: parameterSetId, result: ref(ParameterSet) },
  updateParameterSet: {
    params: parameterSetId,
    body: strict({ name: Type.Optional(Name), note: Type.Optional(Text), tags: Type.Optional(Tags) }),
    result: ref(ParameterSet)
  },
  deleteParameterSet: { params: parameterSetId },
  listParameterSetVersions: { params: parameterSetId, query: strict(paging), result: page(ref(ParameterSetVersion)) },
  createParameterSetVersion: {
    params: parameterSetId,
    body: strict({
      analysisVersionId: Id,
      values: ParameterValues,
      metrics: Type.Optional(Metrics),
      provenance: Type.Optional(Type.Partial(Provenance, { additionalProperties: false })),
      thumbnail: Type.Optional(Thumbnail)
    }),
    result: ref(ParameterSet)
  },
  forkParameterSet: {
    params: parameterSetId,
    body: strict({
      versionId: Type.Optional(Id),
      name: Name,
      values: Type.Optional(ParameterValues),
      note: Type.Optional(Text),
      tags: Type.Optional(Tags)
    }),
    result: ref(ParameterSet)
  },
  compareParameterSets: {
    query: strict({
      versions: Type.String({
        maxLength: 2_500,
        pattern: '^[a-z0-9-]+(,[a-z0-9-]+){1,99}$',
        description: 'Two or more ids of set versions, separated by commas.'
      })
    }),
    result: ref(ParameterComparison)
  },
  getParameterSetVersion: { params: versionId, result: ref(ParameterSetVersion) },
  getThumbnail: { params: versionId },

  createPlan: { body: ref(Promotion), result: ref(Plan) },
  listRuns: {
    query: strict({
      search: Search,
      state: Type.Optional(Type.Enum(runStates)),
      datasetId: Type.Optional(Id),
      analysisId: Type.Optional(Id),
      parameterSetId: Type.Optional(Id),
      ...paging
    }),
    result: page(ref(Run))
  },
  createRun: { body: strict({ name: Type.Optional(Name), promotion: ref(Promotion) }), result: ref(Run) },
  getRun: { params: runId, result: ref(Run) },
  stopRun: { params: runId, result: ref(Run) },
  releaseRun: { params: runId, result: ref(Run) },
  retryRun: {
    params: runId,
    body: strict({
      taskIndexes: Type.Optional(Type.Array(Index, { minItems: 1, maxItems: 100_000, uniqueItems: true })),
      failureGroup: Type.Optional(Type.String({ maxLength: 100 })),
      resources: Type.Optional(Type.Partial(Resources, { additionalProperties: false }))
    }),
    result: ref(Run)
  },
  publishRun: { params: runId, result: ref(Run) },
  listTasks: {
    params: runId,
    query: strict({
      state: Type.Optional(Type.Enum(taskStates)),
      failureGroup: Type.Optional(Type.String({ maxLength: 100 })),
      search: Search,
      ...paging
    }),
    result: page(ref(Task))
  },
  getTaskStates: { params: runId, result: TaskStateString },
  getTaskColumns: { params: runId, result: TaskColumns },
  getTask: { params: runTask, result: ref(Task) },
  listAttempts: { params: runTask, result: strict({ items: Type.Array(ref(Attempt)) }) },
  getLog: {
    params: strict({ runId: Id, index: Index, attempt: Type.Integer({ minimum: 1, maximum: 10_000 }) }),
    query: strict({
      offset: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Byte to start from; the last `limit` bytes where it is left out.' })
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_048_576, default: 65_536 }))
    }),
    result: LogPart
  },
  searchLogs: {
    params: runId,
    query: strict({ text: Type.String({ minLength: 1, maxLength: 500 }), limit: Limit }),
    result: strict({
      items: Type.Array(LogMatch),
      complete: Type.Boolean({ description: 'False where there are more matches than the limit.' })
    })
  },
  listFailures: { params: runId, result: strict({ items: Type.Array(FailureGroup) }) },
  listDerivatives: { params: runId, query: strict(paging), result: page(ref(Derivative)) },

  getLineage: { params: strict({ id: Id }), result: ref(Lineage) }
} as const satisfies Record<OperationId, OperationSchema>;

type StaticOf<S, K extends string, None> = S extends { [k in K]: infer T extends TSchema } ? Static<T> : None;
type Schemas = typeof operationSchemas;

/** What each operation takes and gives; the types of client and server, from the schemas above. */
export type Operations = {
  [K in OperationId]: {
    params: StaticOf<Schemas[K], 'params', Record<string, never>>;
    query: StaticOf<Schemas[K], 'query', Record<string, never>>;
    body: StaticOf<Schemas[K], 'body', undefined>;
    result: StaticOf<Schemas[K], 'result', undefined>;
  };
};
export type ServerInfo = Static<typeof ServerInfo>;
