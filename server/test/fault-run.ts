import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateSync } from 'node:zlib';
import type { Attempt, LogPart, Promotion, Run, Task } from '@labscale/schema';
import { digestOf } from '../src/datasets/stored-shard.js';
import type { ObjectStore } from '../src/objects/object-store.js';
import type { DerivativesManifest } from '../src/runs/publish.js';
import type { FaultGate, Holding } from './fault-gate.js';
import { holdersOf, losesOthers, type FaultScript } from './fault-script.js';
import { cell, makeSet, promote, tasksOf, type Calls } from './run-fixtures.js';
import { kubectl } from './test-cluster.js';
import { AnsweredWithProblem } from './test-server.js';

const patienceMs = 240_000;
const program = readFileSync('test/fault-program.py', 'utf8');

/** A server and what is behind it, which is all that may be different between two of them. */
export interface Side {
  runner: 'local' | 'kubernetes';
  calls: Calls;
  dataFolder: string;
  objects: ObjectStore;
  /** The version of a dataset of so many shards. */
  datasetOf: (shards: number) => Promise<string>;
  /** Ends the server as the event says, does what is to be done while there is none, and starts another. */
  replaceServer?: (how: 'server-killed' | 'server-restarted', meanwhile: () => void) => Promise<void>;
}

/** What a person sees of a run after all is over, without what may differ by nature: ids, times, measures. */
export type Seen = Record<string, unknown>;

/** Plays a script on one side. */
export async function playFaultScript(script: FaultScript, side: Side, gate: FaultGate): Promise<Seen> {
  const promotion = await preparePromotion(script, side, gate);
  const { id: runId } = await promote(side.calls, promotion);
  if (script.event !== null) await befall(script, side, runId, gate);

  const asked: Record<string, string> = {};
  let run = await runIn(side.calls, runId, ...ended, 'awaiting-release');
  if (run.state === 'awaiting-release') {
    asked['trial'] = await answerTo(side.calls, script.trial?.then === 'stop' ? 'stopRun' : 'releaseRun', runId);
    run = await runIn(side.calls, runId, ...ended);
  }
  const atFirst = { state: run.state, counts: run.counts };
  if (run.state === 'failed' && script.afterwards !== null) {
    asked['afterwards'] = await askAfterwards(script, side.calls, runId);
    run = await runIn(side.calls, runId, ...ended);
  }
  return {
    asked,
    atFirst,
    run: {
      ...{ state: run.state, counts: run.counts, headline: run.headline, failure: run.failure, trial: run.trial },
      published: run.derivatives?.shardCount ?? null
    },
    tasks: await Promise.all((await tasksOf(side.calls, runId)).map((task) => seenOfTask(script, side.calls, task))),
    failures: await seenOfFailures(side.calls, runId),
    manifest: await seenOfManifest(script, side, runId),
    cache: await seenOfCache(side.calls, promotion)
  };
}

async function preparePromotion(script: FaultScript, side: Side, gate: FaultGate): Promise<Promotion> {
  const { calls } = side;
  const source = [
    `SCRIPT = ${JSON.stringify(JSON.stringify(script.tasks))}`,
    `GATE = (${JSON.stringify(gate.host)}, ${gate.port})`,
    `# ${script.seed}`,
    program
  ].join('\n');
  const contract = {
    resources: script.resources,
    outputs: [{ path: 'result.txt', required: true }],
    ...(script.kind === 'notebook' ? { warm: script.warm } : {})
  };
  const name = `faults-${script.seed}`;
  const { latestVersion } = await calls.call('createAnalysis', {
    body:
      script.kind === 'notebook'
        ? { kind: 'notebook', path: `${name}.ipynb`, notebook: notebookOf(source), contract }
        : {
            ...{ kind: 'command', name, contract },
            // An argument has at most 8,192 characters, and braces in it are places for values.
            command: [
              ...['python3', '-c'],
              `import base64, zlib; exec(zlib.decompress(base64.b64decode("${deflateSync(source).toString('base64')}")))`
            ]
          }
  });
  return {
    analysisVersionId: latestVersion.id,
    parameterSetVersionIds: [await makeSet(calls, latestVersion.id, {}, name)],
    datasetVersionId: await side.datasetOf(script.tasks.length),
    ...(script.shardsPerPod === null || side.runner === 'local' ? {} : { shardsPerPod: script.shardsPerPod }),
    ...(script.trial === null ? {} : { trial: { count: script.trial.count, order: script.trial.order } })
  };
}

