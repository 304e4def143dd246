import { Notification } from '@jupyterlab/apputils';
import type { Dataset, DatasetVersion } from '@labscale/schema';
import { DisposableSet } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { ILabscale } from '../tokens';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import { indexedPart } from './indexed-part';

/** Shows how far the indexing of dataset versions is, in a notification each, and all together for the status bar. */
export class IndexingProgress {
  constructor(
    private readonly _labscale: ILabscale,
    private readonly _open: (datasetId: string) => void
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  /** What is being indexed now. */
  get current(): { name: string; version: DatasetVersion }[] {
    return [...this._current.values()];
  }

  /** Follows a version until it is ready or has failed. */
  async follow(dataset: Dataset, version: DatasetVersion): Promise<void> {
    const { client, events, trans } = this._labscale;
    if (this._current.has(version.id)) return;
    let id: string | null = null;
    const listening = new DisposableSet();
    const see = (now: DatasetVersion) => {
      if (listening.isDisposed) return;
      const { state, done, total, detail } = now.indexing;
      if (state === 'digesting') {
        this._current.set(version.id, { name: dataset.name, version: now });
        const message = trans.__('Indexing %1: %2 of %3 shards', dataset.name, formatCount(done), formatCount(total));
        const progress = indexedPart(now.indexing);
        if (id === null) id = Notification.emit(message, 'in-progress', { autoClose: false, progress });
        else Notification.update({ id, message, progress });
      } else {
        listening.dispose();
        this._current.delete(version.id);
        // Not updated to its end: an update that comes before Lab has drawn the first one is lost.
        if (id !== null) Notification.dismiss(id);
        const actions = [{ label: trans.__('Open'), callback: () => this._open(dataset.id) }];
        if (state === 'ready') {
          const message = trans.__(
            '%1 is ready: version %2 has %3 shards, %4',
            dataset.name,
            now.number,
            formatCount(now.shardCount),
            formatSize(now.sizeBytes)
          );
          Notification.success(message, { autoClose: 5_000, actions });
        } else {
          Notification.error(trans.__('Indexing %1 failed: %2', dataset.name, detail ?? ''), {
            autoClose: false,
            actions
          });
        }
      }
      this._changed.emit();
    };
    const look = async () => see(await client.call('getDatasetVersion', { params: { versionId: version.id } }));
    listening.add(
      events.on('indexing', (event) => {
        if (event.version.id === version.id) see(event.version);
      })
    );
    listening.add(events.on('reset', () => void look()));
    see(version);
    // It may have become ready before the events were listened to.
    if (!listening.isDisposed) {
      await look().catch(() => {
        // The events go on; a server that has gone is told by the panels.
      });
    }
  }

  private readonly _current = new Map<string, { name: string; version: DatasetVersion }>();
  private readonly _changed = new Signal<this, void>(this);
}
