import { DisposableDelegate, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { ServerEvent } from '@labscale/schema';
import { isAborted, type LabscaleClient } from './client';
import { EventStreamParser } from './server-sent-events';

export type ServerEventType = ServerEvent['type'];
export type ServerEventOf<T extends ServerEventType> = Extract<ServerEvent, { type: T }>;

const firstDelayMs = 1_000;
const longestDelayMs = 30_000;

/**
 * The changes of the server, over one shared connection.
 *
 * It is open only while somebody listens and the document is visible; reopened, it goes on from the last event it saw.
 * `reset` means that events were missed: read anew what is shown.
 */
export class EventStream implements IDisposable {
  constructor(private readonly _client: LabscaleClient) {
    document.addEventListener('visibilitychange', this._settle);
  }

  /** Listens to one type of event, until the result is disposed. */
  on<T extends ServerEventType>(type: T, listener: (event: ServerEventOf<T>) => void): IDisposable {
    const listeners = this._listeners.get(type) ?? new Set();
    this._listeners.set(type, listeners);
    const entry = listener as (event: ServerEvent) => void;
    listeners.add(entry);
    this._settle();
    return new DisposableDelegate(() => {
      listeners.delete(entry);
      this._settle();
    });
  }

  /** True while the connection stands. */
  get connected(): boolean {
    return this._connected;
  }
  get connectedChanged(): ISignal<this, boolean> {
    return this._connectedChanged;
  }

  get isDisposed(): boolean {
    return this._disposed;
  }
  dispose(): void {
    if (this._disposed) return;
    this._disposed = true;
    document.removeEventListener('visibilitychange', this._settle);
    this._listeners.clear();
    this._settle();
    Signal.clearData(this);
  }

  private readonly _settle = (): void => {
    const heard = [...this._listeners.values()].some((listeners) => listeners.size > 0);
    const wanted = heard && !document.hidden && !this._disposed;
    if (wanted && this._abort === null) {
      this._abort = new AbortController();
      void this._run(this._abort.signal);
    } else if (!wanted && this._abort !== null) {
      this._abort.abort();
      this._abort = null;
      this._setConnected(false);
    }
  };

  private async _run(signal: AbortSignal): Promise<void> {
    let delayMs = firstDelayMs;
    while (!signal.aborted) {
      try {
        const headers: Record<string, string> = { Accept: 'text/event-stream' };
        if (this._lastEventId !== null) headers['Last-Event-ID'] = this._lastEventId;
        const response = await this._client.fetch('listEvents', { signal, headers });
        if (signal.aborted) return;
        this._setConnected(true);
        delayMs = firstDelayMs;
        // What was read before events were heard may have changed since, or was refused too; without a place to resume
        // from the server cannot tell.
        if (this._lastEventId === null) this._emit({ type: 'reset' });
        await this._read(response, signal);
      } catch (error) {
        if (isAborted(error) || signal.aborted) return;
      }
      if (signal.aborted) return;
      this._setConnected(false);
      await sleep(delayMs, signal);
      delayMs = Math.min(delayMs * 2, longestDelayMs);
    }
  }

  private async _read(response: Response, signal: AbortSignal): Promise<void> {
    const reader = response.body?.getReader();
    if (!reader) return;
    const decoder = new TextDecoder();
    const parser = new EventStreamParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      const events = parser.push(decoder.decode(value, { stream: true }));
      this._lastEventId = parser.lastEventId ?? this._lastEventId;
      for (const event of events) this._emit(JSON.parse(event.data) as ServerEvent);
    }
  }

  private _emit(event: ServerEvent): void {
    for (const listener of [...(this._listeners.get(event.type) ?? [])]) {
      try {
        listener(event);
      } catch (error) {
        // One listener's fault must not keep the event from the others.
        console.error(error);
      }
    }
  }

  private _setConnected(connected: boolean): void {
    if (this._connected === connected) return;
    this._connected = connected;
    this._connectedChanged.emit(connected);
  }

  private readonly _listeners = new Map<ServerEventType, Set<(event: ServerEvent) => void>>();
  private readonly _connectedChanged = new Signal<this, boolean>(this);
  private _abort: AbortController | null = null;
  private _lastEventId: string | null = null;
  private _connected = false;
  private _disposed = false;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}
