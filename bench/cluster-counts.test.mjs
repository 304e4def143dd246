import assert from 'node:assert/strict';
import { appendFile, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { countRequests, followAudit, serverAccount } from './audit.mjs';
import { newIndexes, parseRanges } from './index-ranges.mjs';
import { quantile } from './measure.mjs';
import { playPods } from './played-pods.mjs';
import { overheadsOfJournals } from './pod-overheads.mjs';
import { publishStep, requestsByKind, shardBytes, writtenAgain } from './store-requests.mjs';

const line = (verb, resource, more = {}) =>
  JSON.stringify({
    stage: verb === 'watch' ? 'ResponseStarted' : 'ResponseComplete',
    verb,
    user: { username: serverAccount },
    objectRef: { resource },
    requestReceivedTimestamp: '2026-01-01T00:00:10.000000Z',
    ...more
  });
const begin = Date.parse('2026-01-01T00:00:05Z');

test('requests of one account are counted by what they do, each once', () => {
  const counted = countRequests(
    [
      line('create', 'secrets'),
      line('create', 'jobs'),
      line('delete', 'jobs'),
      line('list', 'jobs'),
      line('get', 'pods'),
      line('get', 'jobs'),
      line('watch', 'jobs'),
      // The end of the same watch.
      line('watch', 'jobs', { stage: 'ResponseComplete' }),
      line('get', 'pods', { objectRef: { resource: 'pods', subresource: 'log' } })
    ],
    serverAccount,
    begin
  );
  assert.deepEqual(
    { writes: counted.writes, lists: counted.lists, watches: counted.watches, podReads: counted.podReads },
    { writes: 3, lists: 1, watches: 1, podReads: 2 }
  );
  assert.equal(counted.byRequest['get pods/log'], 1);
});

test('what names another run is left out, wherever it names it', () => {
  const [mine, other] = ['run-1m801d342jmb6qv24p7x', 'run-1m801cpachh2etjxvvwa'];
  const job = (run) => ({ objectRef: { resource: 'jobs', name: `labscale-${run}-1` } });
  const list = (run) => ({ requestURI: `/apis/batch/v1/jobs?labelSelector=labscale.dev%2Frun%3D${run}` });
  const lines = [
    line('create', 'jobs', job(mine)),
    line('create', 'jobs', job(other)),
    line('list', 'jobs', list(other))
  ];
  const { writes, lists } = countRequests([...lines, line('list', 'jobs', list(mine))], serverAccount, begin, mine);
  assert.deepEqual({ writes, lists }, { writes: 1, lists: 1 });
});

test('requests of others, and those before the measurement, are not counted', () => {
  const counted = countRequests(
    [
      line('create', 'jobs', { user: { username: 'kubernetes-admin' } }),
      // Another account that speaks of this one.
      line('create', 'jobs', { user: { username: 'someone' }, objectRef: { resource: 'jobs', name: serverAccount } }),
      line('create', 'jobs', { requestReceivedTimestamp: '2026-01-01T00:00:04.999Z' })
    ],
    serverAccount,
    begin
  );
  assert.equal(counted.writes, 0);
});

test('an audit log is followed into the file that the apiserver begins anew', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'labscale-audit-'));
  try {
    const file = join(folder, 'audit.log');
    await writeFile(file, 'before\n');
    const audit = await followAudit(file);
    await appendFile(file, 'first\n');
    assert.deepEqual(await audit.lines(), ['first']);
    await rename(file, join(folder, 'audit-2026-01-01T00-00-00.000.log'));
    await writeFile(file, 'second\n');
    assert.deepEqual(await audit.lines(), ['first', 'second']);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('index ranges are read, and of a growing list what is new', () => {
  assert.deepEqual([...parseRanges('0-2,5,7-8')], [0, 1, 2, 5, 7, 8]);
  assert.deepEqual([...parseRanges(undefined)], []);
  const fresh = newIndexes();
  assert.deepEqual(fresh('0-1'), [0, 1]);
  assert.deepEqual(fresh('0-3'), [2, 3]);
});

test('a quantile is the value that the part does not pass', () => {
  const values = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.equal(quantile(values, 0.99), 99);
  assert.equal(quantile([3], 0.99), 3);
});

test('what a shard costs beside its program follows from the times of its pod', () => {
  const task = (from, to) => ({
    report: { startedAt: `2026-01-01T00:00:${from}Z`, finishedAt: `2026-01-01T00:00:${to}Z` }
  });
  const [overhead] = overheadsOfJournals([{ tasks: [task('00.000', '01.050'), task('01.100', '02.200')] }], 1);
  assert.ok(Math.abs(overhead - 0.1) < 1e-9);
});

test('played pods list a journal only when its pod has ended, in pages, in the order of the keys', () => {
  const ended = [2, 10, 1];
  const answerOf = playPods(
    (runId) => (runId === 'run-1' ? ended : []),
    () => 11
  );
  const list = (query) =>
    answerOf('GET', '', new URLSearchParams({ 'list-type': '2', prefix: 'runs/run-1/waves/1/pods/', ...query })).body;
  const keysOf = (xml) => [...xml.matchAll(/pods\/(\d+)\.json/g)].map(([, pack]) => Number(pack));
  assert.deepEqual(keysOf(list({})), [1, 10, 2]);
  const first = list({ 'max-keys': '2' });
  assert.deepEqual(keysOf(first), [1, 10]);
  assert.match(first, /<IsTruncated>true</);
  assert.deepEqual(keysOf(list({ 'start-after': 'runs/run-1/waves/1/pods/10.json' })), [2]);
});

test('played pods answer for their run only, and pass on what the server writes', () => {
  const answerOf = playPods(
    () => [],
    () => 11
  );
  const none = new URLSearchParams();
  assert.equal(answerOf('GET', 'runs/run-1/plan.json', none), undefined);
  assert.equal(answerOf('PUT', 'runs/run-1/waves/1/orders', none), undefined);
  assert.equal(answerOf('GET', 'datasets/d/objects/x', none), undefined);
  const claim = JSON.parse(answerOf('GET', 'runs/run-1/claims/7.json', none).body);
  assert.deepEqual([claim.runId, claim.index, claim.state], ['run-1', 7, 'succeeded']);
  const out = answerOf('HEAD', 'runs/run-1/attempts/7/1/out/total.txt', none);
  assert.equal(out.body.length, claim.objects[0].sizeBytes);
  const outputs = answerOf('GET', '', new URLSearchParams({ 'list-type': '2', prefix: 'runs/run-1/attempts/' })).body;
  const sizes = [...outputs.matchAll(/attempts\/\d+\/1\/out\/total\.txt<\/Key><ETag>[^<]*<\/ETag><Size>(\d+)</g)];
  assert.deepEqual(
    sizes.map(([, size]) => Number(size)),
    Array(11).fill(claim.objects[0].sizeBytes)
  );
});

/** An entry as the proxy writes it down; `at` in milliseconds, each lasting one. */
const entry = (method, key, at, more = {}) => ({
  ...{ method, key, isList: false, bytesIn: 0, bytesOut: 0, from: at, to: at + 1, by: 'server', copies: false },
  ...{ status: 200, ...more }
});

test('the publish step begins at the last look for the manifest and ends when it was read back', () => {
  const log = [
    entry('PUT', 'runs/r/plan.json', 0),
    entry('GET', 'runs/r/claims/0.json', 10),
    entry('HEAD', 'runs/r/derivatives.json', 100),
    entry('GET', 'runs/r/claims/0.json', 110),
    entry('PUT', 'runs/r/claims/1.json', 112, { by: 'pods' }),
    entry('HEAD', 'runs/r/attempts/0/1/out/total.txt', 120),
    entry('PUT', 'runs/r/derivatives.json', 150, { to: 200 }),
    entry('HEAD', 'runs/r/derivatives.json', 205),
    entry('GET', 'runs/r/derivatives.json', 210)
  ];
  const { requests, verifySeconds, commitSeconds } = publishStep(log, 'r');
  assert.equal(requests.length, 6);
  assert.equal(verifySeconds, 0.021);
  assert.equal(commitSeconds, 0.079);
  assert.deepEqual(requestsByKind(requests, 'r'), {
    'HEAD derivatives.json': 2,
    'GET claims/#.json': 1,
    'HEAD attempts/#/#/out': 1,
    'PUT derivatives.json': 1,
    'GET derivatives.json': 1
  });
});

test('bytes of shards and of outputs are counted in both directions, and nothing else', () => {
  const log = [
    entry('GET', 'datasets/d/objects/x', 0, { bytesOut: 5 }),
    entry('PUT', 'runs/r/attempts/3/1/out/a/b', 1, { bytesIn: 7 }),
    entry('PUT', 'runs/r/plan.json', 2, { bytesIn: 1_000 }),
    // The digests of what was published, as a dataset version.
    entry('PUT', 'datasets/d/versions/x.json', 2, { bytesIn: 100 }),
    entry('GET', '', 3, { isList: true, prefix: 'datasets/d/', bytesOut: 100 })
  ];
  const { bytes, byKind } = shardBytes(log, 'r');
  assert.equal(bytes, 12);
  assert.equal(byKind['PUT datasets/#/versions'], 1);
});

test('an output that is written twice and a copy in the store are seen; a refused PUT is neither', () => {
  const key = 'runs/r/attempts/3/1/out/a';
  const refused = entry('PUT', key, 0, { status: 503 });
  assert.deepEqual(writtenAgain([refused, entry('PUT', key, 1)]), { copies: 0, again: 0 });
  assert.deepEqual(writtenAgain([entry('PUT', key, 0), entry('PUT', key, 1, { copies: true })]), {
    copies: 1,
    again: 1
  });
});
