import type {
  Adapter,
  AnalysisVersion,
  ContainerImage,
  Contract,
  ParameterValues,
  Plan,
  Promotion,
  Resources,
  RunnerKind
} from '@labscale/schema';
import { containerArguments } from '../analyses/container-arguments.js';
import { shardFilter } from '../datasets/shard-filter.js';
import type { VersionRoot } from '../datasets/dataset-repository.js';
import type { User } from '../http/identify.js';
import type { Access } from '../metadata/access.js';
import type { Database, Writing } from '../metadata/database.js';
import { completeValues } from '../parameters/parameter-values.js';
import { readImageReference } from '../images/image-reference.js';
import { prefixOf, type IdPrefix } from '../metadata/ids.js';
import { ProblemError, notFound } from '../problem-error.js';
import type { Capacity } from '../runner/fair-share.js';
import type { Runner } from '../runner/runner.js';
import type { Environment, Environments } from '../runner/interpreter.js';
import type { DerivativeRepository } from './derivative-repository.js';
import {
  MissTally,
  crossShardsAndSets,
  explainMiss,
  nearestFirst,
  type PlannedTask,
  type PlanRecipe,
  type PlanSet,
  type PlanShard
} from './plan.js';
import { estimateRun, type EarlierDurations } from './run-estimate.js';

/** A promotion that has passed all checks, with what it names. */
export interface Promoted {
  owner: string;
  promotion: Promotion;
  analysis: { id: string; name: string; versionId: string };
  dataset: { id: string; name: string; versionId: string };
  sets: (PlanSet & { secondsPerShard: number | null })[];
  recipe: PlanRecipe;
  resources: Resources;
  environment: Environment;
}

interface Container {
  image: ContainerImage;
  adapter: Adapter;
  command: string[];
  contract: Contract;
}

const shardsAtOnce = 1_000;
const recipesTried = 5;
const runsForEstimate = 5;
const tasksForEstimate = 1_000;

/** Finds out what a promotion would do; writes nothing. */
export class RunPlanner {
  constructor(
    private readonly database: Database,
    private readonly access: Access,
    private readonly derivatives: DerivativeRepository,
    private readonly environments: Environments,
    private readonly machine: Pick<Runner, 'largestTask' | 'places'>,
    private readonly runner: RunnerKind
  ) {}

  /** Raises NOT_FOUND, BODY_INVALID, PARAMETER_..., DATASET_INDEXING, RESOURCES_EXCEEDED, RUNNER_UNSUITED, KERNEL_NOT_FOUND. */
  async check(user: User, promotion: Promotion, where: string): Promise<Promoted> {
    const { analysisVersionId, datasetVersionId, parameterSetVersionIds } = promotion;
    await this.#mayUse(user, 'av', analysisVersionId);
    await this.#mayUse(user, 'dv', datasetVersionId);
    for (const id of parameterSetVersionIds) await this.#mayUse(user, 'pv', id);
    const analysis = await this.database
      .selectFrom('analysisVersion')
      .innerJoin('analysis', 'analysis.id', 'analysisVersion.analysisId')
      .select(['analysis.id', 'name', 'number', 'digest', 'analysisVersion.kind', 'kernelJson', 'contractJson'])
      .select(['commandJson', 'imageJson', 'adapter'])
      .where('analysisVersion.id', '=', analysisVersionId)
      .executeTakeFirstOrThrow();
    const contract = JSON.parse(analysis.contractJson) as Contract;
    const container = this.#container(analysis, contract, where);
    const dataset = await this.#readyDataset(datasetVersionId, where);
    const sets = await this.#sets(parameterSetVersionIds, analysis, contract, container, where);
    const resources = { ...contract.resources, ...promotion.resources };
    this.checkResources(resources, `${where}/resources`);
    this.#checkPacking(promotion, where);
    const kernel = analysis.kernelJson === null ? null : (JSON.parse(analysis.kernelJson) as AnalysisVersion['kernel']);
    const environment = container
      ? environmentOf(container.image)
      : await this.environments.environmentOf(kernel, analysis.kind);
    return {
      owner: user.name,
      promotion,
      analysis: { id: analysis.id, name: analysis.name, versionId: analysisVersionId },
      dataset,
      sets,
      recipe: {
        analysisDigest: analysis.digest,
        analysisNumber: analysis.number,
        environmentDigest: environment.digest,
        packages: environment.packages
      },
      resources,
      environment
    };
  }

