import { hash } from 'node:crypto';
import type { DerivativeShard } from '../datasets/derivative-versions.js';
import type { ShardRepository } from '../datasets/shard-repository.js';
import type { Made } from './derivative-repository.js';

/** One task in `derivatives.json`. */
export interface DerivativeEntry extends Made {
  taskIndex: number;
  shardKey: string;
  shardIndex: number;
  parameterSetVersionId: string;
  derivativeKey: string;
  metrics: Record<string, number>;
}

export interface DerivativesOf {
  runId: string;
  datasetVersionId: string;
  analysisVersionId: string;
  sets: readonly { versionId: string; name: string; number: number }[];
}

const longestKey = 1_024;

/** A word for each set of a run that tells it from the others and fits a key: its name, its version where that is needed. */
export function setLabels(sets: DerivativesOf['sets']): Map<string, string> {
  const labels = new Map<string, string>();
  const taken = new Set<string>();
  for (const { versionId, name, number } of sets) {
    const word =
      name
        .replace(/[^\p{L}\p{N}._=+-]+/gu, '-')
        .replace(/^[-.]+|[-.]+$/g, '')
        .slice(0, 80) || 'set';
    let label = sets.some((other) => other.versionId !== versionId && other.name === name)
      ? `${word}-v${number}`
      : word;
    while (taken.has(label)) label += '_';
    taken.add(label);
    labels.set(versionId, label);
  }
  return labels;
}

/**
 * The shards that the derivatives of a run form: the key, entities and metadata of what they were made from, the metrics
 * as metadata, and the way back. With several sets the set is an entity and the first part of the key. A derivative
 * without objects makes no shard.
 */
export async function* derivativeShards(
  of: DerivativesOf,
  entries: AsyncIterable<DerivativeEntry[]>,
  shards: ShardRepository
): AsyncGenerator<DerivativeShard> {
  const labels = of.sets.length > 1 ? setLabels(of.sets) : undefined;
  for await (const part of entries) {
    const indexes = [...new Set(part.map(({ shardIndex }) => shardIndex))];
    const sources = new Map((await shards.at(of.datasetVersionId, indexes)).map((shard) => [shard.index, shard]));
    for (const entry of part) {
      const source = sources.get(entry.shardIndex);
      if (source === undefined) throw new Error(`shard ${entry.shardIndex} of ${of.datasetVersionId} is gone`);
      if (entry.objects.length === 0) continue;
      const label = labels?.get(entry.parameterSetVersionId);
      yield {
        key: label === undefined ? source.key : keyBelow(label, source.key),
        entities: label === undefined ? source.entities : { ...source.entities, set: label },
        metadata: { ...source.metadata, ...entry.metrics },
        objects: entry.objects,
        origin: {
          runId: of.runId,
          taskIndex: entry.taskIndex,
          datasetVersionId: of.datasetVersionId,
          shardKey: source.key,
          analysisVersionId: of.analysisVersionId,
          parameterSetVersionId: entry.parameterSetVersionId
        }
      };
    }
  }
}

function keyBelow(label: string, key: string): string {
  const joined = `${label}/${key}`;
  return joined.length <= longestKey
    ? joined
    : `${joined.slice(0, longestKey - 17)}-${hash('sha256', key).slice(0, 16)}`;
}
