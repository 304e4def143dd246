/** The indexes in `0-3,5`, as a Job lists those that are done and the event stream those that changed. */
export function* parseRanges(text) {
  for (const range of text ? text.split(',') : []) {
    const [from, to = from] = range.split('-').map(Number);
    for (let index = from; index <= to; index += 1) yield index;
  }
}

/** Gives those indexes of a growing list that were not in it before. */
export function newIndexes() {
  const seen = new Set();
  return (text) => {
    const added = [];
    for (const index of parseRanges(text)) {
      if (seen.has(index)) continue;
      seen.add(index);
      added.push(index);
    }
    return added;
  };
}
