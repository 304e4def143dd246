import type { EventLog } from '../events/event-log.js';
import type { Runner } from '../runner/runner.js';
import { toRun } from './run-noun.js';
import type { RunRepository } from './run-repository.js';
import type { Hand, RunsInHand } from './runs-in-hand.js';

const eventEveryMs = 200;
const runEventEveryMs = 2_000;

/** Tells those who watch what changed in a run. */
export class RunEvents {
  constructor(
    private readonly hands: RunsInHand,
    private readonly repository: RunRepository,
    private readonly runner: Runner,
    private readonly events: EventLog
  ) {}

  /** At most so many events a second, whatever happens in a run. */
  tasksChanged(hand: Hand): void {
    if (hand.eventTimer !== undefined || this.hands.closing) return;
    hand.eventTimer = setTimeout(() => {
      hand.eventTimer = undefined;
      this.#tellTasks(hand);
      if (Date.now() - hand.runEventAt >= runEventEveryMs) void this.runChanged(hand);
    }, eventEveryMs);
  }

  async runChanged(hand: Hand): Promise<void> {
    this.#tellTasks(hand);
    hand.runEventAt = Date.now();
    const { id } = hand.live;
    const row = await this.repository.find(id);
    if (row === undefined) throw new Error(`there is no run ${id}`);
    const run = toRun(row, this.hands.live(id), this.runner);
    this.events.publish(hand.live.facts.owner, { type: 'run', run });
  }

  #tellTasks({ live }: Hand): void {
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
}