function notebookOf(source: string) {
  return {
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { kernelspec: { name: 'python3', display_name: 'Python 3', language: 'python' } },
    cells: [cell('offset = 1', 'parameters'), cell(source)]
  };
}

async function befall(script: FaultScript, side: Side, runId: string, gate: FaultGate): Promise<void> {
  const event = script.event!;
  const holders = holdersOf(script);
  const holdings = await Promise.all(holders.map((task) => gate.holding(runId, task, patienceMs)));
  const release = () => {
    for (const holding of holdings) holding.release();
  };
  if (event.moment === 'alone') {
    const isOver = ({ index, state }: Task) => holders.includes(index) || !['waiting', 'running'].includes(state);
    await waitFor(
      () => tasksOf(side.calls, runId),
      (tasks) => tasks.every(isOver)
    );
  }
  switch (event.kind) {
    case 'worker-lost':
      return await loseWorker(side, runId, holdings[holders.indexOf(event.task)]!);
    case 'stop':
      await side.calls.call('stopRun', { params: { runId } });
      return;
    case 'server-killed':
    case 'server-restarted':
      await side.replaceServer!(event.kind, () => {
        if (event.goesOn === 'without-server') release();
      });
      if (event.goesOn === 'with-server') release();
  }
}

async function loseWorker({ runner, dataFolder }: Side, runId: string, { host }: Holding): Promise<void> {
  if (runner === 'kubernetes') {
    // A pod of an Indexed Job has the Job's name and its index for a host name.
    const [, job, index] = /^(.+)-(\d+)$/.exec(host)!;
    const labels = `batch.kubernetes.io/job-name=${job},batch.kubernetes.io/job-completion-index=${index}`;
    const pods = [`--selector=${labels}`, '--field-selector=status.phase=Running'];
    expect(await kubectl('delete', 'pods', ...pods, '--force', '--grace-period=0')).toContain(host);
    return;
  }
  const folder = join(dataFolder, 'workers');
  for (const name of (await readdir(folder)).filter((file) => file.endsWith('.json'))) {
    const record = JSON.parse(await readFile(join(folder, name), 'utf8')) as { pid: number; runId: string };
    if (record.runId === runId) process.kill(record.pid, 'SIGKILL');
  }
}

const ended: Run['state'][] = ['succeeded', 'failed', 'stopped'];

async function runIn(calls: Calls, runId: string, ...states: Run['state'][]): Promise<Run> {
  return await waitFor(
    () => calls.call('getRun', { params: { runId } }),
    ({ state }) => states.includes(state)
  );
}

/** Asks seldom: many scripts wait at once, on the machine that runs them. */
async function waitFor<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (const deadline = Date.now() + patienceMs; ; await sleep(250)) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`it did not come to pass: ${JSON.stringify(value).slice(0, 1_000)}`);
  }
}

/** What is said to that: `done`, or the code of the problem. */
async function answerTo(
  calls: Calls,
  id: 'stopRun' | 'releaseRun' | 'retryRun' | 'publishRun',
  runId: string,
  body?: object
): Promise<string> {
  try {
    await calls.call(id, { params: { runId }, ...(body === undefined ? {} : { body }) });
    return 'done';
  } catch (error) {
    if (error instanceof AnsweredWithProblem) return error.problem.code;
    throw error;
  }
}

async function askAfterwards({ afterwards }: FaultScript, calls: Calls, runId: string): Promise<string> {
  if (afterwards?.asks !== 'retry') return await answerTo(calls, 'publishRun', runId);
  const failed = (await tasksOf(calls, runId)).filter(({ state }) => state === 'failed');
  return await answerTo(calls, 'retryRun', runId, {
    ...(afterwards.which === 'first' ? { taskIndexes: failed.slice(0, 1).map(({ index }) => index) } : {}),
    ...(afterwards.resources === null ? {} : { resources: afterwards.resources })
  });
}

async function seenOfTask(script: FaultScript, calls: Calls, task: Task): Promise<Seen> {
  const { index, runId } = task;
  const { items } = await calls.call('listAttempts', { params: { runId, index } });
  const attempts = countedAttempts(script, index, items);
  return {
    ...{ index, shardKey: task.shardKey, state: task.state, exitKind: task.exitKind, metrics: task.metrics },
    // Which attempt it was, and why it was lost, is with the attempts.
    reason: inWords(task.reason)?.replace(/^Attempt \d+ /, 'Attempt … ') ?? null,
    attempts: await Promise.all(attempts.map((attempt) => seenOfAttempt(calls, attempt)))
  };
}

