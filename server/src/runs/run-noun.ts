import type { Resources, Run, TaskCounts } from '@labscale/schema';
import type { Runner } from '../runner/runner.js';
import { headline } from './headline.js';
import type { LiveRun } from './live-run.js';
import type { RunRow } from './run-repository.js';

/** Seconds of wall clock for what is left of a run; null where no task of it has ended. */
export function remainingSeconds(live: LiveRun, runner: Runner): number | null {
  const { held, waiting, running } = live.counts;
  if (live.secondsPerTask === null || waiting + running === 0) return null;
  const left = live.facts.state === 'awaiting-release' ? held + waiting + running : waiting + running;
  return (left * live.secondsPerTask) / Math.min(left, runner.places(live.facts.resources));
}

/** A run as the contract has it; `live` where this server has it in hand. */
export function toRun(row: RunRow, live: LiveRun | undefined, runner: Runner): Run {
  const counts = JSON.parse(row.countsJson) as TaskCounts;
  const remaining = live === undefined ? null : remainingSeconds(live, runner);
  return {
    id: row.id,
    name: row.name,
    owner: row.owner,
    state: row.state,
    headline: headline({
      state: row.state,
      counts,
      taskCount: row.taskCount,
      remainingSeconds: remaining,
      waitingFor: live && runner.waitingFor(live.order),
      trouble: live?.trouble,
      failure: row.failure
    }),
    analysis: {
      id: row.analysisId,
      versionId: row.analysisVersionId,
      name: row.analysisName,
      number: row.analysisNumber
    },
    parameterSets: row.parameterSets,
    dataset: { id: row.datasetId, versionId: row.datasetVersionId, name: row.datasetName, number: row.datasetNumber },
    filter: row.filter,
    trial: row.trialCount === null ? null : { count: row.trialCount, released: row.trialReleased === 1 },
    resources: JSON.parse(row.resourcesJson) as Resources,
    shardsPerPod: row.shardsPerPod === null ? null : Number(row.shardsPerPod),
    environmentDigest: row.environmentDigest,
    taskCount: row.taskCount,
    counts,
    remainingSeconds: remaining,
    derivatives:
      row.derivativesVersionId === null || row.derivativesDatasetId === null
        ? null
        : {
            datasetId: row.derivativesDatasetId,
            datasetVersionId: row.derivativesVersionId,
            shardCount: row.derivativesShardCount ?? 0
          },
    failure: row.failure,
    createdAt: row.createdAt,
    startedAt: row.startedAt,
    finishedAt: row.finishedAt
  };
}
