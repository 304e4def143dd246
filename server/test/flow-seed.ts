import { readFileSync } from 'node:fs';
import type {
  Analysis,
  Attempt,
  Dataset,
  Derivative,
  ParameterComparison,
  ParameterSet,
  Promotion,
  Query,
  Run,
  Shard,
  Snippet,
  Task
} from '@labscale/schema';
import type { Tables } from '../src/metadata/tables.js';
import type { TestServer } from './test-server.js';

/** The linked examples of the contract. */
export interface Flow {
  Dataset: Dataset;
  Shard: Shard;
  Query: Query;
  Snippet: Snippet;
  Analysis: Analysis;
  ParameterSet: ParameterSet;
  ParameterComparison: ParameterComparison;
  Promotion: Promotion;
  Run: Run;
  Task: Task;
  Attempt: Attempt;
  Derivative: Derivative;
}

const examples = readFileSync(new URL('../../schema/examples/flow.json', import.meta.url), 'utf8');

/** The examples as a user's own. */
export function flowOf(owner: string): Flow {
  return JSON.parse(examples.replaceAll('"owner": "mara"', `"owner": "${owner}"`)) as Flow;
}

/** Writes every noun of the examples into the metadata of a server, as a user's own; objects and files there are none. */
export async function seedFlow({ metadata }: TestServer, owner: string): Promise<Flow> {
  const flow = flowOf(owner);
  const { Dataset: dataset, Snippet: snippet, Analysis: analysis, ParameterSet: set, Run: run, Task: task } = flow;
  const insert = async <T extends keyof Tables>(table: T, ...rows: Tables[T][]) => {
    for (const row of rows) {
      await metadata.database
        .insertInto(table)
        .values(row as never)
        .execute();
    }
  };
  const version = dataset.latestVersion;
  const derived = run.derivatives!;
  const datasetRow: Tables['dataset'] = {
    id: dataset.id,
    owner,
    name: dataset.name,
    description: dataset.description,
    metadataJson: JSON.stringify(dataset.metadata),
    sourceJson: JSON.stringify(dataset.source),
    derivedFromDatasetId: null,
    derivedByAnalysisId: null,
    defaultParameterSetVersionId: dataset.defaultParameterSetVersionId,
    latestVersionId: version.id,
    createdAt: dataset.createdAt,
    updatedAt: dataset.updatedAt
  };
  const versionRow: Tables['datasetVersion'] = {
    id: version.id,
    owner,
    datasetId: dataset.id,
    number: version.number,
    digest: version.digest,
    indexingState: 'ready',
    indexingDone: version.indexing.done,
    indexingDetail: null,
    shardCount: version.shardCount,
    sizeBytes: version.sizeBytes,
    entityNamesJson: JSON.stringify(version.entityNames),
    metadataNamesJson: JSON.stringify(version.metadataNames),
    changesJson: null,
    previousVersionId: null,
    rootJson: JSON.stringify({ kind: 'folder', path: (dataset.source as { path: string }).path }),
    madeByRunId: null,
    createdAt: version.createdAt
  };
  await insert(
    'dataset',
    datasetRow,
    // What the run published.
    {
      ...datasetRow,
      id: derived.datasetId,
      name: 'derivatives',
      sourceJson: JSON.stringify({ kind: 'derivatives', runId: run.id }),
      derivedFromDatasetId: dataset.id,
      derivedByAnalysisId: analysis.id,
      defaultParameterSetVersionId: null,
      latestVersionId: derived.datasetVersionId
    }
  );
  await insert('datasetVersion', versionRow, {
    ...versionRow,
    id: derived.datasetVersionId,
    datasetId: derived.datasetId,
    rootJson: JSON.stringify({ kind: 'store' }),
    madeByRunId: run.id
  });
  await insert(
    'shard',
    ...snippet.shards.map((shard) => ({
      versionId: version.id,
      index: shard.index,
      owner,
      key: shard.key,
      entitiesJson: JSON.stringify(shard.entities),
      metadataJson: JSON.stringify(shard.metadata),
      objectsJson: JSON.stringify(shard.objects.map((object) => ({ ...object, at: object.path }))),
      sizeBytes: shard.sizeBytes,
      digest: shard.digest,
      originJson: null
    }))
  );
  await insert('query', flow.Query);
  await insert('snippet', {
    id: snippet.id,
    owner,
    name: snippet.name,
    datasetId: dataset.id,
    datasetVersionId: version.id,
    selectionJson: JSON.stringify(snippet.selection),
    shardIndexesJson: JSON.stringify(snippet.shards.map(({ index }) => index)),
    digest: snippet.digest,
    createdAt: snippet.createdAt
  });
  await insert('analysis', {
    id: analysis.id,
    owner,
    name: analysis.name,
    kind: analysis.kind,
    place: analysis.latestVersion.path!,
    description: analysis.description,
    latestVersionId: analysis.latestVersion.id,
    createdAt: analysis.createdAt,
    updatedAt: analysis.updatedAt
  });
  const { id, digest, path, kernel, files, contract, createdAt } = analysis.latestVersion;
  await insert('analysisVersion', {
    ...{
      id,
      owner,
      analysisId: analysis.id,
      number: 1,
      digest,
      kind: analysis.kind,
      path,
      commandJson: null,
      imageJson: null,
      adapter: null,
      createdAt
    },
    kernelJson: JSON.stringify(kernel),
    filesJson: JSON.stringify(files),
    contractJson: JSON.stringify(contract)
  });
  for (const [place, { parameterSetName, version: values }] of flow.ParameterComparison.versions.entries()) {
    await insert('parameterSet', {
      id: values.parameterSetId,
      number: place + 1,
      owner,
      analysisId: analysis.id,
      name: parameterSetName,
      note: set.note,
      tagsJson: JSON.stringify(set.tags),
      searchText: parameterSetName,
      parentVersionId: values.parameterSetId === set.id ? set.parent!.parameterSetVersionId : null,
      changedFromParentJson: JSON.stringify(set.changedFromParent),
      latestVersionId: values.id,
      createdAt: values.createdAt,
      updatedAt: values.createdAt
    });
    await insert('parameterSetVersion', {
      id: values.id,
      owner,
      parameterSetId: values.parameterSetId,
      number: values.number,
      analysisVersionId: values.analysisVersionId,
      valuesJson: JSON.stringify(values.values),
      digest: values.digest,
      metricsJson: JSON.stringify(values.metrics),
      provenanceJson: JSON.stringify(values.provenance),
      snippetId: values.provenance.snippetId,
      thumbnailDigest: values.hasThumbnail ? values.digest : null,
      thumbnailMediaType: values.hasThumbnail ? 'image/png' : null,
      createdAt: values.createdAt
    });
  }
  await insert('run', {
    id: run.id,
    owner,
    name: run.name,
    state: run.state,
    analysisId: run.analysis.id,
    analysisVersionId: run.analysis.versionId,
    datasetId: run.dataset.id,
    datasetVersionId: run.dataset.versionId,
    filter: run.filter,
    trialCount: run.trial!.count,
    trialReleased: 1,
    resourcesJson: JSON.stringify(run.resources),
    shardsPerPod: null,
    environmentJson: JSON.stringify({ interpreter: 'python3', packages: {} }),
    environmentDigest: run.environmentDigest,
    taskCount: run.taskCount,
    countsJson: JSON.stringify(run.counts),
    publishPartial: 1,
    garbage: 0,
    failure: null,
    derivativesVersionId: derived.datasetVersionId,
    createdAt: run.createdAt,
    startedAt: run.startedAt,
    finishedAt: run.finishedAt
  });
  const [chosen] = run.parameterSets;
  await insert('runParameterSet', {
    runId: run.id,
    position: 0,
    owner,
    parameterSetId: chosen!.id,
    parameterSetVersionId: chosen!.versionId
  });
  const { entities: _, reusedFrom: __, progress: ___, metrics, ...taskColumns } = task;
  await insert('task', {
    ...taskColumns,
    ...{ owner, reusedRunId: null, reusedTaskIndex: null, failures: 0, losses: 0, resourcesJson: null },
    failureText: null,
    metricsJson: JSON.stringify(metrics)
  });
  await insert('attempt', { ...flow.Attempt, owner, workerId: null, published: 1 });
  await insert('derivative', {
    derivativeKey: task.derivativeKey,
    owner,
    runId: run.id,
    taskIndex: task.index,
    attempt: flow.Attempt.number,
    place: null,
    madeByRunId: run.id,
    madeByTaskIndex: task.index,
    datasetId: dataset.id,
    shardKey: task.shardKey,
    shardDigest: flow.Shard.digest,
    analysisId: analysis.id,
    analysisDigest: digest,
    parametersDigest: set.latestVersion.digest,
    environmentDigest: run.environmentDigest,
    publishedAt: run.finishedAt!
  });
  return flow;
}
