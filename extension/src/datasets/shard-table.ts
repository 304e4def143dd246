import type { IThemeManager } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { CommandRegistry } from '@lumino/commands';
import { BasicKeyHandler, BasicMouseHandler, BasicSelectionModel, DataGrid } from '@lumino/datagrid';
import type { Message } from '@lumino/messaging';
import { Menu, Panel } from '@lumino/widgets';
import { gridLook } from '../ui/grid-style';
import type { DatasetPageModel } from './dataset-page-model';
import { ShardTableModel } from './shard-table-model';

/** Of Lab's 13 px interface font, on average. */
const characterWidth = 7.2;

export interface IShardTableOptions {
  model: DatasetPageModel;
  trans: TranslationBundle;
  themes: IThemeManager | null;
  /** For the cell menu; has `filterCommand`. */
  commands: CommandRegistry;
}

/** The table of the shards of a dataset version; a selected row is the selected shard of the page. */
export class ShardTable extends Panel {
  constructor(private readonly _options: IShardTableOptions) {
    super();
    this.addClass('jp-Labscale-ShardTable');
    this._grid = new DataGrid({
      defaultSizes: { rowHeight: 24, columnWidth: 110, rowHeaderWidth: 220, columnHeaderHeight: 28 },
      headerVisibility: 'all',
      stretchLastColumn: true
    });
    this._grid.keyHandler = new BasicKeyHandler();
    this._grid.mouseHandler = new BasicMouseHandler();
    this._grid.node.setAttribute('role', 'grid');
    this._grid.node.setAttribute('aria-label', _options.trans.__('Shards; the sidebar has them as a list'));
    this.addWidget(this._grid);
    this._look();
    _options.themes?.themeChanged.connect(this._look, this);
    _options.model.changed.connect(this._onModel, this);
    this._grid.node.addEventListener('contextmenu', this._onContextMenu);
    this._onModel();
  }

  override dispose(): void {
    if (this.isDisposed) return;
    this._grid.node.removeEventListener('contextmenu', this._onContextMenu);
    this._options.themes?.themeChanged.disconnect(this._look, this);
    this._options.model.changed.disconnect(this._onModel, this);
    super.dispose();
  }

  protected override onActivateRequest(_msg: Message): void {
    this._grid.node.querySelector<HTMLElement>('.lm-DataGrid-viewport')?.focus();
    this._grid.node.focus();
  }

  private _look(): void {
    const { style, header, body } = gridLook();
    this._grid.style = style;
    this._grid.cellRenderers.update({ body, 'column-header': header, 'corner-header': header, 'row-header': body });
  }

  private _onModel(): void {
    const { version, shards, selectedShard } = this._options.model;
    if (version && shards && this._table?.shards !== shards) {
      this._table = new ShardTableModel(version, shards, this._options.trans);
      this._grid.dataModel = this._table;
      const selection = new BasicSelectionModel({ dataModel: this._table, selectionMode: 'row' });
      selection.changed.connect(this._onSelection, this);
      this._grid.selectionModel = selection;
      this._fit();
    }
    if (!shards) return;
    if (!this._fitted && shards.loaded > 0) this._fit();
    const row = selectedShard ? shards.indexOf(selectedShard.key) : -1;
    const selection = this._grid.selectionModel;
    if (row >= 0 && selection && selection.cursorRow !== row) {
      this._selecting = true;
      selection.select({
        r1: row,
        c1: 0,
        r2: row,
        c2: 0,
        cursorRow: row,
        cursorColumn: 0,
        clear: 'all'
      });
      this._selecting = false;
      this._grid.scrollToRow(row);
    }
  }

  private _onSelection(): void {
    const selection = this._grid.selectionModel;
    const { shards } = this._options.model;
    if (this._selecting || !selection || !shards || selection.isEmpty) return;
    const shard = shards.get(selection.cursorRow);
    if (shard && shard.key !== this._options.model.selectedShard?.key) this._options.model.selectShard(shard);
  }

  /** Columns as wide as what the first page has in them, within limits. */
  private _fit(): void {
    const { shards } = this._options.model;
    const table = this._table;
    this._fitted = shards !== null && shards.loaded > 0;
    if (!shards || !table || !this._fitted) return;
    const rows = Math.min(shards.loaded, 200);
    const longest = (title: string, cell: (row: number) => unknown) => {
      let length = title.length + 1;
      for (let row = 0; row < rows; row += 1) length = Math.max(length, String(cell(row)).length);
      return length * characterWidth + 24;
    };
    const keys = longest('', (row) => table.data('row-header', row, 0));
    this._grid.resizeColumn('row-header', 0, Math.min(420, Math.max(120, keys)));
    table.columns.forEach((column, index) => {
      const width = longest(column.title, (row) => table.data('body', row, index));
      this._grid.resizeColumn('body', index, Math.min(260, width));
    });
  }

  private readonly _onContextMenu = (event: MouseEvent): void => {
    const hit = this._grid.hitTest(event.clientX, event.clientY);
    const shard = hit.region === 'body' ? this._options.model.shards?.get(hit.row) : undefined;
    const column = this._table?.columns[hit.column];
    if (!shard || !column?.field) return;
    event.preventDefault();
    event.stopPropagation();
    const value = String(column.cell(shard));
    const menu = new Menu({ commands: this._options.commands });
    for (const operator of ['=', '!=']) {
      menu.addItem({ command: 'filter-by-cell', args: { field: column.field, operator, value } });
    }
    menu.open(event.clientX, event.clientY);
  };

  private readonly _grid: DataGrid;
  private _table: ShardTableModel | null = null;
  private _fitted = false;
  private _selecting = false;
}