  /** Raises RESOURCES_EXCEEDED where one task asks for more than there is. */
  checkResources(resources: Resources, where: string): void {
    checkCapacity(resources, this.machine.largestTask, where);
    const { gpus } = this.machine.largestTask;
    if ((resources.gpus ?? 0) > gpus) {
      const most = this.runner === 'local' ? 'the local runner gives none' : `the administrator allows ${gpus}`;
      throw new ProblemError('RESOURCES_EXCEEDED', `A task asks for ${resources.gpus} GPUs; ${most}.`, {
        field: `${where}/gpus`,
        mend:
          this.runner === 'local'
            ? 'Leave gpus out, or use a server whose runner is kubernetes.'
            : `Ask for at most ${gpus}.`
      });
    }
  }

  /** Raises RUNNER_UNSUITED where this is a container and the runner has none. */
  #container(
    version: { imageJson: string | null; commandJson: string | null; adapter: Adapter | null },
    contract: Contract,
    where: string
  ): Container | undefined {
    if (version.imageJson === null) return undefined;
    if (this.runner === 'local') {
      throw new ProblemError('RUNNER_UNSUITED', 'The local runner starts no containers.', {
        field: `${where}/analysisVersionId`,
        mend: 'Use a server whose runner is kubernetes, or a notebook or command that does the same.'
      });
    }
    const image = JSON.parse(version.imageJson) as ContainerImage;
    const { registry, repository } = readImageReference(image.reference);
    const reference = `${registry}/${repository}@${image.digest}`;
    if (!this.environments.allowsImage(reference)) {
      throw new ProblemError('RUNNER_UNSUITED', `The administrator does not allow the image ${reference}.`, {
        field: `${where}/analysisVersionId`,
        mend: 'Ask for it to be allowed in the profile of the cluster, or use another image.'
      });
    }
    return {
      image,
      command: JSON.parse(version.commandJson ?? '[]') as string[],
      adapter: version.adapter ?? 'plain',
      contract
    };
  }

  #checkPacking({ shardsPerPod }: Promotion, where: string): void {
    if (shardsPerPod === undefined || this.runner === 'kubernetes') return;
    throw new ProblemError('RUNNER_UNSUITED', 'The local runner has no pods, so no number of shards for each.', {
      field: `${where}/shardsPerPod`,
      mend: 'Leave shardsPerPod out, or use a server whose runner is kubernetes.'
    });
  }

  /** The tasks in the order of their indexes, a page of shards at a time; what exists is marked as reused. */
  async *tasks(reading: Writing, promoted: Promoted): AsyncGenerator<PlannedTask[]> {
    const { promotion, sets, recipe, owner } = promoted;
    const condition = shardFilter(promoted.dataset.versionId, promotion.filter);
    let firstIndex = 0;
    for (let after = -1; ;) {
      let query = reading
        .selectFrom('shard')
        .select(['index', 'key', 'digest', 'sizeBytes'])
        .where('versionId', '=', promoted.dataset.versionId)
        .where('index', '>', after)
        .orderBy('index')
        .limit(shardsAtOnce);
      if (condition) query = query.where(condition);
      const shards: PlanShard[] = await query.execute();
      const tasks = crossShardsAndSets(shards, sets, recipe, firstIndex);
      if (promotion.reuse ?? true) {
        const published = await this.derivatives.findByKeys(
          reading,
          owner,
          tasks.map((task) => task.derivativeKey)
        );
        for (const task of tasks) task.reusedFrom = published.get(task.derivativeKey) ?? null;
      }
      firstIndex += tasks.length;
      if (tasks.length > 0) yield tasks;
      if (shards.length < shardsAtOnce) return;
      after = shards.at(-1)!.index;
      await new Promise(setImmediate);
    }
  }

  /** Raises what `check` raises, FILTER_INVALID and PLAN_EMPTY. */
  async plan(user: User, promotion: Promotion): Promise<Plan> {
    const promoted = await this.check(user, promotion, 'body');
    const misses = new MissTally();
    const explain = await this.#explainer(promoted);
    let [tasks, reused, inputBytes] = [0, 0, 0];
    for await (const page of this.tasks(this.database, promoted)) {
      tasks += page.length;
      const toRun = page.filter((task) => task.reusedFrom === null);
      reused += page.length - toRun.length;
      for (const task of toRun) inputBytes += task.shard.sizeBytes;
      await explain(toRun, misses);
    }
    if (tasks === 0) throw planEmpty(promotion, 'body');
    const toRun = tasks - reused;
    return {
      shards: tasks / promoted.sets.length,
      tasks,
      reused,
      toRun,
      inputBytes,
      misses: misses.list(),
      estimate: toRun === 0 ? null : estimateRun(await this.#estimateFacts(promoted, toRun)),
      resources: promoted.resources,
      environmentDigest: promoted.environment.digest,
      runner: this.runner,
      shardsPerPod: promotion.shardsPerPod ?? null
    };
  }

  /** Says of tasks why nothing serves for them, by the earlier run that is nearest to what is wanted. */
  async #explainer(promoted: Promoted): Promise<(tasks: readonly PlannedTask[], misses: MissTally) => Promise<void>> {
    const { owner, analysis, dataset, promotion, recipe, sets } = promoted;
    const { database, derivatives } = this;
    const earlier = await derivatives.listEarlierRecipes(database, owner, dataset.id, analysis.id);
    const unpublished = await derivatives.listUnpublishedRuns(database, owner, analysis.versionId);
    const nearest = new Map(
      sets.map((set) => [set.parameterSetVersionId, nearestFirst(set, recipe, earlier).slice(0, recipesTried)])
    );
    return async (tasks, misses) => {
      if (promotion.reuse === false) {
        const explanation = 'reuse is switched off for this run';
        for (const task of tasks) misses.add(task, { reason: 'reuse-off', explanation });
        return;
      }
      const made = await derivatives.findUnpublished(
        database,
        unpublished,
        tasks.map((task) => task.derivativeKey)
      );
      for (const set of sets) {
        let left = tasks.filter((task) => task.set === set && !made.has(task.derivativeKey));
        for (const recipeBefore of nearest.get(set.parameterSetVersionId) ?? []) {
          if (left.length === 0) break;
          const digests = await derivatives.findShardDigests(
            database,
            recipeBefore,
            left.map((task) => task.shard.key)
          );
          left = left.filter((task) => {
            const digest = digests.get(task.shard.key);
            if (digest === undefined) return true;
            misses.add(task, explainMiss(set, recipe, recipeBefore, digest !== task.shard.digest));
            return false;
          });
        }
        for (const task of left) {
          misses.add(
            task,
            earlier.length > 0
              ? { reason: 'new-shard', explanation: 'no earlier run of this analysis had the shard' }
              : { reason: 'never-run', explanation: 'this analysis has published nothing from this dataset yet' }
          );
        }
      }
      for (const task of tasks) {
        const name = made.get(task.derivativeKey);
        if (name === undefined) continue;
        misses.add(task, { reason: 'not-published', explanation: `run "${name}" made it, but has not published it` });
      }
    };
  }

  async #estimateFacts(promoted: Promoted, toRun: number) {
    const { owner, analysis, dataset, resources, sets } = promoted;
    const runs = await this.database
      .selectFrom('run')
      .select(['id', 'datasetId', 'analysisVersionId', 'state'])
      .where('owner', '=', owner)
      .where('analysisId', '=', analysis.id)
      .orderBy('id', 'desc')
      .limit(runsForEstimate)
      .execute();
    const earlier: EarlierDurations[] = [];
    for (const { id, state, ...run } of runs) {
      const some = this.database
        .selectFrom('task')
        .select('durationSeconds')
        .where('runId', '=', id)
        .where('state', '=', 'succeeded')
        .limit(tasksForEstimate)
        .as('some');
      const { mean } = await this.database
        .selectFrom(some)
        .select((is) => is.fn.avg<number | null>('durationSeconds').as('mean'))
        .executeTakeFirstOrThrow();
      if (mean !== null) earlier.push({ ...run, isTrial: state === 'awaiting-release', secondsPerTask: Number(mean) });
    }
    const snippetSeconds = sets.flatMap(({ secondsPerShard }) => secondsPerShard ?? []);
    const places = this.machine.places(resources);
    return { toRun, places, datasetId: dataset.id, analysisVersionId: analysis.versionId, earlier, snippetSeconds };
  }

  async #mayUse(user: User, prefix: IdPrefix, id: string): Promise<void> {
    if (prefixOf(id) !== prefix) throw notFound(id);
    await this.access.require(user, 'use', id);
  }

  async #readyDataset(versionId: string, where: string): Promise<Promoted['dataset']> {
    const { indexingState, indexingDone, shardCount, indexingDetail, rootJson, ...dataset } = await this.database
      .selectFrom('datasetVersion')
      .innerJoin('dataset', 'dataset.id', 'datasetVersion.datasetId')
      .select(['dataset.id', 'name', 'datasetVersion.id as versionId'])
      .select(['indexingState', 'indexingDone', 'shardCount', 'indexingDetail', 'rootJson'])
      .where('datasetVersion.id', '=', versionId)
      .executeTakeFirstOrThrow();
    const field = `${where}/datasetVersionId`;
    const { kind } = JSON.parse(rootJson) as VersionRoot;
    if (this.runner === 'kubernetes' && kind === 'folder') {
      const detail = `The dataset "${dataset.name}" lies in a folder of this machine, which no pod of the cluster reaches.`;
      throw new ProblemError('RUNNER_UNSUITED', detail, {
        field,
        mend: 'Register it anew and have it uploaded to the object store.'
      });
    }
    if (indexingState === 'ready') return dataset;
    throw indexingState === 'failed'
      ? new ProblemError(
          'STATE_CONFLICT',
          `The dataset version could not be indexed: ${indexingDetail ?? 'unknown why'}`,
          {
            field,
            mend: 'Mend the folder and make a new version.'
          }
        )
      : new ProblemError('DATASET_INDEXING', `${indexingDone} of ${shardCount} shards are digested.`, {
          field,
          mend: 'Wait until all are.'
        });
  }

  async #sets(
    versionIds: readonly string[],
    analysis: { id: string; name: string },
    contract: Contract,
    container: Container | undefined,
    where: string
  ): Promise<Promoted['sets']> {
    const rows = await this.database
      .selectFrom('parameterSetVersion')
      .innerJoin('parameterSet', 'parameterSet.id', 'parameterSetVersion.parameterSetId')
      .innerJoin('analysis', 'analysis.id', 'parameterSet.analysisId')
      .select([
        'parameterSetVersion.id',
        'parameterSet.id as parameterSetId',
        'parameterSet.name',
        'parameterSet.analysisId'
      ])
      .select(['parameterSetVersion.digest', 'valuesJson', 'provenanceJson', 'analysis.name as analysisName'])
      .where('parameterSetVersion.id', 'in', versionIds)
      .execute();
    const byId = new Map(rows.map((row) => [row.id, row]));
    return versionIds.map((id, place) => {
      const row = byId.get(id)!;
      const field = `${where}/parameterSetVersionIds/${place}`;
      if (row.analysisId !== analysis.id) {
        throw new ProblemError(
          'BODY_INVALID',
          `The set "${row.name}" is for "${row.analysisName}", not for "${analysis.name}".`,
          {
            field,
            mend: 'Choose a set of this analysis.'
          }
        );
      }
      const values = JSON.parse(row.valuesJson) as ParameterValues;
      try {
        const complete = completeValues(contract, values);
        if (container) containerArguments(container, complete);
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        throw new ProblemError(
          error.code,
          `The set "${row.name}" does not fit this version of the analysis. ${error.detail}`,
          {
            field,
            mend: 'Save the set anew for this version of the analysis.'
          }
        );
      }
      const { secondsPerShard } = JSON.parse(row.provenanceJson) as { secondsPerShard?: number | null };
      return {
        parameterSetId: row.parameterSetId,
        parameterSetVersionId: id,
        digest: row.digest,
        values,
        secondsPerShard: secondsPerShard ?? null
      };
    });
  }
}

