import { S3ObjectStore } from '../src/objects/s3-object-store.js';
import { RunnerNews, type LiveRun } from '../src/runs/live-run.js';
import { readStoreFacts } from '../src/runs/store-facts.js';
import { describeWithMinio, settingsOf, startMinio } from './minio-server.js';
import { startStoreProxy } from './store-proxy.js';
import type { AttemptReport } from '../src/runner/runner.js';

const tasks = 3_000;

function reportOf(index: number, more: Partial<AttemptReport> = {}): AttemptReport {
  return {
    ...{ version: 1, runId: 'run-1', index, attempt: 1, shardKey: 's', parameterSetVersionId: 'pv-1' },
    ...{ state: 'succeeded', claimed: true, exitKind: 'succeeded', reason: null, failureText: null, exitCode: 0 },
    ...{ startedAt: '2026-01-01T00:00:00.000Z', finishedAt: '2026-01-01T00:00:01.000Z', durationSeconds: 1 },
    ...{ cpuSeconds: 1, peakMemoryBytes: 1, metrics: {}, logSizeBytes: 0, objects: [] },
    ...more
  };
}

/** A run of very many attempts that are all over, as one that was stopped before they began. */
function overRun(): { live: LiveRun; news: RunnerNews } {
  const flights = new Map(Array.from({ length: tasks }, (_, index) => [index, { index, attempt: 1 }]));
  const news = new RunnerNews();
  for (const index of flights.keys())
    news.gone.set(`${index}/1`, { detail: 'Its Job was deleted.', exitKind: 'worker-lost' });
  return { live: { id: 'run-1', flights } as unknown as LiveRun, news };
}

describeWithMinio('what a run left in a bucket', () => {
  test('is found by few requests where very many attempts are over', async () => {
    const minio = await startMinio();
    const proxy = await startStoreProxy(minio.endpoint);
    try {
      const store = new S3ObjectStore({ ...settingsOf(minio), endpoint: proxy.endpoint });
      const put = (key: string, report: AttemptReport) => store.put(key, Buffer.from(JSON.stringify(report)));
      await put('runs/run-1/claims/7.json', reportOf(7));
      await put('runs/run-1/attempts/9/1/report.json', reportOf(9, { state: 'failed', claimed: false }));
      await put('runs/run-1/attempts/9/1/out/report.json', reportOf(9));
      await put('runs/run-10/claims/8.json', reportOf(8));
      proxy.requests = [];
      const { live, news } = overRun();
      const facts = await readStoreFacts(store, live, news);
      expect([...facts.claims.keys()]).toEqual([7]);
      expect([...facts.reports].map(([key, { state }]) => [key, state])).toEqual([['9/1', 'failed']]);
      // A list of each kind, the claim and the report.
      expect(proxy.requests).toHaveLength(4);
    } finally {
      await proxy.close();
      await minio.stop();
    }
  });

  test('is not asked for where the attempt says that it holds the claim', async () => {
    const minio = await startMinio();
    const proxy = await startStoreProxy(minio.endpoint);
    try {
      const store = new S3ObjectStore({ ...settingsOf(minio), endpoint: proxy.endpoint });
      const { live, news } = overRun();
      for (const index of live.flights.keys()) {
        news.gone.delete(`${index}/1`);
        news.reports.set(`${index}/1`, reportOf(index, { claimed: index !== 5 }));
      }
      const facts = await readStoreFacts(store, live, news);
      expect(facts.claims.size).toBe(tasks - 1);
      expect(proxy.requests).toHaveLength(1);
    } finally {
      await proxy.close();
      await minio.stop();
    }
  });
});
