import type { Analysis, ParameterSet } from '@labscale/schema';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { isAborted, type LabscaleClient } from '../api/client';
import type { EventStream } from '../api/event-stream';

export type ParameterRow =
  | { kind: 'analysis'; analysis: Analysis; expanded: boolean; total: number | null }
  | { kind: 'set'; set: ParameterSet }
  | { kind: 'more'; analysisId: string; left: number }
  | { kind: 'none'; analysisId: string }
  | { kind: 'loading'; analysisId: string };

export type ParameterOrder = 'created' | 'name';

interface IGroup {
  items: ParameterSet[];
  total: number | null;
  nextCursor: string | null;
  loading: boolean;
}

const pageLimit = 50;
/** Groups that are open at first. */
const openAtFirst = 5;
/** Further changes within this time are read together. */
const settleMs = 400;

/** Parameter sets grouped by analysis, a page at a time; reads only while it is resumed. */
export class ParameterListModel implements IDisposable {
  constructor(
    private readonly _client: Pick<LabscaleClient, 'call'>,
    private readonly _events: Pick<EventStream, 'on'>
  ) {}

  loading = true;
  error: unknown = null;
  search = '';
  order: ParameterOrder = 'created';
  rows: ParameterRow[] = [];
  /** Id of the set or analysis that is selected. */
  selectedId: string | null = null;
  /** Ids of set versions ticked for comparing. */
  readonly ticked = new Set<string>();

  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get selectedSet(): ParameterSet | null {
    const row = this.rows.find((one) => one.kind === 'set' && one.set.id === this.selectedId);
    return row?.kind === 'set' ? row.set : null;
  }

  resume(): void {
    if (this._listening !== null || this._disposed) return;
    const later = () => {
      window.clearTimeout(this._timer);
      this._timer = window.setTimeout(() => void this.refresh(), settleMs);
    };
    this._listening = DisposableSet.from([
      this._events.on('changed', ({ noun }) => {
        if (noun === 'parameter-set' || noun === 'analysis' || noun === 'dataset') later();
      }),
      this._events.on('reset', later)
    ]);
    void this.refresh();
  }

  pause(): void {
    this._listening?.dispose();
    this._listening = null;
    window.clearTimeout(this._timer);
    this._abort?.abort();
  }

  setSearch(search: string): void {
    this.search = search;
    window.clearTimeout(this._timer);
    this._timer = window.setTimeout(() => void this.refresh(), 200);
    this._changed.emit();
  }

  setOrder(order: ParameterOrder): void {
    this.order = order;
    void this.refresh();
  }

  /** Reads what is shown anew, as much of it as was shown. */
  async refresh(): Promise<void> {
    this._abort?.abort();
    const { signal } = (this._abort = new AbortController());
    try {
      const analyses = await this._client.call('listAnalyses', { query: { limit: 200 }, signal });
      const groups = new Map<string, IGroup>();
      const search = this.search.trim();
      await Promise.all(
        analyses.items.map(async ({ id }, at) => {
          if (!this._folded.has(id) && at < openAtFirst) this._folded.set(id, false);
          if (search === '' && this._folded.get(id) !== false) return;
          const limit = Math.max(pageLimit, Math.min(1_000, this._groups.get(id)?.items.length ?? 0));
          const page = await this._client.call('listParameterSets', { query: this._query(id, limit), signal });
          groups.set(id, { items: page.items, total: page.total, nextCursor: page.nextCursor, loading: false });
        })
      );
      this._analyses =
        search === '' ? analyses.items : analyses.items.filter(({ id }) => (groups.get(id)?.total ?? 0) > 0);
      this._groups = groups;
      this.error = null;
    } catch (error) {
      if (isAborted(error) || signal.aborted) return;
      this.error = error;
    }
    this.loading = false;
    this._lay();
  }

  async setExpanded(analysisId: string, expanded: boolean): Promise<void> {
    this._folded.set(analysisId, !expanded);
    if (expanded && !this._groups.has(analysisId)) await this.more(analysisId);
    else this._lay();
  }

  /** Reads the next page of a group. */
  async more(analysisId: string): Promise<void> {
    const group = this._groups.get(analysisId) ?? { items: [], total: null, nextCursor: null, loading: false };
    if (group.loading || (group.total !== null && group.nextCursor === null)) return;
    group.loading = true;
    this._groups.set(analysisId, group);
    this._lay();
    try {
      const query = this._query(analysisId, pageLimit);
      const page = await this._client.call('listParameterSets', {
        query: group.nextCursor === null ? query : { ...query, cursor: group.nextCursor }
      });
      group.items = [...group.items, ...page.items];
      group.total = page.total;
      group.nextCursor = page.nextCursor;
    } catch (error) {
      this.error = error;
    }
    group.loading = false;
    this._lay();
  }

  select(id: string | null): void {
    this.selectedId = id;
    this._changed.emit();
  }

  toggleTick(set: ParameterSet): void {
    const { id } = set.latestVersion;
    if (!this.ticked.delete(id)) this.ticked.add(id);
    this._changed.emit();
  }

  clearTicks(): void {
    this.ticked.clear();
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

  private _query(analysisId: string, limit: number) {
    const search = this.search.trim();
    return {
      analysisId,
      limit,
      orderBy: this.order === 'name' ? 'name:asc' : 'created:desc',
      ...(search === '' ? {} : { search })
    };
  }

  private _lay(): void {
    this.rows = this._analyses.flatMap((analysis): ParameterRow[] => {
      const group = this._groups.get(analysis.id);
      const expanded = this.search.trim() !== '' || this._folded.get(analysis.id) === false;
      const head: ParameterRow = { kind: 'analysis', analysis, expanded, total: group?.total ?? null };
      if (!expanded) return [head];
      const analysisId = analysis.id;
      if (!group || (group.items.length === 0 && group.loading)) return [head, { kind: 'loading', analysisId }];
      if (group.items.length === 0) return [head, { kind: 'none', analysisId }];
      const sets = group.items.map((set): ParameterRow => ({ kind: 'set', set }));
      const left = (group.total ?? 0) - group.items.length;
      return [head, ...sets, ...(group.nextCursor === null ? [] : [{ kind: 'more', analysisId, left } as const])];
    });
    this._changed.emit();
  }

  private readonly _changed = new Signal<this, void>(this);
  private _analyses: readonly Analysis[] = [];
  private _groups = new Map<string, IGroup>();
  /** False for a group that is open. */
  private readonly _folded = new Map<string, boolean>();
  private _listening: IDisposable | null = null;
  private _abort: AbortController | null = null;
  private _timer = 0;
  private _disposed = false;
}
