import { createHash } from 'node:crypto';

/** A 32-bit number from a seed and a place: sha256, so that a cut can be made again in any language. */
function chance(seed: number, place: number): number {
  return createHash('sha256').update(`${seed}:${place}`).digest().readUInt32BE(0);
}

/**
 * Chooses `count` of `indexes`, each set of them as likely as any other, by the first steps of a Fisher-Yates shuffle.
 * The same indexes, count and seed give the same cut; the answer is in the order of `indexes`. All of them where there
 * are no more than `count`.
 */
export function cutSnippet(indexes: readonly number[], count: number, seed: number): number[] {
  if (indexes.length <= count) return [...indexes];
  // Only the places that were swapped are kept: a cut of 4 out of 100,000 touches 4.
  const swapped = new Map<number, number>();
  const chosen: number[] = [];
  for (let place = 0; place < count; place++) {
    const other = place + (chance(seed, place) % (indexes.length - place));
    chosen.push(swapped.get(other) ?? other);
    swapped.set(other, swapped.get(place) ?? place);
  }
  return chosen.sort((a, b) => a - b).map((place) => indexes[place]!);
}
