import type { Logger } from 'pino';
import type { Runner } from '../runner/runner.js';
import type { Publisher } from './publish.js';
import { attemptKey } from './reconcile.js';
import type { RunEvents } from './run-events.js';
import type { Hand, RunsInHand } from './runs-in-hand.js';

/** Ends what a run keeps busy: its processes when it is stopped, and all that it leaves behind when it has ended. */
export class RunEnd {
  constructor(
    private readonly hands: RunsInHand,
    private readonly events: RunEvents,
    private readonly publisher: Publisher,
    private readonly runner: Runner,
    private readonly logger: Logger
  ) {}

  /** Ends the processes of a run that is stopping, after which it is looked at. */
  async stopProcesses(hand: Hand): Promise<void> {
    const runId = hand.live.id;
    await this.runner
      .stop(runId)
      .catch((error: unknown) => this.logger.error({ runId, err: error }, 'a run could not be stopped well'));
    const { live } = hand;
    for (const flight of live.flights.values()) {
      const key = attemptKey(flight);
      if (live.news.reports.has(key)) continue;
      live.news.gone.set(key, { detail: 'The run was stopped.', exitKind: 'worker-lost' });
    }
    this.hands.wake(hand, 0);
  }

  /** Lets go of a run that has ended. */
  async letGo(hand: Hand): Promise<void> {
    await this.events.runChanged(hand);
    this.hands.putDown(hand);
    this.tidy(hand.live.id);
  }

  /** Lets go of what a run keeps ready, while it waits for a person. */
  async rest(runId: string): Promise<void> {
    await this.runner
      .finish(runId)
      .catch((error: unknown) => this.logger.warn({ runId, err: error }, 'what a run keeps ready could not be let go'));
  }

  /** Removes what a run that has ended left behind; what fails is tried again at the next start. */
  tidy(runId: string): void {
    void this.#tidy(runId).catch((error: unknown) => {
      if (!this.hands.closing) this.logger.warn({ runId, err: error }, 'what a run left behind could not be removed');
    });
  }

  async #tidy(runId: string): Promise<void> {
    await this.runner.finish(runId);
    await this.publisher.removeGarbage(runId);
  }
}
