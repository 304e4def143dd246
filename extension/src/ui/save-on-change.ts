import type { WidgetTracker } from '@jupyterlab/apputils';
import type { ISignal } from '@lumino/signaling';
import type { Widget } from '@lumino/widgets';

/** Keeps for the next load of Lab where the reader of a page is now: a tracker saves it by itself only when it is opened. */
export function saveOnChange<T extends Widget>(
  tracker: WidgetTracker<T>,
  page: T,
  changed: ISignal<unknown, unknown>,
  place: () => unknown
): void {
  let saved = JSON.stringify(place());
  changed.connect(() => {
    const now = JSON.stringify(place());
    if (now === saved || page.isDisposed || !tracker.has(page)) return;
    saved = now;
    void tracker.save(page);
  });
}
