import { Notification } from '@jupyterlab/apputils';
import type { IStateDB } from '@jupyterlab/statedb';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { Run } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { ApiError, type LabscaleClient } from '../api/client';
import type { EventStream } from '../api/event-stream';
import { newestRun } from './newest-run';
import { endedStates } from './run-model';
import { countsText, settledPart } from './run-text';

const stateKey = 'jupyterlab-labscale:watched-runs';

export interface IRunWatchOptions {
  client: Pick<LabscaleClient, 'call'>;
  events: Pick<EventStream, 'on'>;
  trans: TranslationBundle;
  /** Where the ids of the watched runs outlive a reload; null keeps them in memory. */
  state: IStateDB | null;
  open: (runId: string) => void;
  openResults: (run: Run) => void;
}

/**
 * Follows the runs that were started here: progress in a notification while they go, and another when they end.
 *
 * It listens only while there is such a run: Lab starts without a word to the labscale server.
 */
export class RunWatch implements IDisposable {
  constructor(private readonly _options: IRunWatchOptions) {}

  /** Runs that are going, by id. */
  readonly runs = new Map<string, Run>();

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Takes up the runs that were going when the page was left. */
  async restore(): Promise<void> {
    const ids = await this._options.state?.fetch(stateKey);
    if (!Array.isArray(ids)) return;
    for (const runId of ids) if (typeof runId === 'string') await this._read(runId);
  }

  watch(run: Run): void {
    this._take(run);
  }

  get isDisposed(): boolean {
    return this._disposed;
  }
  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    this._listening?.dispose();
    Signal.clearData(this);
  }

  private async _read(runId: string): Promise<void> {
    try {
      const { client, events } = this._options;
      this._take(await newestRun(events, () => client.call('getRun', { params: { runId } })));
    } catch (error) {
      // Gone or not mine any more; anything else is told where somebody looks at runs.
      if (error instanceof ApiError && error.code === 'NOT_FOUND') this._forget(runId);
    }
  }

  private _take(run: Run): void {
    if (endedStates.has(run.state)) {
      this._end(run);
      return;
    }
    this.runs.set(run.id, run);
    this._show(run);
    this._settle();
  }

  private _forget(runId: string): void {
    this.runs.delete(runId);
    this._settle();
  }

  private _show(run: Run): void {
    const { trans, open } = this._options;
    const waits = run.state === 'awaiting-release';
    const type = waits ? ('info' as const) : ('in-progress' as const);
    const message = waits
      ? trans.__('%1: the trial is done, %2 tasks wait for release', run.name, run.counts.held)
      : `${run.name}: ${countsText(run.counts, trans)}`;
    const options = {
      // While it goes it is in the notification centre and the status bar, not over the page; a trial that is done asks.
      autoClose: waits ? (false as const) : 0,
      progress: settledPart(run.counts),
      actions: [{ label: trans.__('Open'), callback: () => open(run.id) }]
    };
    const known = this._notifications.get(run.id);
    if (known !== undefined && known.type === type) {
      // One that was dismissed stays away until the run ends.
      if (Notification.manager.has(known.id)) Notification.update({ id: known.id, message, ...options });
      return;
    }
    if (known !== undefined) Notification.dismiss(known.id);
    this._notifications.set(run.id, { id: Notification.emit(message, type, options), type });
  }

  private _end(run: Run): void {
    const { trans, open, openResults } = this._options;
    const known = this._notifications.get(run.id);
    if (known !== undefined) Notification.dismiss(known.id);
    this._notifications.delete(run.id);
    const message = trans.__('%1: %2', run.name, run.headline);
    const actions: Notification.IAction[] = [
      ...(run.derivatives === null
        ? []
        : [
            {
              label: trans.__('Open results'),
              displayType: 'accent' as const,
              callback: () => openResults(run)
            }
          ]),
      { label: trans.__('Show run'), callback: () => open(run.id) }
    ];
    if (run.state === 'succeeded') Notification.success(message, { autoClose: false, actions });
    else if (run.state === 'failed') Notification.error(message, { autoClose: false, actions });
    else Notification.info(message, { autoClose: 10_000, actions });
    this._forget(run.id);
  }

  private _settle(): void {
    const { events, state } = this._options;
    if (this.runs.size > 0 && this._listening === null) {
      this._listening = DisposableSet.from([
        events.on('run', ({ run }) => {
          if (this.runs.has(run.id)) this._take(run);
        }),
        events.on('tasks', ({ runId, counts }) => {
          const run = this.runs.get(runId);
          // How a run ends is told by its `run` event, which has what it published.
          if (run) this._take({ ...run, counts });
        }),
        events.on('reset', () => {
          for (const runId of [...this.runs.keys()]) void this._read(runId);
        })
      ]);
    } else if (this.runs.size === 0) {
      this._listening?.dispose();
      this._listening = null;
    }
    const ids = [...this.runs.keys()];
    if (ids.join() !== this._saved) {
      this._saved = ids.join();
      void state?.save(stateKey, ids);
    }
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private readonly _notifications = new Map<string, { id: string; type: 'info' | 'in-progress' }>();
  private _listening: IDisposable | null = null;
  private _saved = '';
  private _disposed = false;
}