/** Attempts that count: those that a runner's own way of sharing out takes down with others do not. */
function countedAttempts(script: FaultScript, task: number, attempts: readonly Attempt[]): Attempt[] {
  return attempts.filter(({ state }) => !(state === 'lost' && losesOthers(script, task)));
}

async function seenOfAttempt(calls: Calls, attempt: Attempt): Promise<Seen> {
  const { runId, taskIndex: index, number, state, exitKind, exitCode, published } = attempt;
  // A cluster can tell an eviction from the loss of a node; on one machine there is neither.
  if (state === 'lost') return { state, exitCode, published };
  // What has cut it short did so anywhere in its words.
  const wasCut = state === 'stopped' || ['time-limit', 'out-of-memory'].includes(exitKind ?? '');
  const log = wasCut ? undefined : await calls.call('getLog', { params: { runId, index, attempt: number } });
  return {
    ...{ state, exitKind, exitCode, published, reason: inWords(attempt.reason) },
    log: log === undefined ? null : seenOfLog(log)
  };
}

function seenOfLog({ text, sizeBytes }: LogPart): Seen {
  const words = inWords(text)!;
  return { digest: digestOf(words), end: words.slice(-200), ...(words === text ? { sizeBytes } : {}) };
}

async function seenOfFailures(calls: Calls, runId: string): Promise<Seen[]> {
  const { items } = await calls.call('listFailures', { params: { runId } });
  return items
    .map(({ exitKind, title, text, count, taskIndexes }) => {
      // Of a lost worker each runner tells in its own words; of others the one that failed first is told of.
      const isOwn = exitKind !== 'worker-lost';
      const words = (said: string) => inWords(said)!.replace(/\d+/g, '…');
      return { exitKind, count, taskIndexes, ...(isOwn ? { title: words(title), text: words(text) } : {}) };
    })
    .sort((a, b) => a.taskIndexes[0]! - b.taskIndexes[0]!);
}

async function seenOfManifest(script: FaultScript, side: Side, runId: string): Promise<Seen[] | null> {
  const bytes = await side.objects.get(`runs/${runId}/derivatives.json`);
  if (bytes === undefined) return null;
  const { derivatives } = JSON.parse(bytes.toString()) as DerivativesManifest;
  return derivatives.map(({ taskIndex, shardKey, metrics, madeBy, objects }) => ({
    ...{ taskIndex, shardKey, metrics },
    ...(losesOthers(script, taskIndex) ? {} : { attempt: madeBy.attempt }),
    objects: objects.map(({ path, sizeBytes, digest, mediaType }) =>
      // An executed notebook says when its cells ran.
      path === 'executed.ipynb' ? { path, mediaType } : { path, sizeBytes, digest, mediaType }
    )
  }));
}

/** What is kept for the next run of the same: what a plan says of it, and what such a run takes over. */
async function seenOfCache(calls: Calls, { trial: _, ...promotion }: Promotion): Promise<Seen> {
  const { shards, tasks, reused, toRun, misses } = await calls.call('createPlan', { body: promotion });
  const plan = { shards, tasks, reused, toRun, misses };
  if (reused === 0) return { plan };
  // A trial of one: what it would do besides has been seen.
  const trial = { count: 1, order: 'first' } as const;
  const { id: runId } = await promote(calls, toRun === 0 ? promotion : { ...promotion, trial });
  if (toRun > 0) await answerTo(calls, 'stopRun', runId);
  const run = await runIn(calls, runId, ...ended);
  const taken = (await tasksOf(calls, runId)).flatMap(({ index, reusedFrom }) => (reusedFrom ? [index] : []));
  return { plan, taken, published: toRun === 0 ? (run.derivatives?.shardCount ?? null) : null };
}

/** Without folders, which are each machine's own, and what was measured. */
function inWords(text: string | null): string | null {
  return text === null
    ? null
    : text.replace(/(?:\/[\w.-]+)+\/([\w.-]+)/g, '…/$1').replace(/\b[\d.]+ [KMG]iB of memory/g, '… of memory');
}
