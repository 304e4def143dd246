import type { AnalysisVersion, Contract, ParameterValues, Resources } from '@labscale/schema';
import type { VersionRoot } from '../datasets/dataset-repository.js';
import type { ObjectReader } from '../datasets/object-reader.js';
import type { StoredObject } from '../datasets/stored-shard.js';
import type { Database, Writing } from '../metadata/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import type { TaskOrder } from '../runner/runner.js';

/** Kept with a run: what its program runs in. */
export interface RunEnvironment {
  interpreter: string;
  /** Where it is not this machine. */
  image?: string;
  packages: Record<string, string>;
}

export interface OrderedTask {
  order: TaskOrder;
  failures: number;
  losses: number;
}

/** What a worker is told: `plan.json` once for a run, then one order for each attempt. */
export class RunOrders {
  constructor(
    private readonly database: Database,
    private readonly objects: ObjectStore,
    private readonly reader: ObjectReader
  ) {}

  /** Writes `runs/<run>/plan.json`; the same bytes whenever it is written. */
  async writePlan(runId: string): Promise<void> {
    const run = await this.database
      .selectFrom('run')
      .innerJoin('analysisVersion', 'analysisVersion.id', 'run.analysisVersionId')
      .select(['run.environmentDigest', 'analysisVersion.id as versionId'])
      .select(['digest', 'kind', 'kernelJson', 'commandJson', 'filesJson', 'contractJson'])
      .where('run.id', '=', runId)
      .executeTakeFirstOrThrow();
    const sets = await this.database
      .selectFrom('runParameterSet')
      .innerJoin('parameterSetVersion', 'parameterSetVersion.id', 'runParameterSet.parameterSetVersionId')
      .select(['parameterSetVersion.id', 'valuesJson'])
      .where('runId', '=', runId)
      .orderBy('position')
      .execute();
    const contract = JSON.parse(run.contractJson) as Contract;
    const folder = `analyses/${run.digest.slice('sha256:'.length)}`;
    const plan = {
      version: 1,
      runId,
      analysis: {
        versionId: run.versionId,
        digest: run.digest,
        kind: run.kind,
        ...(run.kind === 'notebook' ? { notebook: `${folder}/notebook.ipynb` } : {}),
        files: (JSON.parse(run.filesJson) as string[]).map((path) => ({ path, key: `${folder}/files/${path}` })),
        ...(run.commandJson === null ? {} : { command: JSON.parse(run.commandJson) as string[] }),
        kernel: run.kernelJson === null ? null : (JSON.parse(run.kernelJson) as AnalysisVersion['kernel']),
        contract
      },
      parameterSets: Object.fromEntries(
        sets.map((set) => [set.id, { values: JSON.parse(set.valuesJson) as ParameterValues }])
      ),
      environmentDigest: run.environmentDigest,
      warm: contract.warm
    };
    await this.objects.put(`runs/${runId}/plan.json`, Buffer.from(JSON.stringify(plan)));
  }

  /** The next attempts of tasks, in index order. */
  async next(
    writing: Writing,
    run: { id: string; datasetVersionId: string; resources: Resources },
    indexes: readonly number[]
  ): Promise<OrderedTask[]> {
    const { rootJson } = await writing
      .selectFrom('datasetVersion')
      .select('rootJson')
      .where('id', '=', run.datasetVersionId)
      .executeTakeFirstOrThrow();
    const root = JSON.parse(rootJson) as VersionRoot;
    const rows = await writing
      .selectFrom('task')
      .innerJoin('shard', (on) =>
        on.onRef('shard.index', '=', 'task.shardIndex').on('shard.versionId', '=', run.datasetVersionId)
      )
      .select(['task.index', 'attempts', 'failures', 'losses', 'parameterSetVersionId', 'resourcesJson'])
      .select(['key', 'entitiesJson', 'metadataJson', 'digest', 'objectsJson'])
      .where('runId', '=', run.id)
      .where('task.index', 'in', indexes)
      .orderBy('task.index')
      .execute();
    return rows.map((row) => ({
      failures: row.failures,
      losses: row.losses,
      order: {
        index: row.index,
        attempt: row.attempts + 1,
        parameterSetVersionId: row.parameterSetVersionId,
        resources: row.resourcesJson === null ? run.resources : (JSON.parse(row.resourcesJson) as Resources),
        shard: {
          key: row.key,
          entities: JSON.parse(row.entitiesJson) as Record<string, string>,
          metadata: JSON.parse(row.metadataJson) as Record<string, string | number | boolean>,
          digest: row.digest,
          objects: (JSON.parse(row.objectsJson) as StoredObject[]).map((object) => ({
            path: object.path,
            sizeBytes: object.sizeBytes,
            digest: object.digest,
            ...this.reader.placeOf(root, object)
          }))
        }
      }
    }));
  }
}
