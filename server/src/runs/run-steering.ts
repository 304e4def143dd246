import type { Resources, TaskState } from '@labscale/schema';
import type { Database } from '../metadata/database.js';
import { ProblemError } from '../problem-error.js';
import type { Publisher } from './publish.js';
import type { RunEnd } from './run-end.js';
import type { RunEvents } from './run-events.js';
import { hasEnded } from './run-states.js';
import type { RunWrites } from './run-writes.js';
import type { Hand, RunsInHand } from './runs-in-hand.js';

export interface RetrySelection {
  taskIndexes?: readonly number[] | undefined;
  failureGroup?: string | undefined;
  resources?: Partial<Resources> | undefined;
}

/** What a person has a run do: begin, stop, release its trial, try failed tasks again, publish what there is. */
export class RunSteering {
  constructor(
    private readonly database: Database,
    private readonly hands: RunsInHand,
    private readonly writes: RunWrites,
    private readonly events: RunEvents,
    private readonly end: RunEnd,
    private readonly publisher: Publisher
  ) {}

  /** Begins a run whose intent is committed. */
  async begin(runId: string): Promise<void> {
    await this.hands.inTurn(runId, (hand) => this.#goOn(hand));
  }

  /** Returns when the intent to stop is committed; the processes are ended after. */
  async stop(runId: string): Promise<void> {
    if (this.hands.live(runId)?.facts.state === 'publishing') throw publishingAlready();
    await this.#steer(runId, async (hand) => {
      const { facts } = hand.live;
      if (facts.state === 'stopping') return;
      if (facts.state === 'publishing') throw publishingAlready();
      if (hasEnded(facts.state)) throw conflict(`The run has ended: it is ${facts.state}.`);
      await this.writes.moveRun(this.database, runId, 'stopping');
      facts.state = 'stopping';
      await this.events.runChanged(hand);
      void this.end.stopProcesses(hand);
    });
  }

  async release(runId: string): Promise<void> {
    await this.#steer(runId, async (hand) => {
      const { live } = hand;
      const held = live.indexesIn('held');
      if (held.length === 0 || !['running', 'awaiting-release'].includes(live.facts.state)) {
        throw conflict('No task of the run is held back.');
      }
      const moves = new Map<number, TaskState>(held.map((index) => [index, 'waiting']));
      await this.database.transaction().execute(async (writing) => {
        await this.writes.moveTasks(writing, runId, { from: ['held'] }, 'waiting');
        if (live.facts.state === 'awaiting-release') await this.writes.moveRun(writing, runId, 'running');
        await this.writes.setRun(writing, runId, { trialReleased: 1 });
        await this.writes.setCounts(writing, runId, live.countsAfter(moves));
      });
      live.apply(moves);
      live.facts.state = 'running';
      await this.#goOn(hand);
    });
  }

  /** Failed tasks run again in this run; where it could not go on at all, it goes on. */
  async retry(runId: string, selection: RetrySelection): Promise<void> {
    await this.#steer(runId, async (hand) => {
      const { live } = hand;
      const { state } = live.facts;
      if (!['running', 'awaiting-release', 'failed'].includes(state)) {
        throw conflict(
          state === 'succeeded' || state === 'publishing'
            ? 'What the run made is published; nothing can be added to it. Promote again: what is published is reused.'
            : `The run is ${state}; its tasks cannot run again. Promote again.`
        );
      }
      // Its publishing broke off behind the point of no return, as where the disk was full.
      if (state === 'failed' && (await this.publisher.hasManifest(runId))) {
        throw conflict(
          'What the run made is set down to be published; nothing can be added to it. Publish it, then promote again: what is published is reused.'
        );
      }
      const failed = await this.#findFailed(runId, selection);
      const goesOn = state === 'failed' && live.counts.waiting > 0;
      if (failed.length === 0 && !goesOn) throw conflict('No such task of the run has failed.');
      const moves = new Map<number, TaskState>(failed.map(({ index }) => [index, 'waiting']));
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
        for (const { index, resourcesJson } of failed) {
          const before = resourcesJson === null ? live.facts.resources : (JSON.parse(resourcesJson) as Resources);
          const json = selection.resources ? JSON.stringify({ ...before, ...selection.resources }) : resourcesJson;
          byResources.set(json, [...(byResources.get(json) ?? []), index]);
        }
        for (const [resourcesJson, indexes] of byResources) {
          await this.writes.moveTasks(writing, runId, { indexes }, 'waiting', { ...set, resourcesJson });
        }
        if (state !== 'running') {
          const again = { failure: null, finishedAt: null, publishPartial: 0, garbage: 1 };
          await this.writes.moveRun(writing, runId, 'running', again);
        }
        await this.writes.setCounts(writing, runId, live.countsAfter(moves));
      });
      live.apply(moves);
      live.facts.state = 'running';
      live.facts.publishPartial = false;
      await this.#goOn(hand);
    });
  }

  async #findFailed(runId: string, { taskIndexes, failureGroup }: RetrySelection) {
    let failed = this.database
      .selectFrom('task')
      .select(['index', 'resourcesJson'])
      .where('runId', '=', runId)
      .where('state', '=', 'failed');
    if (failureGroup !== undefined) failed = failed.where('failureGroup', '=', failureGroup);
    const rows = await failed.execute();
    if (taskIndexes === undefined) return rows;
    const byIndex = new Map(rows.map((row) => [row.index, row]));
    return [...new Set(taskIndexes)].map((index) => {
      const row = byIndex.get(index);
      if (row === undefined) {
        throw conflict(`Task ${index} has not failed; only failed tasks can run again.`, 'taskIndexes');
      }
      return row;
    });
  }

  /** Publishes what succeeded of a run that failed. */
  async publish(runId: string): Promise<void> {
    await this.#steer(runId, async (hand) => {
      const { facts, counts } = hand.live;
      if (facts.state !== 'failed') {
        throw conflict(`Only a run that failed is published by hand; this one is ${facts.state}.`);
      }
      if (counts.succeeded + counts.reused === 0) {
        throw conflict('No task of the run succeeded: there is nothing to publish.');
      }
      const set = { publishPartial: 1, failure: null, finishedAt: null };
      await this.writes.moveRun(this.database, runId, 'publishing', set);
      facts.state = 'publishing';
      facts.publishPartial = true;
      await this.#goOn(hand);
    });
  }

  async #goOn(hand: Hand): Promise<void> {
    this.hands.wake(hand, 0);
    await this.events.runChanged(hand);
  }

  /** A run that has ended, and does so still after it was steered, stays in nobody's hand. */
  async #steer(runId: string, act: (hand: Hand) => Promise<void>): Promise<void> {
    await this.hands.inTurn(runId, async (hand) => {
      try {
        await act(hand);
      } finally {
        if (hasEnded(hand.live.facts.state)) this.hands.putDown(hand);
      }
    });
  }
}

function conflict(detail: string, field?: string): ProblemError {
  return new ProblemError('STATE_CONFLICT', detail, field === undefined ? {} : { field });
}

function publishingAlready(): ProblemError {
  return conflict('The run is being published, which cannot be stopped.');
}
