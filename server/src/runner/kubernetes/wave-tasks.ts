import { isReportOf } from '../../runs/attempt-report.js';
import type { AttemptName, RunnerEvent } from '../runner.js';
import type { Reason } from './pod-reasons.js';
import type { Journal } from './pod-journals.js';

interface TaskInHand {
  /** The attempt that the server knows of. */
  attempt: number;
  /** That of the attempt, where it has begun. */
  pod: string | undefined;
  started: boolean;
  progress: number | null;
  ended: boolean;
}

const lostWithoutWord: Reason = {
  exitKind: 'worker-lost',
  detail:
    'Its pod was lost without a word, as when a node fails or a pod is removed by force; it was begun again in another.'
};

/** The tasks of one wave by their packs, and what is still to be told of them: each thing once, whoever says it how often. */
export class WaveTasks {
  readonly #packs: Map<number, TaskInHand>[];
  /** Packs of which nothing more can come. */
  readonly #settled = new Set<number>();
  #open = 0;

  constructor(
    private readonly runId: string,
    packs: readonly (readonly AttemptName[])[]
  ) {
    this.#packs = packs.map(
      (tasks) =>
        new Map(
          tasks.map(({ index, attempt }) => [
            index,
            { attempt, pod: undefined, started: false, progress: null, ended: false }
          ])
        )
    );
    for (const tasks of packs) this.#open += tasks.length;
  }

  get packs(): number {
    return this.#packs.length;
  }

  /** Tasks whose end was not told. */
  get open(): number {
    return this.#open;
  }

  isSettled(pack: number): boolean {
    return this.#settled.has(pack);
  }

  unsettled(): number[] {
    return this.#packs.flatMap((_, pack) => (this.#settled.has(pack) ? [] : [pack]));
  }

  hasOpen(pack: number): boolean {
    return [...(this.#packs[pack]?.values() ?? [])].some(({ ended }) => !ended);
  }

  openAttempts(): AttemptName[] {
    return this.#packs.flatMap((tasks) =>
      [...tasks].flatMap(([index, { attempt, ended }]) => (ended ? [] : [{ index, attempt }]))
    );
  }

  /** After a restart: of these tasks the server waits for an end; by what number it knows them. Returns those of the wave. */
  adopt(attempts: readonly AttemptName[]): AttemptName[] {
    const wanted = new Map(attempts.map(({ index, attempt }) => [index, attempt]));
    const taken: AttemptName[] = [];
    for (const tasks of this.#packs) {
      for (const [index, task] of tasks) {
        const attempt = wanted.get(index);
        if (attempt !== undefined && attempt >= task.attempt) {
          task.attempt = attempt;
          taken.push({ index, attempt });
        } else if (!task.ended) {
          task.ended = true;
          this.#open -= 1;
        }
      }
    }
    return taken;
  }

  get haveBegun(): boolean {
    return this.#packs.some((_, pack) => this.hasBegun(pack));
  }

  /** Whether a pod has begun any of a pack. */
  hasBegun(pack: number): boolean {
    return [...(this.#packs[pack]?.values() ?? [])].some(({ started }) => started);
  }

  /** The attempts, with their pods, in whose place a journal has others. */
  replacedIn(pack: number, journal: Journal): (AttemptName & { pod: string | undefined })[] {
    return journal.tasks.flatMap(({ index, attempt: by }) => {
      const task = this.#packs[pack]?.get(index);
      return task === undefined || task.ended || by <= task.attempt
        ? []
        : [{ index, attempt: task.attempt, pod: task.pod }];
    });
  }

  /**
   * What a pod wrote of its pack. Entries of tasks that are not its own are left out: a pod speaks for itself only.
   * `why`: what befell the pod before it, where the journal tells of attempts in the place of others.
   */
  hear(pack: number, journal: Journal, why: Reason = lostWithoutWord): RunnerEvent[] {
    const { runId } = this;
    const events: RunnerEvent[] = [];
    for (const entry of journal.tasks) {
      const task = this.#packs[pack]?.get(entry.index);
      if (task === undefined || task.ended || entry.attempt < task.attempt) continue;
      const { index, attempt } = entry;
      if (attempt > task.attempt) {
        events.push({ kind: 'replaced', runId, index, attempt: task.attempt, by: attempt, ...why });
        Object.assign(task, { attempt, started: false, progress: null });
      }
      const { report, startedAt, progress } = entry;
      task.pod = journal.pod;
      if (report !== undefined) {
        if (!isReportOf(report, runId, index) || report.attempt !== attempt) continue;
        // Its pod was asked to go: the Job begins it again in another, or is over, which is heard of then.
        if (report.state === 'stopped') continue;
        if (!task.started) {
          events.push({ kind: 'started', runId, index, attempt, at: report.startedAt, workerId: journal.pod });
        }
        task.started = true;
        task.ended = true;
        this.#open -= 1;
        events.push({ kind: 'ended', runId, index, attempt, report });
        continue;
      }
      if (!task.started && typeof startedAt === 'string' && !Number.isNaN(Date.parse(startedAt))) {
        task.started = true;
        const at = new Date(startedAt).toISOString();
        events.push({ kind: 'started', runId, index, attempt, at, workerId: journal.pod });
      }
      if (typeof progress === 'number' && progress >= 0 && progress <= 1 && progress !== task.progress) {
        task.progress = progress;
        events.push({ kind: 'progress', runId, index, attempt, progress });
      }
    }
    return events;
  }

  /** Nothing more comes of these packs: those of their tasks that have not ended are gone, where `final` for good. */
  settle(packs: readonly number[], { detail, exitKind }: Pick<Reason, 'detail'> & Partial<Reason>, final = false) {
    const attempts: AttemptName[] = [];
    for (const pack of packs) {
      this.#settled.add(pack);
      for (const [index, task] of this.#packs[pack] ?? []) {
        if (task.ended) continue;
        task.ended = true;
        this.#open -= 1;
        attempts.push({ index, attempt: task.attempt });
      }
    }
    if (attempts.length === 0) return [];
    const { runId } = this;
    const gone: RunnerEvent = {
      kind: 'gone',
      runId,
      attempts,
      detail,
      ...(exitKind && { exitKind }),
      ...(final && { final })
    };
    return [gone];
  }
}

/** The indexes in `0-3,5`, as a Job lists those that are done. */
export function parseIndexes(text: string | undefined): number[] {
  if (text === undefined || text === '') return [];
  return text.split(',').flatMap((range) => {
    const [from, to] = range.split('-').map(Number);
    return Array.from({ length: (to ?? from!) - from! + 1 }, (_, place) => from! + place);
  });
}
