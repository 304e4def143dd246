import type { Logger } from 'pino';
import type { Runner, RunnerEvent } from '../runner/runner.js';
import { attemptKey } from './reconcile.js';
import type { RunAdvance } from './run-advance.js';
import type { RunEnd } from './run-end.js';
import type { RunEvents } from './run-events.js';
import type { RunRepository } from './run-repository.js';
import type { Hand, RunsInHand } from './runs-in-hand.js';

/** News of the runner is gathered for this long before it is written: one durable commit for all of it. */
const gatherMs = 50;
const newsAtOnce = 100;

/** Keeps runs going: takes up those of an earlier server, hears the runner, and has each run looked at when there is news. */
export class RunLoop {
  constructor(
    private readonly hands: RunsInHand,
    private readonly repository: RunRepository,
    private readonly runner: Runner,
    private readonly end: RunEnd,
    private readonly events: RunEvents,
    advance: RunAdvance,
    private readonly logger: Logger
  ) {
    hands.onWake((hand) => advance.advance(hand));
    runner.onEvent((event) => this.#hear(event));
  }

  /** Takes up every run that an earlier server left unfinished. */
  async start(): Promise<void> {
    for (const runId of await this.repository.listUnfinished()) {
      await this.hands.inTurn(runId, (hand) => this.#takeUp(hand));
    }
    for (const runId of await this.repository.listWithGarbage()) this.end.tidy(runId);
  }

  async close(): Promise<void> {
    await this.hands.close();
    await this.runner.close();
  }

  async #takeUp(hand: Hand): Promise<void> {
    const { live } = hand;
    if (live.facts.state === 'stopping') return void this.end.stopProcesses(hand);
    const adopted = new Set((await this.runner.adopt(live.order, [...live.flights.values()])).map(attemptKey));
    for (const flight of live.flights.values()) {
      const key = attemptKey(flight);
      if (adopted.has(key) || live.news.gone.has(key)) continue;
      const detail = 'Its worker ended with the server before this one.';
      live.news.gone.set(key, { detail, exitKind: 'worker-lost' });
    }
    this.logger.info(
      { runId: live.id, state: live.facts.state, open: live.flights.size, adopted: adopted.size },
      'run taken up again'
    );
    this.hands.wake(hand, 0);
  }

  #hear(event: RunnerEvent): void {
    const hand = this.hands.find(event.runId);
    if (hand === undefined) return;
    const { live } = hand;
    const { news, flights } = live;
    if (event.kind === 'unusable') {
      live.unusable = event.detail;
    } else if (event.kind === 'gone') {
      const { detail, exitKind = 'worker-lost', final = false } = event;
      for (const attempt of event.attempts) {
        if (live.attemptOf(attempt.index) !== attempt.attempt) continue;
        news.gone.set(attemptKey(attempt), { detail, exitKind, final });
      }
    } else if (event.kind === 'replaced') {
      const { index, attempt, by, detail, exitKind } = event;
      if (!flights.has(index) || live.attemptOf(index) !== attempt) return;
      news.replaced.set(index, { by, detail, exitKind });
      news.started.delete(index);
    } else if (event.kind === 'changed') {
      void this.#tellChanged(hand);
    } else {
      // An attempt that was given up before has nothing to say; what it claims is seen by who comes after it.
      if (live.attemptOf(event.index) !== event.attempt) return;
      if (event.kind === 'progress') {
        live.setProgress(event.index, event.progress);
        this.events.tasksChanged(hand);
        return;
      }
      if (event.kind === 'started') news.started.set(event.index, event);
      else news.reports.set(attemptKey(event), event.report);
    }
    const urgent = news.reports.size >= newsAtOnce || news.reports.size >= flights.size;
    this.hands.wake(hand, urgent || event.kind === 'changed' ? 0 : gatherMs);
  }

  async #tellChanged(hand: Hand): Promise<void> {
    await this.events.runChanged(hand).catch((error: unknown) => {
      this.logger.warn({ runId: hand.live.id, err: error }, 'what a run waits for could not be told');
    });
  }
}
