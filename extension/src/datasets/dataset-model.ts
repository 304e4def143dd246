import type { Dataset, DatasetVersion, Query, Shard } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { isAborted } from '../api/client';
import type { ILabscale } from '../tokens';
import { splitSearchText } from './search-text';
import { ShardPages } from './shard-pages';

/** A row of the tree dataset > version > saved queries > shards. */
export type DatasetRow = { key: string; level: number } & (
  | { kind: 'dataset'; dataset: Dataset; expanded: boolean }
  | { kind: 'version'; dataset: Dataset; version: DatasetVersion; expanded: boolean }
  | { kind: 'query'; dataset: Dataset; version: DatasetVersion; query: Query; expanded: boolean }
  | { kind: 'shard'; dataset: Dataset; version: DatasetVersion; shard: Shard; query: Query | null }
  | { kind: 'loading' }
  | { kind: 'failed'; error: unknown; retry: () => void }
  | { kind: 'nothing'; what: 'shards' }
  | { kind: 'more' }
);

/** What a branch needs beneath it; `count` rows from `row`. */
interface IStretch {
  start: number;
  count: number;
  row: (offset: number) => DatasetRow;
}

interface IChildren<T> {
  items: T[] | null;
  error: unknown;
}

const datasetPage = 100;

/** The tree of the sidebar: what is open, what is fetched, and which row stands where; it draws nothing. */
export class DatasetModel implements IDisposable {
  constructor(private readonly _labscale: ILabscale) {}

  /** Emitted when rows, selection or state changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  /** True until the first answer. */
  get loading(): boolean {
    return this._datasets === null && this._error === null;
  }
  get error(): unknown {
    return this._error;
  }
  get datasets(): readonly Dataset[] {
    return this._datasets ?? [];
  }
  get search(): string {
    return this._search;
  }
  get rowCount(): number {
    return this._rowCount;
  }
  get selectedIndex(): number | null {
    return this._selectedIndex;
  }
  get selected(): DatasetRow | null {
    return this._selectedIndex === null ? null : this.row(this._selectedIndex);
  }

  /** True where the folder of a dataset has changed since its latest version, null where nobody has looked. */
  isOutdated(datasetId: string): boolean | null {
    return this._outdated.get(datasetId) ?? null;
  }
  setOutdated(datasetId: string, outdated: boolean): void {
    if (this._outdated.get(datasetId) === outdated) return;
    this._outdated.set(datasetId, outdated);
    this._changed.emit();
  }

  /** Starts to fetch and to listen, until `pause`; what was fetched before is brought up to date. */
  resume(): void {
    if (this._listening || this.isDisposed) return;
    const { events } = this._labscale;
    this._listening = new DisposableSet();
    this._listening.add(
      events.on('changed', (event) => {
        if (event.noun === 'dataset') this._refreshSoon();
        else if (event.noun === 'query') this._forgetQueries();
      })
    );
    this._listening.add(events.on('indexing', (event) => this._setVersion(event.version)));
    this._listening.add(events.on('reset', () => void this.refresh()));
    void this.refresh();
  }

  /** Stops to listen: nobody looks. */
  pause(): void {
    this._listening?.dispose();
    this._listening = null;
  }

  setSearch(text: string): void {
    if (text === this._search) return;
    this._search = text;
    this._dropShards();
    this._layOut();
    this._refreshSoon();
  }

  async refresh(): Promise<void> {
    this._abort?.abort();
    const abort = (this._abort = new AbortController());
    const { words } = splitSearchText(this._search);
    try {
      const datasets: Dataset[] = [];
      let cursor: string | undefined;
      do {
        const page = await this._labscale.client.call('listDatasets', {
          query: { search: words || undefined, cursor, limit: datasetPage },
          signal: abort.signal
        });
        datasets.push(...page.items);
        cursor = page.nextCursor ?? undefined;
      } while (cursor !== undefined);
      this._setDatasets(datasets);
      this._error = null;
    } catch (error) {
      if (isAborted(error)) return;
      this._error = error;
    }
    this._layOut();
  }

  select(index: number | null): void {
    this._selectedIndex = index;
    this._selectedKey = index === null ? null : this.row(index).key;
    this._changed.emit();
  }

  /** Opens or closes a branch. */
  expand(index: number, expanded: boolean): void {
    const { key } = this.row(index);
    if (expanded) this._expanded.add(key);
    else this._expanded.delete(key);
    this._layOut();
  }

