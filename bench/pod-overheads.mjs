/**
 * Seconds that a shard cost beside its program, for each pod of the first wave of a run: from the start of its first task
 * to the end of its last, shared out, less the program's own time. `journals` are those of its pods.
 */
export function overheadsOfJournals(journals, bodySeconds) {
  return journals.map(({ tasks }) => {
    const times = tasks.map(({ report }) => [Date.parse(report.startedAt), Date.parse(report.finishedAt)]);
    const first = Math.min(...times.map(([from]) => from));
    const last = Math.max(...times.map(([, to]) => to));
    return (last - first) / 1_000 / tasks.length - bodySeconds;
  });
}

/** The same for a run of `packs` pods, from the journals in the store. */
export async function overheadsOf(store, { runId, packs }, bodySeconds) {
  const journals = [];
  for (let pack = 0; pack < packs; pack += 1) {
    journals.push(JSON.parse((await store.get(`runs/${runId}/waves/1/pods/${pack}.json`)).toString()));
  }
  return overheadsOfJournals(journals, bodySeconds);
}
