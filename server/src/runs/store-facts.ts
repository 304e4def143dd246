import type { ObjectStore } from '../objects/object-store.js';
import { isOnDisk, listedKeys } from '../objects/object-walk.js';
import type { AttemptReport } from '../runner/runner.js';
import { claimKey, readClaim, readReport, reportKey } from './attempt-report.js';
import type { Flight, LiveRun, RunnerNews } from './live-run.js';
import { attemptKey, type StoreFacts } from './reconcile.js';

/** As many requests as a list of what a large run made may take. */
const askedOneByOne = 100;

/** Looks in the object store for what the attempts that are over, or whose worker has gone, left there. */
export async function readStoreFacts(objects: ObjectStore, live: LiveRun, news: RunnerNews): Promise<StoreFacts> {
  const facts = { claims: new Map<number, AttemptReport>(), reports: new Map<string, AttemptReport>() };
  const onDisk = isOnDisk(objects);
  const over = [...live.flights.values()].filter((flight) => {
    const key = attemptKey(flight);
    return news.reports.has(key) || news.gone.has(key);
  });
  // The claim is the report of the attempt that won it. That it is there is looked at again before anything is published.
  const claimed = onDisk ? [] : over.filter((flight) => news.reports.get(attemptKey(flight))?.claimed === true);
  for (const flight of claimed) facts.claims.set(flight.index, news.reports.get(attemptKey(flight))!);
  const asked = over.filter((flight) => !facts.claims.has(flight.index));

  const present = onDisk || asked.length <= askedOneByOne ? undefined : await keysOf(objects, live.id);
  const read = async (flight: Flight) => {
    const isThere = (key: string) => present === undefined || present.has(key);
    const claim = isThere(claimKey(live.id, flight.index))
      ? await readClaim(objects, live.id, flight.index)
      : undefined;
    if (claim !== undefined) facts.claims.set(flight.index, claim);
    else if (!news.reports.has(attemptKey(flight)) && isThere(reportKey(live.id, flight))) {
      const report = await readReport(objects, live.id, flight);
      if (report !== undefined) facts.reports.set(attemptKey(flight), report);
    }
  };
  await Promise.all(asked.map(read));
  return facts;
}

/** The claims and reports of a run that are there, by their keys. */
async function keysOf(objects: ObjectStore, runId: string): Promise<Set<string>> {
  const keys = new Set<string>();
  for (const folder of ['claims', 'attempts']) {
    for await (const { key } of listedKeys(objects, `runs/${runId}/${folder}/`)) {
      if (key.endsWith('.json') && !key.includes('/out/')) keys.add(key);
    }
  }
  return keys;
}
