import type { Dataset, DatasetVersion, Query, Run, Shard } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { ApiError, isAborted } from '../api/client';
import type { ILabscale } from '../tokens';
import { ShardPages } from './shard-pages';

export type DatasetTab = 'shards' | 'versions' | 'derivatives' | 'lineage' | 'about';

/** What a dataset page shows: the dataset, one of its versions, its shards under a filter, and what was made of it. */
export class DatasetPageModel implements IDisposable {
  constructor(
    private readonly _labscale: ILabscale,
    readonly datasetId: string
  ) {}

  get changed(): ISignal<this, void> {
    return this._changed;
  }
  dataset: Dataset | null = null;
  versions: DatasetVersion[] = [];
  version: DatasetVersion | null = null;
  queries: Query[] = [];
  /** Runs over this dataset that published; null until they are asked for. */
  runs: Run[] | null = null;
  runsError: unknown = null;
  error: unknown = null;
  tab: DatasetTab = 'shards';
  shards: ShardPages | null = null;
  selectedShard: Shard | null = null;
  /** Why the filter cannot be used, or null. */
  filterProblem: string | null = null;

  get filter(): string {
    return this.shards?.filter ?? this._wishedFilter;
  }

  /** Where the reader is, as `show` takes it; a version only where it is not the latest. */
  get place(): { versionId?: string; filter?: string; tab?: DatasetTab } {
    const { version, dataset, filter, tab } = this;
    return {
      ...(version === null || version.id === dataset?.latestVersion.id ? {} : { versionId: version.id }),
      ...(filter === '' ? {} : { filter }),
      ...(tab === 'shards' ? {} : { tab })
    };
  }

  /** Fetches and listens, until `pause`. */
  resume(): void {
    if (this._listening || this._isDisposed) return;
    const { events } = this._labscale;
    this._listening = new DisposableSet();
    this._listening.add(
      events.on('changed', (event) => {
        if (event.noun === 'query') void this._fetchQueries();
        if (event.id === this.datasetId) void this.refresh();
      })
    );
    this._listening.add(
      events.on('indexing', (event) => {
        if (event.datasetId === this.datasetId) this._setVersion(event.version);
      })
    );
    this._listening.add(
      events.on('run', (event) => {
        if (this.runs !== null && event.run.dataset.id === this.datasetId && event.run.state === 'succeeded') {
          void this.fetchRuns();
        }
      })
    );
    this._listening.add(events.on('reset', () => void this.refresh()));
    void this.refresh();
  }
  pause(): void {
    this._listening?.dispose();
    this._listening = null;
  }

