import type { Operations, Run, ServerEvent, TaskColumns, TaskState } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { LabscaleClient } from '../api/client';
import type { EventStream, ServerEventOf } from '../api/event-stream';
import { applyTaskChanges, parseTaskStates, settledCount, taskStateList } from './task-states';

type FailureGroups = Operations['listFailures']['result']['items'];

/** Shortest pause between two readings of the columns while tasks end, and how many times the last reading took. */
const shortestPauseMs = 2_000;
const pauseFactor = 5;

export const endedStates: ReadonlySet<Run['state']> = new Set(['succeeded', 'failed', 'stopped']);

/**
 * One run as it goes: its head, the state of every task, the columns for charts and table, the failure groups.
 *
 * It listens and reads only while `active`. Made active again it reads everything anew, since events may be missed.
 */
export class RunModel implements IDisposable {
  constructor(
    readonly runId: string,
    private readonly _client: Pick<LabscaleClient, 'call'>,
    private readonly _events: Pick<EventStream, 'on'>
  ) {}

  run: Run | null = null;
  /** One byte a task; changed in place, with `tasksChanged`. */
  states: Uint8Array = new Uint8Array(0);
  /** Of running tasks that tell it, 0 to 1. */
  readonly progress = new Map<number, number>();
  columns: TaskColumns | null = null;
  failures: FailureGroups = [];
  loading = true;
  error: unknown = null;

  /** Anything but single tasks. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  /** States or progress of tasks. */
  get tasksChanged(): ISignal<this, void> {
    return this._tasksChanged;
  }

  stateOf(index: number): TaskState | null {
    const place = this.states[index];
    return place === undefined ? null : (taskStateList[place] ?? null);
  }

  setActive(active: boolean): void {
    if (active === (this._listening !== null) || this._disposed) return;
    if (!active) {
      this._listening?.dispose();
      this._listening = null;
      window.clearTimeout(this._timer);
      return;
    }
    this._listening = DisposableSet.from([
      this._events.on('run', (event) => event.run.id === this.runId && this._take(event)),
      this._events.on('tasks', (event) => event.runId === this.runId && this._take(event)),
      this._events.on('reset', () => void this.load())
    ]);
    void this.load();
  }

  /** Reads everything; events that come meanwhile wait, so that what is read never undoes them. */
  async load(): Promise<void> {
    const round = (this._round += 1);
    this._waiting = [];
    const input = { params: { runId: this.runId } };
    try {
      const [run, states] = await Promise.all([
        this._client.call('getRun', input),
        this._client.call('getTaskStates', input)
      ]);
      if (round !== this._round || this._disposed) return;
      this.states = parseTaskStates(states);
      this.progress.clear();
      this.run = run;
      this.error = null;
    } catch (error) {
      if (round !== this._round || this._disposed) return;
      this.error = error;
    }
    const waiting = this._waiting;
    this._waiting = null;
    this.loading = false;
    if (this.run !== null) waiting.forEach((event) => this._take(event));
    this._tasksChanged.emit();
    this._changed.emit();
    if (this.error === null) await this._readDetails();
  }

  /** As an operation on this run left it. */
  setRun(run: Run): void {
    this.run = run;
    this._changed.emit();
  }

  get isDisposed(): boolean {
    return this._disposed;
  }
  dispose(): void {
    if (this._disposed) return;
    this.setActive(false);
    this._disposed = true;
    Signal.clearData(this);
  }

  private _take(event: ServerEventOf<'run'> | ServerEventOf<'tasks'>): void {
    if (this._waiting !== null) {
      this._waiting.push(event);
      return;
    }
    if (event.type === 'run') {
      this.run = event.run;
    } else if (this.run !== null) {
      this.run = { ...this.run, state: event.runState, counts: event.counts };
      applyTaskChanges(this.states, event.states);
      for (const [index, progress] of Object.entries(event.progress)) this.progress.set(Number(index), progress);
      for (const index of [...this.progress.keys()]) {
        if (this.stateOf(index) !== 'running') this.progress.delete(index);
      }
      this._tasksChanged.emit();
    }
    this._changed.emit();
    this._scheduleDetails();
  }

  private _scheduleDetails(): void {
    if (this.run === null || this._listening === null) return;
    const mark = this._detailMark(this.run);
    if (mark === this._readMark || this._reading) return;
    window.clearTimeout(this._timer);
    const pause = Math.max(shortestPauseMs, this._readMs * pauseFactor) - (Date.now() - this._readAt);
    this._timer = window.setTimeout(() => void this._readDetails(), Math.max(0, pause));
  }

  /** Columns and failures can only differ when tasks have ended or were taken up again since. */
  private _detailMark(run: Run): string {
    return `${settledCount(run.counts)} ${run.counts.failed} ${run.state}`;
  }

  private async _readDetails(): Promise<void> {
    if (this.run === null || this._reading) return;
    this._reading = true;
    const mark = this._detailMark(this.run);
    const started = Date.now();
    const input = { params: { runId: this.runId } };
    try {
      const [columns, failures] = await Promise.all([
        this._client.call('getTaskColumns', input),
        this.run.counts.failed > 0 ? this._client.call('listFailures', input) : { items: [] }
      ]);
      this.columns = columns;
      this.failures = failures.items;
    } catch (error) {
      // What is shown stays; the next change of the run tries again.
      if (this.columns === null) this.error = error;
    }
    this._readMark = mark;
    this._readAt = Date.now();
    this._readMs = this._readAt - started;
    this._reading = false;
    if (this._disposed) return;
    this._changed.emit();
    this._scheduleDetails();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _tasksChanged = new Signal<this, void>(this);
  private _listening: IDisposable | null = null;
  private _waiting: Exclude<ServerEvent, { type: 'reset' | 'changed' | 'indexing' }>[] | null = null;
  private _round = 0;
  private _timer = 0;
  private _reading = false;
  private _readMark = '';
  private _readAt = 0;
  private _readMs = 0;
  private _disposed = false;
}
