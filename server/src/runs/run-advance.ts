import type { RunState, TaskState } from '@labscale/schema';
import type { Logger } from 'pino';
import type { Database, Writing } from '../metadata/database.js';
import { isDiskFull } from '../metadata/database-errors.js';
import type { Tables } from '../metadata/tables.js';
import type { ObjectStore } from '../objects/object-store.js';
import { ProblemError } from '../problem-error.js';
import type { Runner } from '../runner/runner.js';
import { taskStateAfter, type AttemptAction, type AttemptWrites, type Replaced } from './attempt-writes.js';
import type { FaultPoint } from './fault-point.js';
import type { LiveRun, RunnerNews } from './live-run.js';
import type { Publisher } from './publish.js';
import { attemptKey, lossesAfter, reconcile, type StoreFacts } from './reconcile.js';
import type { RunEnd } from './run-end.js';
import type { RunEvents } from './run-events.js';
import type { OrderedTask, RunOrders } from './run-orders.js';
import type { RunRepository } from './run-repository.js';
import { hasEnded } from './run-states.js';
import { StateMoved, type RunWrites } from './run-writes.js';
import type { Hand, RunsInHand } from './runs-in-hand.js';
import { readStoreFacts } from './store-facts.js';

const afterStateMs = 50;
const afterTroubleMs = 1_000;
/** A store that loses what it took would have the same tasks run again for ever. */
const vanishingsAllowed = 3;
/** So that one commit keeps other requests waiting for no more than an instant. */
const ordersAtOnce = 5_000;

/** What is to be written in one commit. */
interface Step {
  now: Date;
  /** The state of the run after it. */
  state: RunState;
  ends: readonly AttemptAction[];
  /** What becomes of tasks. */
  moves: Map<number, TaskState>;
  /** Tasks whose next attempt is ordered. */
  next: readonly number[];
  /** Whether there is room for more tasks that could be ordered now than one commit should write. */
  more: boolean;
}

/** Brings a run one step on: `reconcile` decides, one commit writes it, then the runner is told, or the run is published. */
export class RunAdvance {
  constructor(
    private readonly database: Database,
    private readonly hands: RunsInHand,
    private readonly repository: RunRepository,
    private readonly writes: RunWrites,
    private readonly attempts: AttemptWrites,
    private readonly orders: RunOrders,
    private readonly objects: ObjectStore,
    private readonly runner: Runner,
    private readonly publisher: Publisher,
    private readonly events: RunEvents,
    private readonly end: RunEnd,
    private readonly fault: FaultPoint,
    private readonly logger: Logger
  ) {}

  /** Does what is to be done now; where that fails it is tried again later. */
  async advance(hand: Hand): Promise<void> {
    const { live } = hand;
    const news = live.takeNews();
    try {
      await this.#step(hand, news);
      if (live.trouble !== undefined) await this.#tellTrouble(hand, undefined);
    } catch (error) {
      this.logger.error({ runId: live.id, err: error }, 'a step of a run could not be done; it is tried again');
      if (error instanceof StateMoved) await this.#reload(hand, news);
      else {
        live.news.takeBack(news);
        await this.#tellTrouble(hand, plainReason(error));
      }
      this.hands.wake(hand, afterTroubleMs);
    }
  }

