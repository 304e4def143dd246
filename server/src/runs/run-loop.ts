import type { Resources, Run, RunState, TaskState } from '@labscale/schema';
import type { Logger } from 'pino';
import type { EventLog } from '../events/event-log.js';
import type { Database, Writing } from '../metadata/database.js';
import type { Tables } from '../metadata/tables.js';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import type { AttemptReport, Runner, RunnerEvent } from '../runner/runner.js';
import { failureGroupOf, readableFailure } from './failure-groups.js';
import type { FaultPoint } from './fault-point.js';
import type { Flight, LiveRun } from './live-run.js';
import type { Publisher } from './publish.js';
import { attemptKey, reconcile, type Action, type StoreFacts } from './reconcile.js';
import { toRun } from './run-noun.js';
import type { OrderedTask, RunOrders } from './run-orders.js';
import type { RunRepository } from './run-repository.js';
import { hasEnded } from './run-states.js';
import { StateMoved, type RunWrites, type TaskEnd } from './run-writes.js';

/** News of the runner is gathered for this long before it is written: one durable commit for all of it. */
const gatherMs = 50;
const newsAtOnce = 100;
const eventEveryMs = 200;
const runEventEveryMs = 2_000;
const afterTroubleMs = 1_000;

interface Hand {
  live: LiveRun;
  timer: NodeJS.Timeout | undefined;
  timerAt: number;
  eventTimer: NodeJS.Timeout | undefined;
  runEventAt: number;
  planned: boolean;
}

export interface RetrySelection {
  taskIndexes?: readonly number[] | undefined;
  failureGroup?: string | undefined;
  resources?: Partial<Resources> | undefined;
}

/** Carries runs on: hears the runner, lets `reconcile` decide, writes, orders what comes next, and tells what changed. */
export class RunLoop {
  readonly #hands = new Map<string, Hand>();
  /** One thing at a time is done to a run. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #closing = false;

  constructor(
    private readonly database: Database,
    private readonly repository: RunRepository,
    private readonly writes: RunWrites,
    private readonly orders: RunOrders,
    private readonly publisher: Publisher,
    private readonly objects: ObjectStore,
    private readonly runner: Runner,
    private readonly events: EventLog,
    private readonly fault: FaultPoint,
    private readonly logger: Logger
  ) {
    runner.onEvent((event) => this.#hear(event));
  }

  /** Takes up every run that an earlier server left unfinished. */
  async start(): Promise<void> {
    for (const runId of await this.repository.listUnfinished()) await this.#inTurn(runId, () => this.#takeUp(runId));
    for (const runId of await this.repository.listWithGarbage()) this.#tidy(runId);
  }

