import type { ServerEvent } from '@labscale/schema';

export interface LoggedEvent {
  id: string;
  owner: string;
  runId: string | undefined;
  event: ServerEvent;
}

type Listener = (logged: LoggedEvent) => void;

/**
 * Changes in order, the last ones kept so that a stream resumes where it broke. An id is `<start of this server>-<number>`:
 * one of an earlier server, or one too old, is answered with `reset`, at which a client reads anew.
 */
export class EventLog {
  readonly #start = Date.now().toString(36);
  readonly #kept: LoggedEvent[] = [];
  readonly #listeners = new Set<Listener>();
  #number = 0;

  constructor(private readonly keep = 2_000) {}

  get lastId(): string {
    return `${this.#start}-${this.#number}`;
  }

  publish(owner: string, event: ServerEvent): void {
    this.#number += 1;
    const runId = event.type === 'tasks' ? event.runId : event.type === 'run' ? event.run.id : undefined;
    const logged = { id: this.lastId, owner, runId, event };
    this.#kept.push(logged);
    if (this.#kept.length > this.keep) this.#kept.shift();
    for (const listener of this.#listeners) listener(logged);
  }

  /** The first events after `id`, or undefined where they are no longer known. */
  since(id: string, limit = this.keep): readonly LoggedEvent[] | undefined {
    const [start, text] = id.split('-');
    const number = Number(text);
    if (start !== this.#start || !Number.isInteger(number) || number < 0 || number > this.#number) return undefined;
    const missed = this.#number - number;
    if (missed > this.#kept.length) return undefined;
    const first = this.#kept.length - missed;
    return this.#kept.slice(first, first + limit);
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