  /** That a run cannot go on is told while it lasts; where not even that can be done it is told at the next try. */
  async #tellTrouble(hand: Hand, trouble: string | undefined): Promise<void> {
    const { live } = hand;
    if (live.trouble === trouble) return;
    live.trouble = trouble;
    if (this.hands.find(live.id) !== hand) return;
    await this.events.runChanged(hand).catch((error: unknown) => {
      this.logger.warn({ runId: live.id, err: error }, 'the trouble of a run could not be told');
    });
  }

  /** What is in mind is not what is written: it is read anew, and news of attempts that are still open are kept. */
  async #reload(hand: Hand, news: RunnerNews): Promise<void> {
    const live = await this.repository.load(hand.live.id);
    for (const flight of live.flights.values()) {
      const key = attemptKey(flight);
      const report = news.reports.get(key) ?? hand.live.news.reports.get(key);
      const loss = news.gone.get(key) ?? hand.live.news.gone.get(key);
      const replaced = hand.live.news.replaced.get(flight.index) ?? news.replaced.get(flight.index);
      if (report) live.news.reports.set(key, report);
      if (loss) live.news.gone.set(key, loss);
      if (replaced) live.news.replaced.set(flight.index, replaced);
    }
    hand.live = live;
  }

  async #step(hand: Hand, news: RunnerNews): Promise<void> {
    const { live } = hand;
    if (news.replaced.size > 0) await this.#replace(live, news);
    if (news.reports.size > 0) this.fault('before-report');
    const store = await readStoreFacts(this.objects, live, news);
    if (news.reports.size > 0) this.fault('after-report');
    if (!hand.planned && live.counts.waiting > 0 && ['starting', 'running'].includes(live.facts.state)) {
      await this.#writePlan(hand);
    }

    const step = this.#decide(live, news, store);
    const stateMoves = step.state !== live.facts.state;
    let ordered: OrderedTask[] = [];
    if (step.moves.size > 0 || step.next.length > 0 || stateMoves) {
      if (stateMoves && step.state === 'publishing') this.fault('before-publish');
      ordered = await this.database.transaction().execute((writing) => this.#write(writing, live, news, step));
      if (step.ends.length > 0) this.fault('after-task-commit');
    }
    this.#apply(live, news, step);
    if (news.started.size > 0) this.fault('after-started');
    if (ordered.length > 0) this.#submit(live, ordered, step.more);
    if (step.more) this.hands.wake(hand, 0);
    if (step.moves.size > 0) this.events.tasksChanged(hand);
    if (stateMoves) await this.#arrive(hand);
    else if (step.state === 'publishing') await this.#publish(hand);
    const due = live.nextDue(step.now.getTime());
    if (due !== undefined && this.hands.find(live.id) !== undefined) this.hands.wake(hand, due - step.now.getTime());
  }

  /** Attempts that the cluster began by itself get their rows, before anything is decided of them. */
  async #replace(live: LiveRun, news: RunnerNews): Promise<void> {
    const now = new Date();
    const replaced = [...news.replaced].flatMap(([index, { by, ...loss }]): Replaced[] => {
      const flight = live.flights.get(index);
      return flight === undefined || flight.attempt >= by ? [] : [{ flight, by, loss }];
    });
    await this.database.transaction().execute((writing) => this.attempts.replace(writing, live, replaced, now));
    for (const { flight, by, loss } of replaced) {
      const losses = lossesAfter(flight.losses, loss);
      Object.assign(flight, { attempt: by, losses, startedAt: null, progress: null });
    }
  }

  #decide(live: LiveRun, news: RunnerNews, store: StoreFacts): Step {
    const now = new Date();
    const alive = new Set([...live.flights.values()].map(attemptKey).filter((key) => !news.gone.has(key)));
    const actions = reconcile(
      {
        run: { state: live.facts.state, publishPartial: live.facts.publishPartial, counts: live.counts },
        open: [...live.flights.values()].map((flight) => ({ ...flight, taskState: live.states.get(flight.index) }))
      },
      { alive, reports: news.reports, gone: news.gone },
      store,
      now
    );
    const moves = new Map<number, TaskState>();
    for (const [index, { attempt }] of news.started) {
      if (live.flights.get(index)?.attempt === attempt && live.states.get(index) === 'waiting') {
        moves.set(index, 'running');
      }
    }
    let { state } = live.facts;
    const ends: AttemptAction[] = [];
    for (const action of actions) {
      if (action.kind === 'run') state = action.to;
      else if (action.kind === 'publish') state = 'publishing';
      else {
        ends.push(action);
        moves.set(action.index, taskStateAfter[action.kind]);
        // At once, for the tasks that come next are chosen below; where this is not written after all, it is decided anew.
        if (action.kind === 'retry' && action.notBefore !== null) {
          live.notBefore.set(action.index, Date.parse(action.notBefore));
        }
      }
    }
    if (live.unusable !== undefined && ['starting', 'running'].includes(state)) state = 'failed';
    if (state === 'stopped') for (const index of live.indexesIn('held', 'waiting')) moves.set(index, 'stopped');
    const room = state === 'running' ? this.runner.room(live.order) : 0;
    const closed = new Set(ends.map(({ index }) => index));
    const most = Math.min(room, ordersAtOnce);
    const next = most > 0 ? live.nextWaiting(most + 1, moves, closed, now.getTime()) : [];
    const more = next.length > most && room > most;
    return { now, state, ends, moves, next: next.slice(0, most), more };
  }

  async #write(writing: Writing, live: LiveRun, news: RunnerNews, step: Step): Promise<OrderedTask[]> {
    const { id: runId } = live;
    const { now, state, ends, moves, next } = step;
    for (const [index, { attempt, at, workerId }] of news.started) {
      if (moves.get(index) === 'running') await this.writes.startTask(writing, runId, index, attempt, at, workerId);
    }
    for (const action of ends) await this.attempts.end(writing, live, action, now);
    if (state === 'stopped') await this.writes.moveTasks(writing, runId, { from: ['held', 'waiting'] }, 'stopped');
    if (state === 'failed' && live.unusable !== undefined) {
      await this.writes.moveOpenAttempts(writing, runId, 'lost', live.unusable, now.toISOString());
      for (const index of live.indexesIn('running')) moves.set(index, moves.get(index) ?? 'waiting');
      await this.writes.moveTasks(writing, runId, { from: ['running'] }, 'waiting');
    }
    if (state !== live.facts.state) await this.writes.moveRun(writing, runId, state, timesOf(live, state, now));
    const ordered = await this.attempts.order(writing, live, next, now);
    await this.writes.setCounts(writing, runId, live.countsAfter(moves));
    if (ends.length > 0) this.fault('before-task-commit');
    return ordered;
  }

  /** Takes into mind what is written. */
  #apply(live: LiveRun, news: RunnerNews, { state, ends, moves }: Step): void {
    for (const action of ends) {
      live.flights.delete(action.index);
      if (action.kind === 'succeed') live.countDurations(action.claim.durationSeconds, 1);
    }
    for (const [index, { at }] of news.started) {
      const flight = live.flights.get(index);
      if (flight) flight.startedAt = at;
    }
    live.apply(moves);
    live.facts.state = state;
  }

  #submit(live: LiveRun, ordered: readonly OrderedTask[], more: boolean): void {
    for (const { order, failures, losses } of ordered) {
      const { index, attempt, resources } = order;
      live.notBefore.delete(index);
      live.flights.set(index, { index, attempt, resources, failures, losses, startedAt: null, progress: null });
    }
    this.fault('before-submit');
    this.runner.submit(
      live.order,
      ordered.map(({ order }) => order),
      more
    );
    this.fault('after-submit');
  }

  async #arrive(hand: Hand): Promise<void> {
    const { id: runId, state } = hand.live.facts;
    this.logger.info({ runId, state }, 'run');
    if (state === 'awaiting-release') void this.end.rest(runId);
    if (hasEnded(state)) return await this.end.letGo(hand);
    await this.events.runChanged(hand);
    if (state === 'publishing') await this.#publish(hand);
    // What follows from a state shows at the next look, as that the trial of a starting run has nothing to do.
    else this.hands.wake(hand, afterStateMs);
  }

  async #writePlan(hand: Hand): Promise<void> {
    const { live } = hand;
    try {
      await this.orders.writePlan(live.id);
      hand.planned = true;
    } catch (error) {
      if (passes(error)) throw error;
      this.logger.error({ runId: live.id, err: error }, 'the plan of a run could not be written');
      live.unusable = `The run could not start: ${plainReason(error)}`;
    }
  }

  async #publish(hand: Hand): Promise<void> {
    const { live } = hand;
    const runId = live.id;
    this.fault('after-publishing-commit');
    let missing: number[];
    try {
      missing = await this.publisher.publish(runId);
    } catch (error) {
      if (passes(error)) throw error;
      this.logger.error({ runId, err: error }, 'a run could not be published');
      await this.#endUnpublished(hand, `What the run made could not be published: ${plainReason(error)}`);
      return;
    }
    if (missing.length === 0) {
      live.facts.state = 'succeeded';
      this.logger.info({ runId, state: 'succeeded' }, 'run');
      await this.end.letGo(hand);
      return;
    }
    this.logger.warn({ runId, tasks: missing.length }, 'objects of tasks are missing; they run again');
    if (++live.timesVanished > vanishingsAllowed) {
      const what = `What ${missing.length === 1 ? 'a task' : `${missing.length} tasks`} made was gone from the object store ${live.timesVanished} times.`;
      await this.#endUnpublished(hand, what);
      return;
    }
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
    await this.events.runChanged(hand);
    this.hands.wake(hand, 0);
  }

  async #endUnpublished(hand: Hand, why: string): Promise<void> {
    const failure = `${why} Nothing is lost: publish it again once that is mended.`;
    await this.writes.moveRun(this.database, hand.live.id, 'failed', { failure, finishedAt: new Date().toISOString() });
    hand.live.facts.state = 'failed';
    await this.end.letGo(hand);
  }
}

/** Whether the run goes on by itself when that has ended, as when a store is started again. */
function passes(error: unknown): boolean {
  return error instanceof ProblemError && error.code === 'STORE_UNAVAILABLE';
}

/** When the run started or ended, with the state that says so. */
function timesOf(live: LiveRun, state: RunState, now: Date): Partial<Tables['run']> {
  const at = now.toISOString();
  if (live.facts.state === 'starting' && (state === 'running' || state === 'publishing')) return { startedAt: at };
  if (state === 'failed') return { finishedAt: at, failure: live.unusable ?? null };
  return hasEnded(state) ? { finishedAt: at } : {};
}

function plainReason(error: unknown): string {
  if (error instanceof ProblemError) return error.detail;
  return isDiskFull(error) ? 'There is no room left on the disk.' : 'The server made a mistake; its log says which.';
}
