import type { ObjectStore } from '../objects/object-store.js';
import type { AttemptReport } from '../runner/runner.js';
import { readClaim, readReport } from './attempt-report.js';
import type { Flight, LiveRun, RunnerNews } from './live-run.js';
import { attemptKey, type StoreFacts } from './reconcile.js';

/** Looks in the object store for what the attempts that are over, or whose worker has gone, left there. */
export async function readStoreFacts(objects: ObjectStore, live: LiveRun, news: RunnerNews): Promise<StoreFacts> {
  const facts = { claims: new Map<number, AttemptReport>(), reports: new Map<string, AttemptReport>() };
  const read = async (flight: Flight) => {
    const claim = await readClaim(objects, live.id, flight.index);
    if (claim !== undefined) facts.claims.set(flight.index, claim);
    else if (!news.reports.has(attemptKey(flight))) {
      const report = await readReport(objects, live.id, flight);
      if (report !== undefined) facts.reports.set(attemptKey(flight), report);
    }
  };
  const over = [...live.flights.values()].filter((flight) => {
    const key = attemptKey(flight);
    return news.reports.has(key) || news.gone.has(key);
  });
  await Promise.all(over.map(read));
  return facts;
}
