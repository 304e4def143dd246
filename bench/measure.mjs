import { say } from './progress.mjs';

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The value that so large a part of the values does not pass: `quantile(values, 0.99)`. */
export function quantile(values, part) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)];
}

export function round(value, digits = 4) {
  return Number(value.toPrecision(digits));
}

/** `{median, min, max, n}` of samples, in whatever unit they are. */
export function summary(values) {
  return {
    median: round(median(values)),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    n: values.length
  };
}

/** Seconds that an asynchronous piece of work takes. */
export async function seconds(work) {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1_000;
}

/** The order A,B,B,A,A,B,...: a slow drift of the machine falls on both arms alike. */
export function armOrder(pairs) {
  return Array.from({ length: pairs }, (_, pair) => (pair % 2 === 0 ? ['ours', 'peer'] : ['peer', 'ours']));
}

/**
 * Measures two arms in turns. Each arm is called with the number of its pair and gives a number, smaller being better.
 * `ratio` is the median of ours/peer within a pair; `control` is the median of the ratios of neighbouring samples of
 * one and the same arm (A,B,B,A puts two of a kind side by side): what two equal things differ by on this machine now.
 */
export async function interleave(pairs, arms) {
  const samples = { ours: [], peer: [] };
  const sequence = [];
  for (const [pair, order] of armOrder(pairs).entries()) {
    for (const arm of order) {
      const value = await arms[arm](pair);
      samples[arm].push(value);
      sequence.push({ arm, value });
      say(`pair ${pair + 1} of ${pairs}, ${arm}: ${round(value)}`);
    }
  }
  const neighbours = sequence
    .slice(1)
    .flatMap((later, i) => (later.arm === sequence[i].arm ? [later.value / sequence[i].value] : []));
  return {
    ...samples,
    ratio: median(samples.ours.map((value, i) => value / samples.peer[i])),
    control: neighbours.length > 0 ? median(neighbours) : null
  };
}
