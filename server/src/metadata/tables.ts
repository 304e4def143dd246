import type { Adapter, AnalysisKind, AttemptState, ExitKind, RunState, TaskState } from '@labscale/schema';

/**
 * Rows as they are stored. Times are ISO 8601 in UTC; a column named `...Json` is JSON text, written and read only by the
 * repository of its noun; a truth value is 0 or 1, which both databases know.
 */
export interface Tables {
  dataset: {
    id: string;
    owner: string;
    name: string;
    description: string;
    metadataJson: string;
    sourceJson: string;
    /** Of derivatives: the dataset and the analysis that they are the derivatives of; null where a folder was registered. */
    derivedFromDatasetId: string | null;
    derivedByAnalysisId: string | null;
    defaultParameterSetVersionId: string | null;
    latestVersionId: string;
    createdAt: string;
    updatedAt: string;
  };
  datasetVersion: {
    id: string;
    owner: string;
    datasetId: string;
    number: number;
    digest: string | null;
    indexingState: 'digesting' | 'ready' | 'failed';
    indexingDone: number;
    indexingDetail: string | null;
    shardCount: number;
    sizeBytes: number;
    entityNamesJson: string;
    metadataNamesJson: string;
    changesJson: string | null;
    /** The version that `changesJson` counts from: the last one before it that is whole. */
    previousVersionId: string | null;
    /** Where the paths of its objects start: `{"kind":"folder","path"}` as it was registered, or `{"kind":"store"}` with keys. */
    rootJson: string;
    madeByRunId: string | null;
    createdAt: string;
  };
  shard: {
    versionId: string;
    index: number;
    owner: string;
    key: string;
    entitiesJson: string;
    metadataJson: string;
    /** Array of {path, sizeBytes, digest, mediaType, at, modifiedNs?}: `at` is the path below the folder, or the key in the store. */
    objectsJson: string;
    sizeBytes: number;
    /** Empty until it is known, while the version is `digesting`. */
    digest: string;
    originJson: string | null;
  };
  /** The names of entities and metadata of a version; each has a number, by which its values are kept. */
  shardFieldName: { number: number; versionId: string; name: string };
  /**
   * Entities and metadata of shards, one row a value, so that filters use an index in any SQL. By the number of the field:
   * a version of 100,000 shards has many of these rows, and with ids in them they would be most of the database.
   */
  shardField: { fieldNumber: number; text: string; number: number | null; shardIndex: number };
  query: { id: string; owner: string; datasetId: string; name: string; filter: string; createdAt: string };
  snippet: {
    id: string;
    owner: string;
    name: string;
    datasetId: string;
    datasetVersionId: string;
    selectionJson: string;
    shardIndexesJson: string;
    digest: string;
    createdAt: string;
  };
  analysis: {
    id: string;
    owner: string;
    name: string;
    kind: AnalysisKind;
    /** Of a notebook; the name of a command or container: what makes the next registration a version of this one. */
    place: string;
    description: string;
    latestVersionId: string;
    createdAt: string;
    updatedAt: string;
  };
  analysisVersion: {
    id: string;
    owner: string;
    analysisId: string;
    number: number;
    digest: string;
    kind: AnalysisKind;
    path: string | null;
    kernelJson: string | null;
    commandJson: string | null;
    imageJson: string | null;
    adapter: Adapter | null;
    filesJson: string;
    contractJson: string;
    createdAt: string;
  };
  parameterSet: {
    id: string;
    /** 1, 2, ... in the order they were made: what search joins by, as it takes a fifth of the room of an id. */
    number: number;
    owner: string;
    analysisId: string;
    name: string;
    note: string;
    tagsJson: string;
    /** Name, note and tags in lower case, for search by words. */
    searchText: string;
    parentVersionId: string | null;
    changedFromParentJson: string;
    latestVersionId: string;
    createdAt: string;
    updatedAt: string;
  };
  parameterSetVersion: {
    id: string;
    owner: string;
    parameterSetId: string;
    number: number;
    analysisVersionId: string;
    valuesJson: string;
    digest: string;
    metricsJson: string;
    provenanceJson: string;
    /** The snippet that its provenance names, so that lineage finds it by an index. */
    snippetId: string | null;
    thumbnailDigest: string | null;
    thumbnailMediaType: string | null;
    createdAt: string;
  };
  /** Names of values and metrics that sets of an analysis have: what `fieldNumber` stands for. */
  parameterFieldName: {
    number: number;
    owner: string;
    analysisId: string;
    kind: 'parameter' | 'metric';
    name: string;
  };
  /** Values and metrics of the latest version of each set, one row each, for search. */
  parameterField: {
    setNumber: number;
    fieldNumber: number;
    /** A text as it is, anything else as canonical JSON; its first 400 characters. */
    text: string;
    /** Of a JSON number. */
    number: number | null;
  };
  run: {
    id: string;
    owner: string;
    name: string;
    state: RunState;
    analysisId: string;
    analysisVersionId: string;
    datasetId: string;
    datasetVersionId: string;
    filter: string;
    trialCount: number | null;
    trialReleased: number;
    resourcesJson: string;
    /** Null where the runner chooses. */
    shardsPerPod: number | null;
    environmentJson: string;
    environmentDigest: string;
    taskCount: number;
    /** Tasks by state; written with every change of a task, so that a list of runs counts nothing. */
    countsJson: string;
    /** Set while what succeeded is to be published although tasks failed. */
    publishPartial: number;
    /** Set until what the run left behind is removed: objects of attempts that lost, scratch folders. */
    garbage: number;
    failure: string | null;
    derivativesVersionId: string | null;
    createdAt: string;
    startedAt: string | null;
    finishedAt: string | null;
  };
  runParameterSet: {
    runId: string;
    position: number;
    owner: string;
    parameterSetId: string;
    parameterSetVersionId: string;
  };
  task: {
    runId: string;
    index: number;
    owner: string;
    shardIndex: number;
    shardKey: string;
    parameterSetVersionId: string;
    state: TaskState;
    derivativeKey: string;
    reusedRunId: string | null;
    reusedTaskIndex: number | null;
    attempts: number;
    /** Attempts that failed, and that vanished with their worker, since the task was last asked for. */
    failures: number;
    losses: number;
    resourcesJson: string | null;
    exitKind: ExitKind | null;
    reason: string | null;
    failureGroup: string | null;
    failureText: string | null;
    notBefore: string | null;
    startedAt: string | null;
    finishedAt: string | null;
    durationSeconds: number | null;
    cpuSeconds: number | null;
    peakMemoryBytes: number | null;
    metricsJson: string;
  };
  attempt: {
    runId: string;
    taskIndex: number;
    number: number;
    owner: string;
    state: AttemptState;
    workerId: string | null;
    exitKind: ExitKind | null;
    reason: string | null;
    exitCode: number | null;
    startedAt: string;
    finishedAt: string | null;
    durationSeconds: number | null;
    cpuSeconds: number | null;
    peakMemoryBytes: number | null;
    published: number;
  };
  /** What published runs made, by derivative key and by the parts of the key, which give the reason of a miss. */
  derivative: {
    derivativeKey: string;
    owner: string;
    runId: string;
    taskIndex: number;
    attempt: number;
    /** Index of its shard in the dataset version of derivatives; null for a task that wrote nothing. */
    place: number | null;
    /** Where the objects are: the run and task that made them, which a reused derivative keeps. */
    madeByRunId: string;
    madeByTaskIndex: number;
    datasetId: string;
    shardKey: string;
    shardDigest: string;
    analysisId: string;
    analysisDigest: string;
    parametersDigest: string;
    environmentDigest: string;
    publishedAt: string;
  };
  idempotency: { owner: string; operation: string; key: string; bodyDigest: string; answer: string; createdAt: string };
}