  async refresh(): Promise<void> {
    const { client } = this._labscale;
    const params = { datasetId: this.datasetId };
    try {
      const [dataset, versions] = await Promise.all([
        client.call('getDataset', { params }),
        client.call('listDatasetVersions', { params, query: { limit: 1_000 } })
      ]);
      if (this._isDisposed) return;
      const followedLatest = this.version === null || this.version.id === this.dataset?.latestVersion.id;
      this.dataset = dataset;
      this.versions = versions.items;
      const wished = this._wishedVersionId ?? (followedLatest ? null : (this.version?.id ?? null));
      this._wishedVersionId = null;
      this._showVersion(versions.items.find((one) => one.id === wished) ?? dataset.latestVersion);
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this._emit();
    void this._fetchQueries();
    if (this.runs !== null) void this.fetchRuns();
  }

  /** Shows a version, a filter or a shard as soon as they are known. */
  show(place: { versionId?: string; filter?: string; shardKey?: string; tab?: DatasetTab }): void {
    if (place.tab !== undefined) this.setTab(place.tab);
    if (place.filter !== undefined) this._wishedFilter = place.filter;
    if (place.shardKey !== undefined) this._wishedShard = place.shardKey;
    const version = this.versions.find((one) => one.id === place.versionId);
    if (version) this._showVersion(version);
    else if (place.versionId !== undefined) this._wishedVersionId = place.versionId;
    if (place.filter !== undefined) this.setFilter(place.filter);
    else if (place.shardKey !== undefined) void this._selectWished();
    this._emit();
  }

  setTab(tab: DatasetTab): void {
    this.tab = tab;
    if (tab === 'derivatives' && this.runs === null) void this.fetchRuns();
    this._emit();
  }

  setFilter(filter: string): void {
    this._wishedFilter = filter;
    if (!this.version || (this.shards && this.shards.filter === filter && this.shards.versionId === this.version.id)) {
      return;
    }
    void this._tryFilter(filter);
  }

  selectShard(shard: Shard | null): void {
    this.selectedShard = shard;
    this._emit();
  }

  async fetchRuns(): Promise<void> {
    try {
      const { items } = await this._labscale.client.call('listRuns', {
        query: { datasetId: this.datasetId, limit: 1_000 }
      });
      this.runs = items.filter((run) => run.derivatives !== null);
      this.runsError = null;
    } catch (error) {
      this.runsError = error;
    }
    this._emit();
  }

  /** Changes name, description or metadata; throws what the server says against it. */
  async update(change: { name?: string; description?: string; metadata?: Dataset['metadata'] }): Promise<void> {
    this.dataset = await this._labscale.client.call('updateDataset', {
      params: { datasetId: this.datasetId },
      body: change
    });
    this._emit();
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }
  dispose(): void {
    if (this._isDisposed) return;
    this._isDisposed = true;
    this.pause();
    this._trying?.abort();
    this.shards?.dispose();
    Signal.clearData(this);
  }

  private async _fetchQueries(): Promise<void> {
    try {
      const { items } = await this._labscale.client.call('listQueries', {
        params: { datasetId: this.datasetId },
        query: { limit: 1_000 }
      });
      this.queries = items;
      this._emit();
    } catch {
      // Saved queries are an extra of the filter; the page says by itself when the server has gone.
    }
  }

  private _setVersion(version: DatasetVersion): void {
    this.versions = this.versions.map((one) => (one.id === version.id ? version : one));
    if (!this.versions.some((one) => one.id === version.id)) void this.refresh();
    if (this.dataset?.latestVersion.id === version.id) this.dataset.latestVersion = version;
    if (this.version?.id === version.id) this._showVersion(version);
    this._emit();
  }

  private _showVersion(version: DatasetVersion): void {
    const before = this.version;
    this.version = version;
    if (before?.id === version.id && before.indexing.state === version.indexing.state && this.shards) return;
    if (before && before.id !== version.id) this.selectedShard = null;
    this.shards?.dispose();
    this.shards = null;
    // Its shards are listed only when all of them are known.
    if (version.indexing.state === 'ready') this._setShards(version, this._wishedFilter);
  }

  /** Keeps what is shown until the server has taken the new filter: half-typed ones are refused. */
  private async _tryFilter(filter: string): Promise<void> {
    const version = this.version;
    if (!version || version.indexing.state !== 'ready') return;
    this._trying?.abort();
    const trying = (this._trying = new AbortController());
    try {
      await this._labscale.client.call('listShards', {
        params: { versionId: version.id },
        query: { filter: filter || undefined, limit: 1 },
        signal: trying.signal
      });
      if (trying.signal.aborted) return;
      this.filterProblem = null;
      this._setShards(version, filter);
    } catch (error) {
      if (isAborted(error)) return;
      if (error instanceof ApiError && error.code === 'FILTER_INVALID') {
        this.filterProblem = [error.detail, error.mend ?? ''].join(' ').trim();
      } else this.error = error;
    }
    this._emit();
  }

  private _setShards(version: DatasetVersion, filter: string): void {
    this.shards?.dispose();
    const shards = new ShardPages(this._labscale.client, version.id, filter);
    this.shards = shards;
    shards.changed.connect(() => this._emit());
    void shards.ensure(0).then(() => this._selectWished());
  }

  private async _selectWished(): Promise<void> {
    const key = this._wishedShard;
    if (key === null || !this.version) return;
    this._wishedShard = null;
    try {
      this.selectedShard = await this._labscale.client.call('getShard', {
        params: { versionId: this.version.id },
        query: { key }
      });
    } catch (error) {
      this.error = error;
    }
    this._emit();
  }

  private _emit(): void {
    if (!this._isDisposed) this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _listening: DisposableSet | null = null;
  private _trying: AbortController | null = null;
  private _wishedVersionId: string | null = null;
  private _wishedFilter = '';
  private _wishedShard: string | null = null;
  private _isDisposed = false;
}
