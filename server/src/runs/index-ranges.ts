/** Task indexes as ranges, in order: `0-4,7`. */
export function toIndexRanges(indexes: Iterable<number>): string {
  const parts: string[] = [];
  let [first, last] = [-1, -2];
  const close = () => {
    if (first >= 0) parts.push(first === last ? `${first}` : `${first}-${last}`);
  };
  for (const index of [...indexes].sort((a, b) => a - b)) {
    if (index === last) continue;
    if (index === last + 1) last = index;
    else {
      close();
      first = last = index;
    }
  }
  close();
  return parts.join(',');
}
