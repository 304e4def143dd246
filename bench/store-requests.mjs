/** What an object is, by its key; keys of a run without its id. */
export function kindOf(key, runId) {
  const own = `runs/${runId}/`;
  if (!key.startsWith(own)) return key.replace(/^(\w+)\/[^/]+\/(\w+)\/.*/, '$1/#/$2');
  return key
    .slice(own.length)
    .replace(/^(attempts)\/\d+\/\d+\/out\/.*/, '$1/#/#/out')
    .replace(/\d+/g, '#');
}

/** Requests of a log of `startStoreProxy` by method and kind of object, `{'GET claims/#.json': 3, ...}`. */
export function requestsByKind(log, runId) {
  const byKind = {};
  for (const { method, key, isList, prefix } of log) {
    const what = isList ? `LIST ${kindOf(prefix ?? '', runId)}` : `${method} ${kindOf(key, runId)}`;
    byKind[what] = (byKind[what] ?? 0) + 1;
  }
  return byKind;
}

/**
 * What passed of shards and of what tasks made of them, in either direction: everything that is not the run's own
 * bookkeeping (plan, orders, journals, claims, reports, manifest) and not the analysis.
 */
export function shardBytes(log, runId) {
  const isShards = ({ key, isList }) =>
    !isList && (/^datasets\/[^/]+\/objects\//.test(key) || /\/attempts\/\d+\/\d+\/out\//.test(key));
  const bytes = log.filter(isShards).reduce((sum, { bytesIn, bytesOut }) => sum + bytesIn + bytesOut, 0);
  return { bytes, requests: log.length, byKind: requestsByKind(log, runId) };
}

/**
 * The publish step of a run in a log: from the server's last look whether the manifest is there until it has read it
 * back. `verified` is when the last look at what is published ended, `put` the PUT that switches the readers.
 */
export function publishStep(log, runId) {
  const manifest = `runs/${runId}/derivatives.json`;
  const put = log.find(({ method, key, status }) => method === 'PUT' && key === manifest && status < 300);
  if (!put) throw new Error(`the manifest of ${runId} was not put`);
  const isManifest = ({ key }) => key === manifest;
  const begin = log.findLast((entry) => isManifest(entry) && entry.method === 'HEAD' && entry.from < put.from);
  const last = log.findLast((entry) => isManifest(entry) && entry.by === put.by) ?? put;
  const from = begin?.from ?? put.from;
  const requests = log.filter((entry) => entry.by === put.by && entry.from >= from && entry.from <= last.from);
  const looks = requests.filter(({ key, from }) => key !== manifest && from < put.from);
  const verified = Math.max(from, ...looks.map(({ to }) => to));
  return { requests, verifySeconds: (verified - from) / 1_000, commitSeconds: (put.to - verified) / 1_000 };
}

/** Objects that were written under their key more than once, and copies inside the store. */
export function writtenAgain(log) {
  const written = new Map();
  let copies = 0;
  for (const { method, key, copies: isCopy, status } of log) {
    if (method !== 'PUT' || status >= 300) continue;
    if (isCopy) copies += 1;
    if (/\/attempts\/\d+\/\d+\/out\//.test(key)) written.set(key, (written.get(key) ?? 0) + 1);
  }
  return { copies, again: [...written.values()].filter((times) => times > 1).length };
}
