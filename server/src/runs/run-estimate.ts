import type { Plan } from '@labscale/schema';

/** How long tasks of an analysis took in a run of it, the latest run first. */
export interface EarlierDurations {
  datasetId: string;
  analysisVersionId: string;
  /** True for a trial that is not released yet. */
  isTrial: boolean;
  secondsPerTask: number;
}

export interface EstimateFacts {
  toRun: number;
  /** Tasks that the machine holds at once. */
  places: number;
  datasetId: string;
  analysisVersionId: string;
  earlier: readonly EarlierDurations[];
  /** As timed on the snippets that the sets were tuned on. */
  snippetSeconds: readonly number[];
}

/**
 * Wall clock for what is to run: by the run that is most like it, else by the timing on the snippet. Null where there is
 * neither: no number is better than one made up.
 */
export function estimateRun(facts: EstimateFacts): Plan['estimate'] {
  const { toRun, places, earlier, snippetSeconds } = facts;
  const likeness = (run: EarlierDurations) =>
    2 * Number(run.analysisVersionId === facts.analysisVersionId) + Number(run.datasetId === facts.datasetId);
  const nearest = [...earlier].sort((a, b) => likeness(b) - likeness(a))[0];
  const secondsPerTask = nearest?.secondsPerTask ?? meanOf(snippetSeconds);
  if (secondsPerTask === undefined) return null;
  const parallel = Math.max(1, Math.min(places, toRun));
  return {
    seconds: Math.ceil(toRun / parallel) * secondsPerTask,
    secondsPerTask,
    parallel,
    basis: nearest === undefined ? 'snippet' : nearest.isTrial ? 'trial' : 'earlier-runs'
  };
}

function meanOf(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}
