import { OneAtATime } from '../one-at-a-time.js';
import type { LiveRun } from './live-run.js';
import type { RunRepository } from './run-repository.js';

/** A run that this server carries on, and what it is to do about it later. */
export interface Hand {
  live: LiveRun;
  timer: NodeJS.Timeout | undefined;
  timerAt: number;
  eventTimer: NodeJS.Timeout | undefined;
  runEventAt: number;
  /** Whether this server has written its plan. */
  planned: boolean;
}

/** The runs that this server carries on: each in its turns, and looked at again when it is time. */
export class RunsInHand {
  readonly #hands = new Map<string, Hand>();
  readonly #turns = new OneAtATime();
  #look: (hand: Hand) => Promise<void> = async () => {};
  #closing = false;

  constructor(private readonly repository: RunRepository) {}

  get closing(): boolean {
    return this.#closing;
  }

  /** What is done to a run, in its turn, when it is woken. */
  onWake(look: (hand: Hand) => Promise<void>): void {
    this.#look = look;
  }

  find(runId: string): Hand | undefined {
    return this.#hands.get(runId);
  }

  /** A run that is in hand; undefined where nothing goes on with it. */
  live(runId: string): LiveRun | undefined {
    return this.#hands.get(runId)?.live;
  }

  /** Takes a run in hand, where it is not yet, and does one thing to it after another. */
  async inTurn(runId: string, act: (hand: Hand) => Promise<void>): Promise<void> {
    await this.#turns.run(runId, async () => act(await this.#take(runId)));
  }

  async #take(runId: string): Promise<Hand> {
    let hand = this.#hands.get(runId);
    if (hand === undefined) {
      const live = await this.repository.load(runId);
      hand = { live, timer: undefined, timerAt: 0, eventTimer: undefined, runEventAt: 0, planned: false };
      this.#hands.set(runId, hand);
    }
    return hand;
  }

  /** Has a run looked at in so many milliseconds, or before. */
  wake(hand: Hand, inMs: number): void {
    if (this.#closing) return;
    const at = Date.now() + inMs;
    if (hand.timer !== undefined && hand.timerAt <= at) return;
    clearTimeout(hand.timer);
    hand.timerAt = at;
    hand.timer = setTimeout(() => {
      hand.timer = undefined;
      void this.#turns.run(hand.live.id, async () => {
        if (this.#hands.get(hand.live.id) === hand) await this.#look(hand);
      });
    }, inMs);
  }

  putDown(hand: Hand): void {
    clearTimeout(hand.timer);
    clearTimeout(hand.eventTimer);
    this.#hands.delete(hand.live.id);
  }

  /** Begins nothing more; resolves when what is being done has ended. */
  async close(): Promise<void> {
    this.#closing = true;
    for (const hand of this.#hands.values()) {
      clearTimeout(hand.timer);
      clearTimeout(hand.eventTimer);
    }
    await this.#turns.settled();
  }
}
