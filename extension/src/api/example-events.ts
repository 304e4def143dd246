import type { ServerEvent } from '@labscale/schema';
import { DisposableDelegate } from '@lumino/disposable';
import type { EventStream } from './event-stream';

/** The events of a server, given by hand. */
export class Events implements Pick<EventStream, 'on'> {
  readonly listeners = new Map<string, Set<(event: never) => void>>();
  on(type: string, listener: (event: never) => void): DisposableDelegate {
    const listeners = this.listeners.get(type) ?? new Set();
    this.listeners.set(type, listeners.add(listener));
    return new DisposableDelegate(() => void listeners.delete(listener));
  }
  emit(event: ServerEvent): void {
    this.listeners.get(event.type)?.forEach((listener) => listener(event as never));
  }
  get heard(): boolean {
    return [...this.listeners.values()].some((listeners) => listeners.size > 0);
  }
}
