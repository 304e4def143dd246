import type { TranslationBundle } from '@jupyterlab/translation';
import type { DatasetVersion, Shard } from '@labscale/schema';
import { DataModel } from '@lumino/datagrid';
import { formatCount } from '../ui/format-count';
import { formatSize } from '../ui/format-size';
import type { ShardPages } from './shard-pages';

interface IColumn {
  title: string;
  /** Field of a filter, where cells of this column can become one. */
  field: string | null;
  cell: (shard: Shard) => string | number | boolean;
}

/** The shards of a version as a table: key, entities, metadata, size; fetched as far as it is scrolled. */
export class ShardTableModel extends DataModel {
  constructor(
    version: DatasetVersion,
    readonly shards: ShardPages,
    trans: TranslationBundle
  ) {
    super();
    const objects = trans.__('objects');
    this.columns = [
      ...version.entityNames.map((name) => ({ title: name, field: name, cell: (s: Shard) => s.entities[name] ?? '' })),
      ...version.metadataNames.map((name) => ({
        title: name,
        field: name,
        cell: (s: Shard) => s.metadata[name] ?? ''
      })),
      { title: objects, field: null, cell: (s) => formatCount(s.objects.length) },
      { title: trans.__('size'), field: null, cell: (s) => formatSize(s.sizeBytes) }
    ];
    this._keyTitle = trans.__('shard');
    this._rows = shards.total ?? 0;
    this._drawn = shards.loaded;
    shards.changed.connect(this._onShards, this);
  }

  readonly columns: IColumn[];

  rowCount(region: DataModel.RowRegion): number {
    return region === 'body' ? this._rows : 1;
  }
  columnCount(region: DataModel.ColumnRegion): number {
    return region === 'body' ? this.columns.length : 1;
  }

  data(region: DataModel.CellRegion, row: number, column: number): unknown {
    if (region === 'corner-header') return this._keyTitle;
    if (region === 'column-header') return this.columns[column]?.title ?? '';
    const shard = this.shards.get(row);
    if (!shard) {
      void this.shards.ensure(row);
      return '…';
    }
    if (region === 'row-header') return shard.key;
    const value = this.columns[column]?.cell(shard) ?? '';
    // A metric of sixteen digits says no more than six of them.
    return typeof value === 'number' ? Number(value.toPrecision(6)) : value;
  }

  private _onShards(): void {
    const rows = this.shards.total ?? 0;
    if (rows !== this._rows) {
      const before = this._rows;
      this._rows = rows;
      if (rows > before)
        this.emitChanged({ type: 'rows-inserted', region: 'body', index: before, span: rows - before });
      else this.emitChanged({ type: 'rows-removed', region: 'body', index: rows, span: before - rows });
    }
    const loaded = this.shards.loaded;
    if (loaded <= this._drawn) return;
    const rowSpan = loaded - this._drawn;
    const row = this._drawn;
    this._drawn = loaded;
    for (const region of ['body', 'row-header'] as const) {
      const columnSpan = region === 'body' ? this.columns.length : 1;
      this.emitChanged({ type: 'cells-changed', region, row, column: 0, rowSpan, columnSpan });
    }
  }

  private readonly _keyTitle: string;
  private _rows: number;
  private _drawn: number;
}
