import type { Shard } from '@labscale/schema';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { isAborted, type LabscaleClient } from '../api/client';

const smallestPage = 200;
const largestPage = 1_000;

/**
 * The shards of a dataset version that fit a filter, fetched as far as somebody looks.
 *
 * Cursors only lead onwards, so the shards up to the last one in sight are fetched one page after another.
 */
export class ShardPages implements IDisposable {
  constructor(
    private readonly _client: LabscaleClient,
    readonly versionId: string,
    readonly filter: string,
    private readonly _pageSize: number = smallestPage
  ) {}

  /** Emitted when there are more shards, or an error. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }
  /** Shards that fit; null until the first answer. */
  get total(): number | null {
    return this._total;
  }
  get loaded(): number {
    return this._shards.length;
  }
  get error(): unknown {
    return this._error;
  }
  get(index: number): Shard | undefined {
    return this._shards[index];
  }
  indexOf(key: string): number {
    return this._shards.findIndex((shard) => shard.key === key);
  }

  /** Fetches up to and with this index; resolves when that is done or has failed. */
  async ensure(index: number): Promise<void> {
    this._wanted = Math.max(this._wanted, index);
    this._fetching ??= this._fetch().finally(() => {
      this._fetching = null;
    });
    await this._fetching;
  }

  /** Tries again after an error. */
  async retry(): Promise<void> {
    this._error = null;
    await this.ensure(this._wanted);
  }

  get isDisposed(): boolean {
    return this._abort.signal.aborted;
  }
  dispose(): void {
    this._abort.abort();
    Signal.clearData(this);
  }

  private async _fetch(): Promise<void> {
    while (!this.isDisposed && this._error === null && !this._ended && this._wanted >= this._shards.length) {
      // Far behind what is looked at: larger pages, so that a jump to the end takes few requests.
      const far = this._wanted - this._shards.length > this._pageSize;
      try {
        const page = await this._client.call('listShards', {
          params: { versionId: this.versionId },
          query: {
            filter: this.filter || undefined,
            cursor: this._cursor ?? undefined,
            limit: far ? largestPage : this._pageSize
          },
          signal: this._abort.signal
        });
        this._shards.push(...page.items);
        this._total = page.total;
        this._cursor = page.nextCursor;
        this._ended = page.nextCursor === null;
      } catch (error) {
        if (isAborted(error)) return;
        this._error = error;
      }
      this._changed.emit();
    }
  }

  private readonly _shards: Shard[] = [];
  private readonly _abort = new AbortController();
  private readonly _changed = new Signal<this, void>(this);
  private _cursor: string | null = null;
  private _ended = false;
  private _total: number | null = null;
  private _wanted = -1;
  private _error: unknown = null;
  private _fetching: Promise<void> | null = null;
}
