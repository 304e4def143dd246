import type { ParameterValues, Plan } from '@labscale/schema';
import { changedNames } from '../parameters/parameter-values.js';
import { derivativeKey } from './derivative-key.js';

/** A shard as planning sees it. */
export interface PlanShard {
  index: number;
  key: string;
  digest: string;
  sizeBytes: number;
}

export interface PlanSet {
  parameterSetId: string;
  parameterSetVersionId: string;
  digest: string;
  values: ParameterValues;
}

/** One kind of derivative: all that makes it up but the shard. */
export interface PlanRecipe {
  analysisDigest: string;
  analysisNumber: number;
  environmentDigest: string;
  packages: Record<string, string>;
}

/** What an earlier run made of the same dataset with the same analysis, by one of its sets. */
export interface EarlierRecipe extends PlanRecipe {
  runId: string;
  runName: string;
  parametersDigest: string;
  values: ParameterValues;
}

export interface PlannedTask {
  index: number;
  shard: PlanShard;
  set: PlanSet;
  derivativeKey: string;
  reusedFrom: { runId: string; taskIndex: number; metricsJson: string } | null;
}

export type MissReason = Plan['misses'][number]['reason'];

export interface Miss {
  reason: MissReason;
  explanation: string;
}

/** Shards x sets, the sets of a shard beside each other; `firstIndex` is the index of the first task. */
export function crossShardsAndSets(
  shards: readonly PlanShard[],
  sets: readonly PlanSet[],
  recipe: PlanRecipe,
  firstIndex: number
): PlannedTask[] {
  const { analysisDigest, environmentDigest } = recipe;
  return shards.flatMap((shard, shardPlace) =>
    sets.map((set, setPlace) => ({
      index: firstIndex + shardPlace * sets.length + setPlace,
      shard,
      set,
      derivativeKey: derivativeKey({
        analysisDigest,
        parametersDigest: set.digest,
        shardDigest: shard.digest,
        environmentDigest
      }),
      reusedFrom: null
    }))
  );
}

/** Earlier recipes with the one that differs in the least first, the latest among equals (as they are given). */
export function nearestFirst(set: PlanSet, recipe: PlanRecipe, earlier: readonly EarlierRecipe[]): EarlierRecipe[] {
  const differences = (other: EarlierRecipe) =>
    Number(other.analysisDigest !== recipe.analysisDigest) +
    Number(other.parametersDigest !== set.digest) +
    Number(other.environmentDigest !== recipe.environmentDigest);
  return [...earlier].sort((a, b) => differences(a) - differences(b));
}

/** Why a derivative of an earlier run does not serve for a shard, in plain words. */
export function explainMiss(set: PlanSet, recipe: PlanRecipe, earlier: EarlierRecipe, shardChanged: boolean): Miss {
  const causes: Miss[] = [];
  if (shardChanged) {
    causes.push({
      reason: 'shard-changed',
      explanation: `the data of the shard changed since run "${earlier.runName}"`
    });
  }
  if (earlier.analysisDigest !== recipe.analysisDigest) {
    const { analysisNumber: before } = earlier;
    const explanation =
      before === recipe.analysisNumber
        ? 'the analysis changed'
        : `the analysis was version ${before}, is version ${recipe.analysisNumber}`;
    causes.push({ reason: 'analysis-changed', explanation });
  }
  if (earlier.parametersDigest !== set.digest) {
    causes.push({ reason: 'parameters-changed', explanation: explainValues(earlier.values, set.values) });
  }
  if (earlier.environmentDigest !== recipe.environmentDigest) {
    causes.push({ reason: 'environment-changed', explanation: explainPackages(earlier.packages, recipe.packages) });
  }
  return {
    reason: causes[0]?.reason ?? 'never-run',
    explanation: causes.map((cause) => cause.explanation).join('; ') || 'this was not run before'
  };
}

/** `sigma was 2, is 3`; of many changes the first three. */
export function explainValues(before: ParameterValues, after: ParameterValues): string {
  return someOf(
    changedNames(before, after).map((name) => {
      const was = Object.hasOwn(before, name) ? `was ${shortJson(before[name])}` : 'was not there';
      const is = Object.hasOwn(after, name) ? `is ${shortJson(after[name])}` : 'is gone';
      return `${name} ${was}, ${is}`;
    }),
    'the parameters changed'
  );
}

export function explainPackages(before: Record<string, string>, after: Record<string, string>): string {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return someOf(
    names
      .filter((name) => before[name] !== after[name])
      .map((name) => `${name} was ${before[name] ?? 'not there'}, is ${after[name] ?? 'gone'}`),
    'the environment changed'
  );
}

/** Misses of a plan, like ones counted together. */
export class MissTally {
  readonly #groups = new Map<string, Plan['misses'][number]>();

  add(task: PlannedTask, { reason, explanation }: Miss): void {
    const key = `${reason}\n${explanation}`;
    const group = this.#groups.get(key);
    if (group) group.count += 1;
    else this.#groups.set(key, { reason, count: 1, exampleShardKey: task.shard.key, explanation });
  }

  /** The most frequent first, at most 100. */
  list(): Plan['misses'] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count).slice(0, 100);
  }
}

/**
 * Chooses the tasks that a trial runs first, from all that are to run, while they come by a page at a time: the first,
 * those of the largest shards, or any, each equally likely.
 */
export class TrialChoice {
  #chosen: { index: number; rank: number }[] = [];

  constructor(
    private readonly count: number,
    private readonly order: 'random' | 'largest' | 'first',
    private readonly chance: () => number = Math.random
  ) {}

  consider(task: PlannedTask): void {
    const rank = this.order === 'first' ? -task.index : this.order === 'largest' ? task.shard.sizeBytes : this.chance();
    this.#chosen.push({ index: task.index, rank });
    // Cut back now and then, so that a trial of 10 over 100,000 tasks keeps a handful in memory.
    if (this.#chosen.length >= 2 * this.count + 1_000) this.#cut();
  }

  /** Task indexes, in order. */
  indexes(): number[] {
    this.#cut();
    return this.#chosen.map(({ index }) => index).sort((a, b) => a - b);
  }

  #cut(): void {
    this.#chosen.sort((a, b) => b.rank - a.rank || a.index - b.index);
    this.#chosen.length = Math.min(this.#chosen.length, this.count);
  }
}

function someOf(changes: readonly string[], otherwise: string): string {
  if (changes.length === 0) return otherwise;
  const more = changes.length - 3;
  return `${changes.slice(0, 3).join('; ')}${more > 0 ? `; and ${more} more` : ''}`;
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 60 ? text : `${text.slice(0, 59)}…`;
}