/** An image brings all that its program runs in. */
function environmentOf({ digest, reference }: ContainerImage): Environment {
  return { interpreter: '', digest, packages: { image: reference } };
}

/** Raises RESOURCES_EXCEEDED where one task asks for more than there is. */
function checkCapacity(resources: Resources, machine: Capacity, where: string): void {
  if (resources.cpus > machine.cpus) {
    throw new ProblemError(
      'RESOURCES_EXCEEDED',
      `A task asks for ${resources.cpus} CPUs; this machine has ${machine.cpus}.`,
      {
        field: `${where}/cpus`,
        mend: `Ask for at most ${machine.cpus}.`
      }
    );
  }
  if (resources.memoryBytes > machine.memoryBytes) {
    throw new ProblemError(
      'RESOURCES_EXCEEDED',
      `A task asks for ${resources.memoryBytes} bytes of memory; this machine has ${machine.memoryBytes}.`,
      { field: `${where}/memoryBytes`, mend: `Ask for at most ${machine.memoryBytes} bytes.` }
    );
  }
}

export function planEmpty(promotion: Promotion, where: string): ProblemError {
  return new ProblemError('PLAN_EMPTY', 'No shard fits the filter, so there is nothing to run.', {
    field: promotion.filter === undefined ? `${where}/datasetVersionId` : `${where}/filter`,
    mend: promotion.filter === undefined ? 'Choose a version that has shards.' : 'Loosen the filter.'
  });
}