  async close(): Promise<void> {
    this.#closing = true;
    for (const hand of this.#hands.values()) {
      clearTimeout(hand.timer);
      clearTimeout(hand.eventTimer);
    }
    await Promise.allSettled(this.#turns.values());
    await this.runner.close();
  }

  /** A run that is in hand; undefined where nothing goes on with it. */
  live(runId: string): LiveRun | undefined {
    return this.#hands.get(runId)?.live;
  }

  async describe(runId: string): Promise<Run> {
    const row = await this.repository.find(runId);
    if (row === undefined) throw new Error(`there is no run ${runId}`);
    return toRun(row, this.live(runId), this.runner);
  }

  /** Starts a run whose intent is committed. */
  async begin(runId: string): Promise<void> {
    await this.#inTurn(runId, async () => {
      const hand = await this.#handOf(runId);
      this.#wake(hand, 0);
      await this.#tellRun(hand);
    });
  }

  /** Returns when the intent to stop is committed; the processes are ended after. */
  async stop(runId: string): Promise<void> {
    if (this.live(runId)?.facts.state === 'publishing') throw publishingAlready();
    await this.#inTurn(runId, async () => {
      const hand = await this.#handOf(runId);
      const { facts } = hand.live;
      if (facts.state === 'stopping') return;
      if (hasEnded(facts.state) || facts.state === 'publishing') {
        this.#putDown(hand);
        throw facts.state === 'publishing' ? publishingAlready() : conflict(`The run has ended: it is ${facts.state}.`);
      }
      await this.#moveRun(hand, 'stopping');
      void this.#endProcesses(hand);
    });
  }

  async release(runId: string): Promise<void> {
    await this.#inTurn(runId, async () => {
      const hand = await this.#handOf(runId);
      const { live } = hand;
      const held = live.indexesIn('held');
      if (held.length === 0 || !['running', 'awaiting-release'].includes(live.facts.state)) {
        this.#putDown(hand);
        throw conflict('No task of the run is held back.');
      }
      const moves = new Map<number, TaskState>(held.map((index) => [index, 'waiting']));
      await this.database.transaction().execute(async (writing) => {
        await this.writes.moveTasks(writing, runId, { from: ['held'] }, 'waiting');
        if (live.facts.state === 'awaiting-release') {
          await this.writes.moveRun(writing, runId, 'running', { trialReleased: 1 });
        } else {
          await writing.updateTable('run').set({ trialReleased: 1 }).where('id', '=', runId).execute();
        }
        await this.writes.setCounts(writing, runId, live.countsAfter(moves));
      });
      live.apply(moves);
      live.facts.state = 'running';
      await this.#tellRun(hand);
      this.#wake(hand, 0);
    });
  }

  /** Failed tasks run again in this run; where it could not go on at all, it goes on. */
  async retry(runId: string, selection: RetrySelection): Promise<void> {
    await this.#inTurn(runId, async () => {
      const hand = await this.#handOf(runId);
      const { live } = hand;
      try {
        await this.#retry(hand, selection);
      } finally {
        if (hasEnded(live.facts.state)) this.#putDown(hand);
      }
    });
  }

  async #retry(hand: Hand, selection: RetrySelection): Promise<void> {
    const { live } = hand;
    const { id: runId, state } = live.facts;
    if (!['running', 'awaiting-release', 'failed'].includes(state)) {
      throw conflict(
        state === 'succeeded' || state === 'publishing'
          ? 'What the run made is published; nothing can be added to it. Promote again: what is published is reused.'
          : `The run is ${state}; its tasks cannot run again. Promote again.`
      );
    }
    let failed = this.database
      .selectFrom('task')
      .select(['index', 'resourcesJson'])
      .where('runId', '=', runId)
      .where('state', '=', 'failed');
    if (selection.failureGroup !== undefined) failed = failed.where('failureGroup', '=', selection.failureGroup);
    const wanted = selection.taskIndexes && new Set(selection.taskIndexes);
    const rows = (await failed.execute()).filter(({ index }) => wanted?.has(index) ?? true);
    if (wanted && rows.length < wanted.size) {
      const found = new Set(rows.map(({ index }) => index));
      const other = [...wanted].find((index) => !found.has(index));
      throw conflict(`Task ${other} has not failed; only failed tasks can run again.`, 'taskIndexes');
    }
    const goesOn = state === 'failed' && live.counts.waiting > 0;
    if (rows.length === 0 && !goesOn) throw conflict('No such task of the run has failed.');
    const moves = new Map<number, TaskState>(rows.map(({ index }) => [index, 'waiting']));
    const set = {
      failures: 0,
      losses: 0,
      exitKind: null,
      reason: null,
      failureGroup: null,
      failureText: null,
      notBefore: null,
      startedAt: null,
      finishedAt: null
    };
    await this.database.transaction().execute(async (writing) => {
      // Tasks that were retried before may ask for other resources than the run: each keeps what is not asked anew.
      const byResources = new Map<string | null, number[]>();
      for (const { index, resourcesJson } of rows) {
        const before = resourcesJson === null ? live.facts.resources : (JSON.parse(resourcesJson) as Resources);
        const json = selection.resources ? JSON.stringify({ ...before, ...selection.resources }) : resourcesJson;
        byResources.set(json, [...(byResources.get(json) ?? []), index]);
      }
      for (const [resourcesJson, indexes] of byResources) {
        await this.writes.moveTasks(writing, runId, { indexes }, 'waiting', { ...set, resourcesJson });
      }
      if (state !== 'running') {
        await this.writes.moveRun(writing, runId, 'running', {
          failure: null,
          finishedAt: null,
          publishPartial: 0,
          garbage: 1
        });
      }
      await this.writes.setCounts(writing, runId, live.countsAfter(moves));
    });
    live.apply(moves);
    live.facts.state = 'running';
    live.facts.publishPartial = false;
    await this.#tellRun(hand);
    this.#wake(hand, 0);
  }

  /** Publishes what succeeded of a run that failed. */
  async publish(runId: string): Promise<void> {
    await this.#inTurn(runId, async () => {
      const hand = await this.#handOf(runId);
      const { live } = hand;
      const { state } = live.facts;
      if (state !== 'failed') {
        if (hasEnded(state)) this.#putDown(hand);
        throw conflict(`Only a run that failed is published by hand; this one is ${state}.`);
      }
      if (live.counts.succeeded + live.counts.reused === 0) {
        this.#putDown(hand);
        throw conflict('No task of the run succeeded: there is nothing to publish.');
      }
      await this.#moveRun(hand, 'publishing', { publishPartial: 1, failure: null, finishedAt: null });
      live.facts.publishPartial = true;
      this.#wake(hand, 0);
    });
  }

  async #takeUp(runId: string): Promise<void> {
    const hand = await this.#handOf(runId);
    const { live } = hand;
    if (live.facts.state === 'stopping') return void this.#endProcesses(hand);
    const adopted = new Set((await this.runner.adopt(live.order, [...live.flights.values()])).map(attemptKey));
    for (const flight of live.flights.values()) {
      const key = attemptKey(flight);
      if (!adopted.has(key)) live.gone.set(key, 'Its worker ended with the server before this one.');
    }
    this.logger.info(
      { runId, state: live.facts.state, open: live.flights.size, adopted: adopted.size },
      'run taken up again'
    );
    this.#wake(hand, 0);
  }

  #hear(event: RunnerEvent): void {
    const hand = this.#hands.get(event.runId);
    if (hand === undefined) return;
    const { live } = hand;
    if (event.kind === 'unusable') {
      live.unusable = event.detail;
    } else if (event.kind === 'gone') {
      for (const attempt of event.attempts) {
        if (live.flights.get(attempt.index)?.attempt === attempt.attempt)
          live.gone.set(attemptKey(attempt), event.detail);
      }
    } else {
      // An attempt that was given up before has nothing to say; what it claims is seen by who comes after it.
      const flight = live.flights.get(event.index);
      if (flight?.attempt !== event.attempt) return;
      if (event.kind === 'progress') {
        live.setProgress(event.index, event.progress);
        this.#tellTasks(hand);
        return;
      }
      if (event.kind === 'started') live.started.set(event.index, event);
      else live.reports.set(attemptKey(event), event.report);
    }
    const urgent = live.reports.size >= newsAtOnce || live.reports.size >= live.flights.size;
    this.#wake(hand, urgent ? 0 : gatherMs);
  }

  #wake(hand: Hand, inMs: number): void {
    if (this.#closing) return;
    const at = Date.now() + inMs;
    if (hand.timer !== undefined && hand.timerAt <= at) return;
    clearTimeout(hand.timer);
    hand.timerAt = at;
    hand.timer = setTimeout(() => {
      hand.timer = undefined;
      void this.#inTurn(hand.live.id, () => this.#tick(hand));
    }, inMs);
  }

  async #tick(hand: Hand): Promise<void> {
    const { live } = hand;
    if (this.#hands.get(live.id) !== hand) return;
    const { started, reports, gone } = live;
    live.started = new Map();
    live.reports = new Map();
    live.gone = new Map();
    try {
      await this.#advance(hand, started, reports, gone);
    } catch (error) {
      this.logger.error({ runId: live.id, err: error }, 'a step of a run could not be done; it is tried again');
      if (error instanceof StateMoved) {
        await this.#reload(hand, reports, gone);
        return;
      }
      for (const [index, news] of started) if (!live.started.has(index)) live.started.set(index, news);
      for (const [key, report] of reports) live.reports.set(key, report);
      for (const [key, detail] of gone) live.gone.set(key, detail);
      this.#wake(hand, afterTroubleMs);
    }
  }

  /** What is in mind is not what is written: it is read anew, and news of attempts that are still open are kept. */
  async #reload(hand: Hand, reports: Map<string, AttemptReport>, gone: Map<string, string>): Promise<void> {
    const live = await this.repository.load(hand.live.id);
    for (const flight of live.flights.values()) {
      const key = attemptKey(flight);
      const report = reports.get(key) ?? hand.live.reports.get(key);
      const detail = gone.get(key) ?? hand.live.gone.get(key);
      if (report) live.reports.set(key, report);
      if (detail) live.gone.set(key, detail);
    }
    hand.live = live;
    this.#wake(hand, afterTroubleMs);
  }

  async #advance(
    hand: Hand,
    started: Map<number, { attempt: number; at: string; workerId: string }>,
    reports: Map<string, AttemptReport>,
    gone: Map<string, string>
  ): Promise<void> {
    const { live } = hand;
    const { id: runId } = live;
    if (reports.size > 0) this.fault('before-report');
    const over = [...live.flights.values()].filter(
      (flight) => reports.has(attemptKey(flight)) || gone.has(attemptKey(flight))
    );
    const store = await this.#lookInStore(runId, over, reports);
    if (reports.size > 0) this.fault('after-report');
    if (!hand.planned && ['starting', 'running'].includes(live.facts.state)) await this.#writePlan(hand);

    const now = new Date();
    const alive = new Set<string>();
    for (const flight of live.flights.values()) if (!gone.has(attemptKey(flight))) alive.add(attemptKey(flight));
    const actions = reconcile(
      {
        run: { state: live.facts.state, publishPartial: live.facts.publishPartial, counts: live.counts },
        open: [...live.flights.values()].map((flight) => ({ ...flight, taskState: live.states.get(flight.index) }))
      },
      { alive, reports, gone },
      store,
      now
    );

    const moves = new Map<number, TaskState>();
    const closed = new Set<number>();
    for (const [index, news] of started) {
      if (live.flights.get(index)?.attempt === news.attempt && live.states.get(index) === 'waiting')
        moves.set(index, 'running');
    }
    for (const action of actions) {
      if (action.kind === 'run' || action.kind === 'publish') continue;
      closed.add(action.index);
      moves.set(action.index, stateAfter[action.kind]);
      // At once, for the tasks that come next are chosen below; where this is not written after all, it is decided anew.
      if (action.kind === 'retry' && action.notBefore !== null)
        live.notBefore.set(action.index, Date.parse(action.notBefore));
    }
    let state = live.facts.state;
    const last = actions.at(-1);
    if (last?.kind === 'run') state = last.to;
    if (last?.kind === 'publish') state = 'publishing';
    if (live.unusable !== undefined && ['starting', 'running'].includes(state)) state = 'failed';
    if (state === 'stopped') for (const index of live.indexesIn('held', 'waiting')) moves.set(index, 'stopped');

    let room = 0;
    if (state === 'running') room = this.runner.room(live.order);
    const next = room > 0 ? live.nextWaiting(room, moves, closed, now.getTime()) : [];
    const ordered: OrderedTask[] = [];
    const stateMoves = state !== live.facts.state;
    if (moves.size > 0 || next.length > 0 || stateMoves) {
      const decisive = actions.some((action) => action.kind !== 'run' && action.kind !== 'publish');
      if (stateMoves && state === 'publishing') this.fault('before-publish');
      await this.database.transaction().execute(async (writing) => {
        for (const [index, { attempt, at, workerId }] of started) {
          if (moves.get(index) === 'running') await this.writes.startTask(writing, runId, index, attempt, at, workerId);
        }
        for (const action of actions) await this.#write(writing, live, action, now);
        if (state === 'stopped') await this.writes.moveTasks(writing, runId, { from: ['held', 'waiting'] }, 'stopped');
        if (state === 'failed' && live.unusable !== undefined) {
          await this.writes.moveOpenAttempts(writing, runId, 'lost', live.unusable, now.toISOString());
          for (const index of live.indexesIn('running')) moves.set(index, moves.get(index) ?? 'waiting');
          await this.writes.moveTasks(writing, runId, { from: ['running'] }, 'waiting');
        }
        if (stateMoves) await this.writes.moveRun(writing, runId, state, this.#setOfRun(live, state, now));
        ordered.push(...(next.length > 0 ? await this.#orderNext(writing, live, next, now) : []));
        await this.writes.setCounts(writing, runId, live.countsAfter(moves));
        if (decisive) this.fault('before-task-commit');
      });
      if (decisive) this.fault('after-task-commit');
    }

    for (const index of closed) live.flights.delete(index);
    for (const [index, { at }] of started) {
      const flight = live.flights.get(index);
      if (flight) flight.startedAt = at;
    }
    for (const action of actions) {
      if (action.kind === 'succeed') live.countDurations(action.claim.durationSeconds, 1);
    }
    live.apply(moves);
    live.facts.state = state;
    if (started.size > 0) this.fault('after-started');
    if (ordered.length > 0) this.#submit(live, ordered);
    if (moves.size > 0) this.#tellTasks(hand);
    if (stateMoves) await this.#arriveAt(hand, state);
    else if (state === 'publishing') await this.#publish(hand);
    const due = live.nextDue(now.getTime());
    if (due !== undefined && this.#hands.has(runId)) this.#wake(hand, due - now.getTime());
  }

  async #arriveAt(hand: Hand, state: RunState): Promise<void> {
    const { live } = hand;
    this.logger.info({ runId: live.id, state }, 'run');
    if (state === 'awaiting-release') this.runner.finish(live.id);
    if (hasEnded(state)) return await this.#end(hand);
    await this.#tellRun(hand);
    if (state === 'publishing') await this.#publish(hand);
    // What follows from a state shows at the next look, as that the trial of a starting run has nothing to do.
    else this.#wake(hand, gatherMs);
  }

  async #lookInStore(runId: string, over: readonly Flight[], reports: Map<string, AttemptReport>): Promise<StoreFacts> {
    const store = { claims: new Map<number, AttemptReport>(), reports: new Map<string, AttemptReport>() };
    await Promise.all(
      over.map(async (flight) => {
        const { index, attempt } = flight;
        const claim = await this.#readReport(`runs/${runId}/claims/${index}.json`);
        if (claim !== undefined) store.claims.set(index, claim);
        else if (!reports.has(attemptKey(flight))) {
          const report = await this.#readReport(`runs/${runId}/attempts/${index}/${attempt}/report.json`);
          if (report !== undefined) store.reports.set(attemptKey(flight), report);
        }
      })
    );
    return store;
  }

  async #readReport(key: string): Promise<AttemptReport | undefined> {
    const bytes = await this.objects.get(key);
    return bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as AttemptReport);
  }

  async #writePlan(hand: Hand): Promise<void> {
    const { live } = hand;
    try {
      await this.orders.writePlan(live.id);
      hand.planned = true;
    } catch (error) {
      this.logger.error({ runId: live.id, err: error }, 'the plan of a run could not be written');
      live.unusable = `The run could not start: ${plainReason(error)}`;
    }
  }

  /** Writes what an action says of a task and its attempts. */
  async #write(writing: Writing, live: LiveRun, action: Action, now: Date): Promise<void> {
    if (action.kind === 'run' || action.kind === 'publish') return;
    const runId = live.id;
    const { index, attempt } = action;
    const flight = live.flights.get(index);
    if (flight === undefined) throw new StateMoved(`task ${index} of ${runId} has no open attempt`);
    const finishedAt = now.toISOString();
    const task: TaskEnd = {
      ...{ runId, index, failureGroup: null, failureText: null, notBefore: null, metricsJson: '{}' },
      ...{ exitKind: null, reason: null, durationSeconds: null, cpuSeconds: null, peakMemoryBytes: null },
      ...{ failures: flight.failures, losses: flight.losses, startedAt: flight.startedAt, finishedAt }
    };
    const closing = {
      runId,
      taskIndex: index,
      number: attempt,
      published: 0,
      finishedAt,
      reason: null,
      exitKind: null
    };
    const unmeasured = { exitCode: null, durationSeconds: null, cpuSeconds: null, peakMemoryBytes: null };
    switch (action.kind) {
      case 'succeed': {
        const { claim, closes } = action;
        await this.writes.endTask(writing, 'succeeded', {
          ...task,
          ...measured(claim),
          startedAt: claim.startedAt,
          exitKind: 'succeeded',
          metricsJson: JSON.stringify(claim.metrics)
        });
        await this.writes.endAttempt(writing, 'succeeded', {
          ...closing,
          ...measured(claim),
          number: claim.attempt,
          exitKind: 'succeeded',
          exitCode: claim.exitCode,
          published: 1
        });
        if (claim.attempt === attempt) return;
        if (closes === undefined) {
          await this.writes.endAttempt(writing, 'lost', {
            ...closing,
            ...unmeasured,
            reason: `Attempt ${claim.attempt} had succeeded.`
          });
        } else {
          const { exitKind, exitCode, reason } = closes;
          await this.writes.endAttempt(writing, closes.state, {
            ...closing,
            ...measured(closes),
            exitKind,
            exitCode,
            reason: plain(reason)
          });
        }
        return;
      }
      case 'retry':
      case 'fail': {
        const { report } = action;
        const { exitKind, exitCode } = report;
        const reason = plain(report.reason) ?? 'It failed.';
        await this.writes.endAttempt(writing, 'failed', {
          ...closing,
          ...measured(report),
          exitKind,
          exitCode,
          reason
        });
        const failureText = readableFailure(report.failureText ?? reason);
        const failed = {
          ...task,
          ...measured(report),
          startedAt: report.startedAt,
          exitKind,
          failures: flight.failures + 1,
          metricsJson: JSON.stringify(report.metrics)
        };
        if (action.kind === 'retry') {
          await this.writes.endTask(writing, 'waiting', {
            ...failed,
            reason: `Attempt ${attempt} failed: ${reason}`,
            notBefore: action.notBefore
          });
        } else {
          const failureGroup = failureGroupOf(exitKind, failureText, report.shardKey);
          await this.writes.endTask(writing, 'failed', { ...failed, reason, failureGroup, failureText });
        }
        return;
      }
      case 'lose':
        await this.writes.endAttempt(writing, 'lost', {
          ...closing,
          ...unmeasured,
          exitKind: 'worker-lost',
          reason: plain(action.reason)
        });
        await this.writes.endTask(writing, 'waiting', {
          ...task,
          losses: flight.losses + 1,
          startedAt: null,
          finishedAt: null
        });
        return;
      case 'give-up': {
        const reason = `Each of its last ${flight.losses + 1} attempts ended with its worker: ${plain(action.reason)}`;
        const failureGroup = failureGroupOf('worker-lost', reason, undefined);
        await this.writes.endAttempt(writing, 'lost', {
          ...closing,
          ...unmeasured,
          exitKind: 'worker-lost',
          reason: plain(action.reason)
        });
        await this.writes.endTask(writing, 'failed', {
          ...task,
          exitKind: 'worker-lost',
          reason,
          failureGroup,
          failureText: reason,
          losses: flight.losses + 1
        });
        return;
      }
      case 'stop':
        await this.writes.endAttempt(writing, 'stopped', {
          ...closing,
          ...unmeasured,
          exitKind: 'stopped',
          reason: 'The run was stopped.'
        });
        await this.writes.endTask(writing, 'stopped', { ...task, exitKind: 'stopped', reason: 'The run was stopped.' });
    }
  }

  /** The intent of the next attempts, in the same commit as the ends of those before them. */
  async #orderNext(writing: Writing, live: LiveRun, indexes: readonly number[], now: Date): Promise<OrderedTask[]> {
    const ordered = await this.orders.next(writing, live.facts, indexes);
    const attempts = ordered.map(({ order }): Tables['attempt'] => ({
      runId: live.id,
      taskIndex: order.index,
      number: order.attempt,
      owner: live.facts.owner,
      state: 'running',
      workerId: null,
      exitKind: null,
      reason: null,
      exitCode: null,
      startedAt: now.toISOString(),
      finishedAt: null,
      durationSeconds: null,
      cpuSeconds: null,
      peakMemoryBytes: null,
      published: 0
    }));
    await this.writes.insertAttempts(writing, attempts);
    return ordered;
  }

  #submit(live: LiveRun, ordered: readonly OrderedTask[]): void {
    for (const { order, failures, losses } of ordered) {
      const { index, attempt, resources } = order;
      live.notBefore.delete(index);
      live.flights.set(index, { index, attempt, resources, failures, losses, startedAt: null, progress: null });
    }
    this.fault('before-submit');
    this.runner.submit(
      live.order,
      ordered.map(({ order }) => order)
    );
    this.fault('after-submit');
  }

  #setOfRun(live: LiveRun, state: RunState, now: Date): Partial<Tables['run']> {
    const at = now.toISOString();
    if (state === 'running' && live.facts.state === 'starting') return { startedAt: at };
    if (state === 'publishing' && live.facts.state === 'starting') return { startedAt: at };
    if (state === 'failed') return { finishedAt: at, failure: live.unusable ?? null };
    return hasEnded(state) ? { finishedAt: at } : {};
  }

  async #publish(hand: Hand): Promise<void> {
    const { live } = hand;
    const runId = live.id;
    this.fault('after-publishing-commit');
    let missing: number[];
    try {
      missing = await this.publisher.publish(runId);
    } catch (error) {
      this.logger.error({ runId, err: error }, 'a run could not be published');
      await this.#moveRun(hand, 'failed', {
        failure: `What the run made could not be published: ${plainReason(error)} Nothing is lost: publish it again once that is mended.`,
        finishedAt: new Date().toISOString()
      });
      await this.#end(hand);
      return;
    }
    if (missing.length === 0) {
      live.facts.state = 'succeeded';
      this.logger.info({ runId, state: 'succeeded' }, 'run');
      await this.#end(hand);
      return;
    }
    this.logger.warn({ runId, tasks: missing.length }, 'objects of tasks are missing; they run again');
    const moves = new Map<number, TaskState>(missing.map((index) => [index, 'waiting']));
    await this.database.transaction().execute(async (writing) => {
      const reason = 'What it had made was no longer in the object store.';
      const set = { reason, reusedRunId: null, reusedTaskIndex: null, failures: 0, losses: 0, exitKind: null };
      await this.writes.moveTasks(writing, runId, { indexes: missing }, 'waiting', set);
      await this.writes.revokeAttempts(writing, runId, missing);
      await this.writes.moveRun(writing, runId, 'running');
      await this.writes.setCounts(writing, runId, live.countsAfter(moves));
    });
    live.apply(moves);
    live.facts.state = 'running';
    await this.#tellRun(hand);
    this.#wake(hand, 0);
  }

  async #endProcesses(hand: Hand): Promise<void> {
    const runId = hand.live.id;
    await this.runner
      .stop(runId)
      .catch((error: unknown) => this.logger.error({ runId, err: error }, 'a run could not be stopped well'));
    const { live } = hand;
    for (const flight of live.flights.values()) {
      if (!live.reports.has(attemptKey(flight))) live.gone.set(attemptKey(flight), 'The run was stopped.');
    }
    this.#wake(hand, 0);
  }

  async #end(hand: Hand): Promise<void> {
    await this.#tellRun(hand);
    this.#putDown(hand);
    this.#tidy(hand.live.id);
  }

  /** Removes what the run left behind, after it ended; what fails is tried again at the next start. */
  #tidy(runId: string): void {
    this.runner.finish(runId);
    void this.publisher.removeGarbage(runId).catch((error: unknown) => {
      if (!this.#closing) this.logger.warn({ runId, err: error }, 'what a run left behind could not be removed');
    });
  }

  async #moveRun(hand: Hand, to: RunState, set: Partial<Tables['run']> = {}): Promise<void> {
    await this.database.transaction().execute((writing) => this.writes.moveRun(writing, hand.live.id, to, set));
    hand.live.facts.state = to;
    await this.#tellRun(hand);
  }

  async #handOf(runId: string): Promise<Hand> {
    let hand = this.#hands.get(runId);
    if (hand === undefined) {
      const live = await this.repository.load(runId);
      hand = { live, timer: undefined, timerAt: 0, eventTimer: undefined, runEventAt: 0, planned: false };
      this.#hands.set(runId, hand);
    }
    return hand;
  }

  #putDown(hand: Hand): void {
    clearTimeout(hand.timer);
    clearTimeout(hand.eventTimer);
    this.#hands.delete(hand.live.id);
  }

  /** At most so many events a second, whatever happens in a run. */
  #tellTasks(hand: Hand): void {
    if (hand.eventTimer !== undefined || this.#closing) return;
    hand.eventTimer = setTimeout(() => {
      hand.eventTimer = undefined;
      this.#publishTasks(hand);
      if (Date.now() - hand.runEventAt >= runEventEveryMs) void this.#tellRun(hand);
    }, eventEveryMs);
  }

  #publishTasks(hand: Hand): void {
    const { live } = hand;
    const changes = live.takeChanges();
    if (changes === undefined) return;
    const { owner, state } = live.facts;
    this.events.publish(owner, {
      type: 'tasks',
      runId: live.id,
      runState: state,
      counts: { ...live.counts },
      ...changes
    });
  }

  async #tellRun(hand: Hand): Promise<void> {
    this.#publishTasks(hand);
    hand.runEventAt = Date.now();
    this.events.publish(hand.live.facts.owner, { type: 'run', run: await this.describe(hand.live.id) });
  }

  async #inTurn<T>(runId: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(runId) ?? Promise.resolve();
    const turn = before.then(act, act);
    const settled = turn.catch(() => {});
    this.#turns.set(runId, settled);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(runId) === settled) this.#turns.delete(runId);
    }
  }
}

const stateAfter = {
  succeed: 'succeeded',
  retry: 'waiting',
  fail: 'failed',
  lose: 'waiting',
  'give-up': 'failed',
  stop: 'stopped'
} as const satisfies Record<Exclude<Action['kind'], 'run' | 'publish'>, TaskState>;

function measured(report: AttemptReport) {
  const { finishedAt, durationSeconds, cpuSeconds, peakMemoryBytes } = report;
  return { finishedAt, durationSeconds, cpuSeconds, peakMemoryBytes };
}

/** One line that a person can read. */
function plain<T extends string | null>(reason: T): T {
  return (reason === null ? null : readableFailure(reason).replace(/\s+/g, ' ').trim().slice(0, 2_000)) as T;
}

function plainReason(error: unknown): string {
  if (error instanceof ProblemError) return error.detail;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC') return 'There is no room left on the disk.';
  return /disk is full/i.test(String(message))
    ? 'There is no room left on the disk.'
    : 'The server made a mistake; its log says which.';
}

function conflict(detail: string, field?: string): ProblemError {
  return new ProblemError('STATE_CONFLICT', detail, field === undefined ? {} : { field });
}

function publishingAlready(): ProblemError {
  return conflict('The run is being published, which cannot be stopped.');
}
