import type { Run } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { isAborted, type LabscaleClient } from '../api/client';
import type { EventStream } from '../api/event-stream';

const pageLimit = 50;

/** Runs, newest first, kept live by events; reads only while it is resumed. */
export class RunListModel implements IDisposable {
  constructor(
    private readonly _client: Pick<LabscaleClient, 'call'>,
    private readonly _events: Pick<EventStream, 'on'>
  ) {}

  loading = true;
  error: unknown = null;
  search = '';
  runs: readonly Run[] = [];
  total = 0;
  selectedId: string | null = null;

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  get selected(): Run | null {
    return this.runs.find(({ id }) => id === this.selectedId) ?? null;
  }

  resume(): void {
    if (this._listening !== null || this._disposed) return;
    this._listening = DisposableSet.from([
      this._events.on('run', ({ run }) => this.take(run)),
      this._events.on('tasks', ({ runId, runState, counts }) => {
        const run = this.runs.find(({ id }) => id === runId);
        if (run) this.take({ ...run, state: runState, counts });
      }),
      this._events.on('reset', () => void this.refresh())
    ]);
    void this.refresh();
  }

  pause(): void {
    this._listening?.dispose();
    this._listening = null;
    window.clearTimeout(this._timer);
    this._abort?.abort();
    this._told = null;
  }

  /** A run as it is now; a new one goes to the top, unless a search is on. */
  take(run: Run): void {
    this._told?.set(run.id, run);
    const at = this.runs.findIndex(({ id }) => id === run.id);
    if (at >= 0) this.runs = this.runs.map((one, index) => (index === at ? run : one));
    else if (this.search.trim() === '') {
      this.runs = [run, ...this.runs];
      this.total += 1;
    }
    this._changed.emit();
  }

  setSearch(search: string): void {
    this.search = search;
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this.refresh(), 200);
    this._changed.emit();
  }

  select(id: string | null): void {
    this.selectedId = id;
    this._changed.emit();
  }

  async refresh(): Promise<void> {
    this._abort?.abort();
    const { signal } = (this._abort = new AbortController());
    const told = (this._told = new Map<string, Run>());
    try {
      const limit = Math.min(1_000, Math.max(pageLimit, this.runs.length));
      const page = await this._client.call('listRuns', { query: this._query(limit), signal });
      this.runs = page.items;
      this.total = page.total;
      // What was told while the list was read is as new as the list, or newer.
      this._told = null;
      told.forEach((run) => this.take(run));
      this._cursor = page.nextCursor;
      this.error = null;
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      this._told = null;
      this.error = error;
    }
    this.loading = false;
    this._changed.emit();
  }

  /** Reads the next page, where there is one. */
  async more(): Promise<void> {
    if (this._cursor === null || this._reading) return;
    this._reading = true;
    try {
      const query = { ...this._query(pageLimit), cursor: this._cursor };
      const page = await this._client.call('listRuns', { query });
      const known = new Set(this.runs.map(({ id }) => id));
      this.runs = [...this.runs, ...page.items.filter(({ id }) => !known.has(id))];
      this._cursor = page.nextCursor;
    } catch (error) {
      this.error = error;
    }
    this._reading = false;
    this._changed.emit();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }
  dispose(): void {
    if (this._disposed) return;
    this.pause();
    this._disposed = true;
    Signal.clearData(this);
  }

  private _query(limit: number) {
    const search = this.search.trim();
    return { limit, ...(search === '' ? {} : { search }) };
  }

  private readonly _changed = new Signal<this, void>(this);
  private _listening: IDisposable | null = null;
  private _abort: AbortController | null = null;
  /** While the list is read: the runs that events tell of. */
  private _told: Map<string, Run> | null = null;
  private _cursor: string | null = null;
  private _reading = false;
  private _timer = 0;
  private _disposed = false;
}
