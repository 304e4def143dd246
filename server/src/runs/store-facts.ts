import type { ObjectStore } from '../objects/object-store.js';
import type { AttemptReport } from '../runner/runner.js';
import type { Flight, LiveRun, RunnerNews } from './live-run.js';
import { attemptKey, type StoreFacts } from './reconcile.js';

/** Looks in the object store for what the attempts that are over, or whose worker has gone, left there. */
export async function readStoreFacts(objects: ObjectStore, live: LiveRun, news: RunnerNews): Promise<StoreFacts> {
  const facts = { claims: new Map<number, AttemptReport>(), reports: new Map<string, AttemptReport>() };
  const read = async (flight: Flight) => {
    const { index, attempt } = flight;
    const claim = await readReport(objects, `runs/${live.id}/claims/${index}.json`);
    if (claim !== undefined) facts.claims.set(index, claim);
    else if (!news.reports.has(attemptKey(flight))) {
      const report = await readReport(objects, `runs/${live.id}/attempts/${index}/${attempt}/report.json`);
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

async function readReport(objects: ObjectStore, key: string): Promise<AttemptReport | undefined> {
  const bytes = await objects.get(key);
  return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as AttemptReport);
}
