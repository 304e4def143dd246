import { Signal, type ISignal } from '@lumino/signaling';
import type { IDisposable } from '@lumino/disposable';
import { isAborted, type LabscaleClient } from '../api/client';

/** Pause between two readings while a log grows. */
const pauseMs = 1_000;
/** Characters kept in the page; a log may have 16 MiB. */
const mostKept = 2_000_000;
const partBytes = 262_144;

/** The log of one attempt, followed to its end while it is active. */
export class LogTail implements IDisposable {
  constructor(
    private readonly _client: Pick<LabscaleClient, 'call'>,
    readonly runId: string,
    readonly index: number,
    readonly attempt: number
  ) {}

  text = '';
  ended = false;
  loading = true;
  error: unknown = null;
  /** True where the page does not hold the beginning. */
  cut = false;

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  setActive(active: boolean): void {
    if (active === (this._abort !== null) || this._disposed) return;
    if (active) {
      this._abort = new AbortController();
      void this._follow(this._abort.signal);
    } else {
      this._abort?.abort();
      this._abort = null;
      window.clearTimeout(this._timer);
    }
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

  private async _follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !this.ended) {
      let grew = false;
      try {
        const part = await this._client.call('getLog', {
          params: { runId: this.runId, index: this.index, attempt: this.attempt },
          // Without an offset the last bytes come, which are what one wants to see of a long log.
          query: { limit: partBytes, ...(this._offset === null ? {} : { offset: this._offset }) },
          signal
        });
        if (signal.aborted) return;
        if (this._offset === null) this.cut = part.sizeBytes > partBytes;
        grew = part.text.length > 0;
        this._offset = part.nextOffset;
        this.ended = part.ended && part.nextOffset >= part.sizeBytes;
        this.text += part.text;
        if (this.text.length > mostKept) {
          this.text = this.text.slice(this.text.indexOf('\n', this.text.length - mostKept) + 1);
          this.cut = true;
        }
        this.error = null;
      } catch (error) {
        if (isAborted(error) || signal.aborted) return;
        this.error = error;
      }
      this.loading = false;
      this._changed.emit();
      if (this.ended || this.error !== null) return;
      if (!grew) await new Promise<void>((resolve) => (this._timer = window.setTimeout(resolve, pauseMs)));
    }
  }

  private readonly _changed = new Signal<this, void>(this);
  private _abort: AbortController | null = null;
  private _offset: number | null = null;
  private _timer = 0;
  private _disposed = false;
}
