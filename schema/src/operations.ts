/**
 * Every operation of the server: method, path and who may do it. Plain data without TypeBox, so that a browser bundle
 * takes only this table and the types of operation-schemas.ts.
 *
 * `policy`: `anyone` needs no token; `signed-in` any user, who then sees only what is theirs; `view`, `use` and `edit`
 * need that right to the thing that the path names (without `view` it does not exist: 404).
 * `answers`: JSON by default; `bytes` and `events` are streams.
 * `idempotent`: takes an `Idempotency-Key` header; the same key with the same body gives the first answer again.
 */
export interface Operation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: string;
  readonly policy: 'anyone' | 'signed-in' | 'view' | 'use' | 'edit';
  readonly summary: string;
  readonly status?: 200 | 201 | 202 | 204;
  readonly answers?: 'bytes' | 'events';
  readonly idempotent?: true;
}

export const apiPrefix = '/api/v1';

export const operations = {
  getServer: {
    method: 'GET',
    path: '/server',
    policy: 'signed-in',
    summary: 'Version, user, and what this server runs on'
  },
  listEvents: {
    method: 'GET',
    path: '/events',
    policy: 'signed-in',
    summary: 'Changes as server-sent events, resumed by Last-Event-ID',
    answers: 'events'
  },

  listDatasets: {
    method: 'GET',
    path: '/datasets',
    policy: 'signed-in',
    summary: 'Datasets, newest first, or those that fit a search'
  },
  createDataset: {
    method: 'POST',
    path: '/datasets',
    policy: 'signed-in',
    summary: 'Register a folder, or objects of a bucket, as a dataset',
    status: 201,
    idempotent: true
  },
  browseBucket: {
    method: 'GET',
    path: '/bucket',
    policy: 'signed-in',
    summary: 'What lies directly below a prefix of a bucket, to choose what to register'
  },
  getDataset: { method: 'GET', path: '/datasets/:datasetId', policy: 'view', summary: 'One dataset' },
  updateDataset: {
    method: 'PATCH',
    path: '/datasets/:datasetId',
    policy: 'edit',
    summary: 'Change name, description, metadata or default parameter set'
  },
  deleteDataset: {
    method: 'DELETE',
    path: '/datasets/:datasetId',
    policy: 'edit',
    summary: 'Forget a dataset that no run used; the data stay where they are',
    status: 204
  },
  checkDataset: {
    method: 'POST',
    path: '/datasets/:datasetId/check',
    policy: 'view',
    summary: 'Compare folder or prefix with the latest version by names, sizes and times or ETags'
  },
  listDatasetVersions: {
    method: 'GET',
    path: '/datasets/:datasetId/versions',
    policy: 'view',
    summary: 'Versions of a dataset, newest first'
  },
  createDatasetVersion: {
    method: 'POST',
    path: '/datasets/:datasetId/versions',
    policy: 'edit',
    summary: 'Make a new version where folder or prefix changed, else give the latest'
  },
  getDatasetVersion: {
    method: 'GET',
    path: '/dataset-versions/:versionId',
    policy: 'view',
    summary: 'One version of a dataset'
  },
  listShardChanges: {
    method: 'GET',
    path: '/dataset-versions/:versionId/changes',
    policy: 'view',
    summary: 'Shards that differ from the version before'
  },
  listShards: {
    method: 'GET',
    path: '/dataset-versions/:versionId/shards',
    policy: 'view',
    summary: 'Shards in manifest order, or those that fit a filter'
  },
  getShard: {
    method: 'GET',
    path: '/dataset-versions/:versionId/shard',
    policy: 'view',
    summary: 'One shard by its key'
  },
  getObject: {
    method: 'GET',
    path: '/dataset-versions/:versionId/object',
    policy: 'view',
    summary: 'The bytes of an object of a shard; takes Range',
    answers: 'bytes'
  },

  listQueries: {
    method: 'GET',
    path: '/datasets/:datasetId/queries',
    policy: 'view',
    summary: 'Saved queries of a dataset'
  },
  createQuery: {
    method: 'POST',
    path: '/datasets/:datasetId/queries',
    policy: 'view',
    summary: 'Save a filter by name',
    status: 201
  },
  deleteQuery: {
    method: 'DELETE',
    path: '/queries/:queryId',
    policy: 'edit',
    summary: 'Delete a saved query',
    status: 204
  },

  listSnippets: { method: 'GET', path: '/snippets', policy: 'signed-in', summary: 'Snippets, newest first' },
  createSnippet: {
    method: 'POST',
    path: '/snippets',
    policy: 'signed-in',
    summary: 'Cut a seeded selection of shards',
    status: 201,
    idempotent: true
  },
  getSnippet: { method: 'GET', path: '/snippets/:snippetId', policy: 'view', summary: 'One snippet with its shards' },
  getSnippetFiles: {
    method: 'GET',
    path: '/snippets/:snippetId/files',
    policy: 'use',
    summary: 'Where the files of its shards are on the machine of the server'
  },
  getSnippetNotebook: {
    method: 'GET',
    path: '/snippets/:snippetId/notebook',
    policy: 'view',
    summary: 'A new notebook that loads the snippet, with a cell tagged `parameters`'
  },

  inspectNotebook: {
    method: 'POST',
    path: '/analyses/inspect',
    policy: 'signed-in',
    summary: 'The parameter contract that a notebook would have'
  },
  listAnalyses: { method: 'GET', path: '/analyses', policy: 'signed-in', summary: 'Analyses, newest first' },
  createAnalysis: {
    method: 'POST',
    path: '/analyses',
    policy: 'signed-in',
    summary: 'Register a notebook or command; the same path gives a new version only where the content changed',
    status: 201
  },
  getAnalysis: { method: 'GET', path: '/analyses/:analysisId', policy: 'view', summary: 'One analysis' },
  updateAnalysis: {
    method: 'PATCH',
    path: '/analyses/:analysisId',
    policy: 'edit',
    summary: 'Change name or description'
  },
  updateContract: {
    method: 'PUT',
    path: '/analyses/:analysisId/contract',
    policy: 'edit',
    summary: 'Make a version with an edited contract'
  },
  listAnalysisVersions: {
    method: 'GET',
    path: '/analyses/:analysisId/versions',
    policy: 'view',
    summary: 'Versions of an analysis, newest first'
  },
  getAnalysisVersion: {
    method: 'GET',
    path: '/analysis-versions/:versionId',
    policy: 'view',
    summary: 'One version of an analysis'
  },
  getAnalysisSource: {
    method: 'GET',
    path: '/analysis-versions/:versionId/source',
    policy: 'view',
    summary: 'The notebook as it was registered'
  },

  listParameterSets: {
    method: 'GET',
    path: '/parameter-sets',
    policy: 'signed-in',
    summary: 'Parameter sets by search, filter over values and metrics, and order'
  },
  createParameterSet: {
    method: 'POST',
    path: '/parameter-sets',
    policy: 'signed-in',
    summary: 'Save tuned values as a set',
    status: 201,
    idempotent: true
  },
  getParameterSet: {
    method: 'GET',
    path: '/parameter-sets/:parameterSetId',
    policy: 'view',
    summary: 'One parameter set'
  },
  updateParameterSet: {
    method: 'PATCH',
    path: '/parameter-sets/:parameterSetId',
    policy: 'edit',
    summary: 'Change name, note or tags; values never change'
  },
  deleteParameterSet: {
    method: 'DELETE',
    path: '/parameter-sets/:parameterSetId',
    policy: 'edit',
    summary: 'Delete a set that no run used',
    status: 204
  },
  listParameterSetVersions: {
    method: 'GET',
    path: '/parameter-sets/:parameterSetId/versions',
    policy: 'view',
    summary: 'Versions of a set, newest first'
  },
  createParameterSetVersion: {
    method: 'POST',
    path: '/parameter-sets/:parameterSetId/versions',
    policy: 'edit',
    summary: 'Save values as the next version of a set',
    status: 201,
    idempotent: true
  },
  forkParameterSet: {
    method: 'POST',
    path: '/parameter-sets/:parameterSetId/fork',
    policy: 'view',
    summary: "Start a set of one's own from a version",
    status: 201,
    idempotent: true
  },
  compareParameterSets: {
    method: 'GET',
    path: '/parameter-sets/compare',
    policy: 'signed-in',
    summary: 'Set versions side by side, and where they differ'
  },
  getParameterSetVersion: {
    method: 'GET',
    path: '/parameter-set-versions/:versionId',
    policy: 'view',
    summary: 'One version of a set'
  },
  getThumbnail: {
    method: 'GET',
    path: '/parameter-set-versions/:versionId/thumbnail',
    policy: 'view',
    summary: 'The output picture that goes with it',
    answers: 'bytes'
  },

  createPlan: {
    method: 'POST',
    path: '/plans',
    policy: 'signed-in',
    summary: 'What a promotion would do; nothing starts'
  },
  listRuns: { method: 'GET', path: '/runs', policy: 'signed-in', summary: 'Runs, newest first' },
  createRun: {
    method: 'POST',
    path: '/runs',
    policy: 'signed-in',
    summary: 'Promote: write the intent and start',
    status: 202,
    idempotent: true
  },
  getRun: { method: 'GET', path: '/runs/:runId', policy: 'view', summary: 'One run' },
  stopRun: {
    method: 'POST',
    path: '/runs/:runId/stop',
    policy: 'edit',
    summary: 'Stop: end all process trees, publish nothing',
    status: 202
  },
  releaseRun: {
    method: 'POST',
    path: '/runs/:runId/release',
    policy: 'edit',
    summary: 'Release the tasks held back by the trial',
    status: 202
  },
  retryRun: {
    method: 'POST',
    path: '/runs/:runId/retry',
    policy: 'edit',
    summary: 'Run failed tasks again in the same run, with other resources if given',
    status: 202
  },
  publishRun: {
    method: 'POST',
    path: '/runs/:runId/publish',
    policy: 'edit',
    summary: 'Publish what succeeded of a run that has failed tasks',
    status: 202
  },
  listTasks: {
    method: 'GET',
    path: '/runs/:runId/tasks',
    policy: 'view',
    summary: 'Tasks in index order, by state or failure'
  },
  getTaskStates: {
    method: 'GET',
    path: '/runs/:runId/task-states',
    policy: 'view',
    summary: 'The state of every task, one character each'
  },
  getTaskColumns: {
    method: 'GET',
    path: '/runs/:runId/task-columns',
    policy: 'view',
    summary: 'Tasks by column, for charts and the grid'
  },
  getTask: { method: 'GET', path: '/runs/:runId/tasks/:index', policy: 'view', summary: 'One task' },
  listAttempts: {
    method: 'GET',
    path: '/runs/:runId/tasks/:index/attempts',
    policy: 'view',
    summary: 'Attempts of a task, first to last'
  },
  getLog: {
    method: 'GET',
    path: '/runs/:runId/tasks/:index/attempts/:attempt/log',
    policy: 'view',
    summary: 'The log of an attempt from an offset; grows while it runs'
  },
  searchLogs: {
    method: 'GET',
    path: '/runs/:runId/log-search',
    policy: 'view',
    summary: 'Lines that have a text, over the logs of all tasks'
  },
  listFailures: {
    method: 'GET',
    path: '/runs/:runId/failures',
    policy: 'view',
    summary: 'Failed tasks in groups of like failures, first in time first'
  },
  listDerivatives: { method: 'GET', path: '/runs/:runId/derivatives', policy: 'view', summary: 'What a run published' },

  getLineage: {
    method: 'GET',
    path: '/lineage/:id',
    policy: 'view',
    summary: 'What something was made from, and what was made from it'
  }
} as const satisfies Record<string, Operation>;

export type OperationId = keyof typeof operations;
