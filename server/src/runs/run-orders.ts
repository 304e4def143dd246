import type { Adapter, AnalysisVersion, ContainerImage, Contract, ParameterValues, Resources } from '@labscale/schema';
import { containerArguments } from '../analyses/container-arguments.js';
import type { VersionRoot } from '../datasets/dataset-repository.js';
import type { ObjectReader } from '../datasets/object-reader.js';
import type { StoredObject } from '../datasets/stored-shard.js';
import { readImageReference } from '../images/image-reference.js';
import type { Database, Writing } from '../metadata/database.js';
import type { ObjectStore } from '../objects/object-store.js';
import { completeValues } from '../parameters/parameter-values.js';
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
      .select(['imageJson', 'adapter'])
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
    const command = run.commandJson === null ? null : (JSON.parse(run.commandJson) as string[]);
    const image = run.imageJson === null ? null : (JSON.parse(run.imageJson) as ContainerImage);
    const values = new Map(
      sets.map((set) => {
        const saved = JSON.parse(set.valuesJson) as ParameterValues;
        // What reads the values of a container knows no contract, which may have got defaults since they were saved.
        return [set.id, image === null ? saved : completeValues(contract, saved)];
      })
    );
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
        ...(command === null ? {} : { command }),
        kernel: run.kernelJson === null ? null : (JSON.parse(run.kernelJson) as AnalysisVersion['kernel']),
        contract,
        ...(image === null
          ? {}
          : containerPlan({ image, command: command ?? [], adapter: run.adapter ?? 'plain', contract }, values))
      },
      parameterSets: Object.fromEntries([...values].map(([id, of]) => [id, { values: of }])),
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

/** What is told of a container: the image by its digest, and finished arguments, so that nothing is left to interpret. */
function containerPlan(
  container: { image: ContainerImage; adapter: Adapter; command: string[]; contract: Contract },
  values: ReadonlyMap<string, ParameterValues>
) {
  const { digest, reference, entrypoint, workingDirectory } = container.image;
  const { registry, repository } = readImageReference(reference);
  return {
    adapter: container.adapter,
    image: { reference: `${registry}/${repository}@${digest}`, entrypoint, workingDirectory },
    argumentsBySet: Object.fromEntries([...values].map(([id, of]) => [id, containerArguments(container, of)]))
  };
}
