/**
 * What the pods of a run would have left in the store, for pods that only pretend to run: a journal each, the claim of its
 * one task, and one object. It is made up when it is asked for, so that the machine that is measured does not also do the
 * work of the pods. `endedOf(runId)` gives the packs whose pods are done: a journal is in a list no sooner than that;
 * `tasks(runId)` is how many there are.
 */
export function playPods(endedOf, tasks) {
  const digest = `sha256:${'0'.repeat(64)}`;
  const etag = '"00000000000000000000000000000000"';
  const output = Buffer.from('0\n');
  const at = '2026-01-01T00:00:00.000Z';
  const reportOf = (runId, index) => ({
    ...{ version: 1, runId, index, attempt: 1, shardKey: String(index), parameterSetVersionId: '' },
    ...{ state: 'succeeded', claimed: true, exitKind: 'succeeded', reason: null, failureText: null, exitCode: 0 },
    ...{ startedAt: at, finishedAt: at, durationSeconds: 1, cpuSeconds: 0.1, peakMemoryBytes: 1_048_576 },
    ...{ metrics: {}, logSizeBytes: 0 },
    objects: [{ path: 'total.txt', sizeBytes: output.length, digest, mediaType: 'text/plain' }]
  });
  const journalOf = (runId, pack) => ({
    ...{ version: 1, runId, wave: 1, pack, pod: `pretended-${pack}`, at, ended: true, detail: null },
    tasks: [{ index: pack, attempt: 1, orderedAttempt: 1, report: reportOf(runId, pack) }]
  });
  const json = (value) => ({
    status: 200,
    headers: { 'content-type': 'application/json', etag },
    body: JSON.stringify(value)
  });

  function page(keys, query) {
    const after = query.get('start-after') ?? '';
    const rest = keys.filter(({ key }) => key > after).sort((a, b) => (a.key < b.key ? -1 : 1));
    const shown = rest.slice(0, Number(query.get('max-keys') ?? 1_000));
    const contents = shown.map(
      ({ key, size }) => `<Contents><Key>${key}</Key><ETag>${etag}</ETag><Size>${size}</Size></Contents>`
    );
    return {
      status: 200,
      headers: { 'content-type': 'application/xml' },
      body: `<ListBucketResult><IsTruncated>${shown.length < rest.length}</IsTruncated>${contents.join('')}</ListBucketResult>`
    };
  }

  function list(runId, folder, query) {
    const prefix = `runs/${runId}/${folder}/`;
    if (folder !== 'attempts') {
      return page(
        [...endedOf(runId)].map((pack) => ({ key: `${prefix}${pack}.json`, size: 1 })),
        query
      );
    }
    const files = ['lease.json', 'log', 'out/total.txt', 'report.json'];
    const keys = Array.from({ length: tasks(runId) }, (_, index) =>
      files.map((file) => ({ key: `${prefix}${index}/1/${file}`, size: output.length }))
    );
    return page(keys.flat(), query);
  }

  /** For `startStoreProxy`: what it answers in place of the store. */
  return function answerOf(method, key, query) {
    if (query.has('list-type')) {
      const [, runId, folder] = /^runs\/([^/]+)\/(waves\/1\/pods|attempts)\/$/.exec(query.get('prefix')) ?? [];
      return runId && list(runId, folder, query);
    }
    if (method !== 'GET' && method !== 'HEAD') return undefined;
    const [, runId, rest] = /^runs\/([^/]+)\/(.+)$/.exec(key) ?? [];
    if (runId === undefined) return undefined;
    const pack = /^waves\/1\/pods\/(\d+)\.json$/.exec(rest);
    if (pack) return json(journalOf(runId, Number(pack[1])));
    const claim = /^claims\/(\d+)\.json$/.exec(rest);
    if (claim) return json(reportOf(runId, Number(claim[1])));
    if (/^attempts\/\d+\/1\/out\/total\.txt$/.test(rest)) return { status: 200, headers: { etag }, body: output };
    return undefined;
  };
}