  /** Opens a dataset in the tree and selects it. */
  revealDataset(datasetId: string): void {
    const index = this._stretches.find((one) => one.row(0).key === datasetId)?.start;
    if (index !== undefined) this.select(index);
  }

  row(index: number): DatasetRow {
    let low = 0;
    let high = this._stretches.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this._stretches[middle]?.start ?? 0) <= index) low = middle;
      else high = middle - 1;
    }
    const stretch = this._stretches[low];
    if (!stretch) throw new RangeError(`There is no row ${index}`);
    return stretch.row(index - stretch.start);
  }

  /** Fetches what the rows from `first` to `last` need. */
  ensure(first: number, last: number): void {
    for (const [key, pages] of this._shards) {
      const stretch = this._shardStretches.get(key);
      if (!stretch) continue;
      const end = Math.min(last, stretch.start + stretch.count - 1);
      if (end >= first && end >= stretch.start) void pages.ensure(end - stretch.start);
    }
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }
  dispose(): void {
    if (this._isDisposed) return;
    this._isDisposed = true;
    this.pause();
    this._abort?.abort();
    window.clearTimeout(this._refreshTimer);
    this._dropShards();
    Signal.clearData(this);
  }

  /** Once for a burst of events or keystrokes. */
  private _refreshSoon(): void {
    window.clearTimeout(this._refreshTimer);
    this._refreshTimer = window.setTimeout(() => void this.refresh(), 200);
  }

  private _setDatasets(datasets: Dataset[]): void {
    const before = new Map(this._datasets?.map((dataset) => [dataset.id, dataset]));
    for (const dataset of datasets) {
      const old = before.get(dataset.id);
      if (!old || old.latestVersion.id === dataset.latestVersion.id) continue;
      this._versions.delete(dataset.id);
      this._outdated.delete(dataset.id);
    }
    this._datasets = datasets;
  }

  private _setVersion(version: DatasetVersion): void {
    const dataset = this._datasets?.find((one) => one.id === version.datasetId);
    if (!dataset) {
      this._refreshSoon();
      return;
    }
    if (dataset.latestVersion.id === version.id) dataset.latestVersion = version;
    else this._refreshSoon();
    const versions = this._versions.get(dataset.id)?.items;
    const at = versions?.findIndex((one) => one.id === version.id) ?? -1;
    if (versions && at >= 0) versions[at] = version;
    // Its shards are listed only when all of them are known.
    for (const key of [...this._shards.keys()]) if (key.startsWith(`${version.id}/`)) this._dropShards(key);
    this._layOut();
  }

  private _forgetQueries(): void {
    this._queries.clear();
    this._layOut();
  }

  private _dropShards(only?: string): void {
    for (const [key, pages] of [...this._shards]) {
      if (only !== undefined && key !== only) continue;
      pages.dispose();
      this._shards.delete(key);
    }
  }

  /** Finds anew which row stands where; fetches what an open branch misses. */
  private _layOut(): void {
    const stretches: IStretch[] = [];
    this._shardStretches.clear();
    let start = 0;
    const add = (count: number, row: (offset: number) => DatasetRow): IStretch => {
      const stretch = { start, count, row };
      stretches.push(stretch);
      start += count;
      return stretch;
    };
    const one = (row: DatasetRow) => add(1, () => row);
    const { filter } = splitSearchText(this._search);

    const addShards = (dataset: Dataset, version: DatasetVersion, query: Query | null, level: number) => {
      const key = `${version.id}/${query?.id ?? ''}`;
      const terms = [query?.filter ?? '', filter].filter((term) => term !== '').join(' ');
      let pages = this._shards.get(key);
      if (!pages) {
        pages = new ShardPages(this._labscale.client, version.id, terms);
        pages.changed.connect(() => this._layOut());
        this._shards.set(key, pages);
        void pages.ensure(0);
      }
      const shards = pages;
      if (shards.error !== null && shards.loaded === 0) {
        one({ kind: 'failed', key: `${key}/failed`, level, error: shards.error, retry: () => void shards.retry() });
      } else if (shards.total === null) {
        one({ kind: 'loading', key: `${key}/loading`, level });
      } else if (shards.total === 0) {
        one({ kind: 'nothing', key: `${key}/nothing`, level, what: 'shards' });
      } else {
        const stretch = add(shards.total, (offset) => {
          const shard = shards.get(offset);
          return shard
            ? { kind: 'shard', key: `${key}/${shard.key}`, level, dataset, version, shard, query }
            : { kind: 'more', key: `${key}#${offset}`, level };
        });
        this._shardStretches.set(key, stretch);
      }
    };

    for (const dataset of this._datasets ?? []) {
      const datasetOpen = this._expanded.has(dataset.id);
      one({ kind: 'dataset', key: dataset.id, level: 1, dataset, expanded: datasetOpen });
      if (!datasetOpen) continue;
      const versions = this._children(this._versions, dataset.id, async () =>
        this._all((cursor) =>
          this._labscale.client.call('listDatasetVersions', { params: { datasetId: dataset.id }, query: { cursor } })
        )
      );
      if (versions.error !== null) {
        const retry = () => this._retry(this._versions, dataset.id);
        one({ kind: 'failed', key: `${dataset.id}/failed`, level: 2, error: versions.error, retry });
      } else if (versions.items === null) one({ kind: 'loading', key: `${dataset.id}/loading`, level: 2 });
      for (const version of versions.items ?? []) {
        const versionOpen = this._expanded.has(version.id);
        one({ kind: 'version', key: version.id, level: 2, dataset, version, expanded: versionOpen });
        if (!versionOpen || version.indexing.state !== 'ready') continue;
        const queries = this._children(this._queries, dataset.id, async () =>
          this._all((cursor) =>
            this._labscale.client.call('listQueries', { params: { datasetId: dataset.id }, query: { cursor } })
          )
        );
        for (const query of queries.items ?? []) {
          const key = `${version.id}/${query.id}/`;
          const queryOpen = this._expanded.has(key);
          one({ kind: 'query', key, level: 3, dataset, version, query, expanded: queryOpen });
          if (queryOpen) addShards(dataset, version, query, 4);
        }
        addShards(dataset, version, null, 3);
      }
    }
    this._stretches = stretches;
    this._rowCount = start;
    this._findSelected();
    this._changed.emit();
  }

  private _findSelected(): void {
    const before = this._selectedIndex;
    const key = this._selectedKey;
    this._selectedIndex = key === null ? null : this._find(key);
    // Who went on to what was still being fetched goes on to what came.
    if (this._selectedIndex !== null || before === null || before >= this._rowCount || !key?.endsWith('/loading'))
      return;
    this._selectedIndex = before;
    this._selectedKey = this.row(before).key;
  }

  private _find(key: string): number | null {
    const at = this._selectedIndex;
    if (at !== null && at < this._rowCount && this.row(at).key === key) return at;
    for (const stretch of this._stretches) {
      if (stretch.count === 1 && stretch.row(0).key === key) return stretch.start;
    }
    for (const [prefix, stretch] of this._shardStretches) {
      if (!key.startsWith(`${prefix}/`)) continue;
      const offset = this._shards.get(prefix)?.indexOf(key.slice(prefix.length + 1)) ?? -1;
      if (offset >= 0) return stretch.start + offset;
    }
    return null;
  }

  private _children<T>(known: Map<string, IChildren<T>>, id: string, fetch: () => Promise<T[]>): IChildren<T> {
    const found = known.get(id);
    if (found) return found;
    const children: IChildren<T> = { items: null, error: null };
    known.set(id, children);
    fetch().then(
      (items) => {
        children.items = items;
        if (known.get(id) === children) this._layOut();
      },
      (error: unknown) => {
        children.error = error;
        if (known.get(id) === children) this._layOut();
      }
    );
    return children;
  }

  private _retry<T>(known: Map<string, IChildren<T>>, id: string): void {
    known.delete(id);
    this._layOut();
  }

  private async _all<T>(
    fetch: (cursor: string | undefined) => Promise<{ items: T[]; nextCursor: string | null }>
  ): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const page = await fetch(cursor);
      items.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return items;
  }

  private readonly _changed = new Signal<this, void>(this);
  private _refreshTimer = 0;
  private readonly _expanded = new Set<string>();
  private readonly _versions = new Map<string, IChildren<DatasetVersion>>();
  private readonly _queries = new Map<string, IChildren<Query>>();
  private readonly _shards = new Map<string, ShardPages>();
  private readonly _shardStretches = new Map<string, IStretch>();
  private readonly _outdated = new Map<string, boolean>();
  private _listening: DisposableSet | null = null;
  private _abort: AbortController | null = null;
  private _datasets: Dataset[] | null = null;
  private _error: unknown = null;
  private _search = '';
  private _stretches: IStretch[] = [];
  private _rowCount = 0;
  private _selectedIndex: number | null = null;
  private _selectedKey: string | null = null;
  private _isDisposed = false;
}
