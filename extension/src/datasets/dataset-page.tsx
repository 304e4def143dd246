import type { IThemeManager } from '@jupyterlab/apputils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { ReactWidget } from '@jupyterlab/ui-components';
import { CommandRegistry } from '@lumino/commands';
import { MessageLoop, type Message } from '@lumino/messaging';
import { Panel, SplitPanel, Widget } from '@lumino/widgets';
import * as React from 'react';
import { CommandIDs } from '../commands';
import { LineageView } from '../lineage/lineage-view';
import type { ILabscale } from '../tokens';
import { focusFirst } from '../ui/focus-first';
import { datasetIcon } from '../ui/icons';
import { useSignal } from '../ui/use-signal';
import { DatasetAbout } from './dataset-about';
import { DatasetDerivatives } from './dataset-derivatives';
import { DatasetHeader } from './dataset-header';
import { DatasetPageModel, type DatasetTab } from './dataset-page-model';
import { DatasetVersions } from './dataset-versions';
import { FilterBar } from './filter-bar';
import { ShardPreview } from './shard-preview';
import { ShardTable } from './shard-table';

export interface IDatasetPageOptions {
  labscale: ILabscale;
  commands: CommandRegistry;
  docManager: IDocumentManager;
  themes: IThemeManager | null;
  datasetId: string;
}

/** The page of a dataset in the main area. */
export class DatasetPage extends Panel {
  constructor(private readonly _options: IDatasetPageOptions) {
    super();
    const { labscale, commands, datasetId } = _options;
    const { trans } = labscale;
    this.model = new DatasetPageModel(labscale, datasetId);
    this.addClass('jp-Labscale-Page');
    this.addClass('jp-Labscale-DatasetPage');
    this.title.icon = datasetIcon;
    this.title.label = trans.__('Dataset');
    this.model.changed.connect(this._onModel, this);
    const header = ReactWidget.create(
      <DatasetHeader
        model={this.model}
        trans={trans}
        onSnippet={() =>
          void commands.execute(CommandIDs.openSnippet, {
            datasetId,
            versionId: this.model.version?.id ?? '',
            filter: this.model.filter
          })
        }
        onCheck={() => void commands.execute(CommandIDs.checkDataset, { datasetId })}
        onOpenRun={this._openRun}
      />
    );
    header.addClass('jp-Labscale-Page-header');
    this.addWidget(header);
    this._body.addClass('jp-Labscale-Page-body');
    this.addWidget(this._body);
    this._resizes.observe(this._body.node);
  }

  readonly model: DatasetPageModel;

  override dispose(): void {
    if (this.isDisposed) return;
    this._resizes.disconnect();
    this.model.dispose();
    super.dispose();
  }

  protected override onAfterShow(msg: Message): void {
    super.onAfterShow(msg);
    this.model.resume();
  }
  protected override onAfterAttach(msg: Message): void {
    super.onAfterAttach(msg);
    if (this.isVisible) this.model.resume();
  }
  protected override onBeforeHide(msg: Message): void {
    this.model.pause();
    super.onBeforeHide(msg);
  }
  protected override onActivateRequest(_msg: Message): void {
    focusFirst(this.node, '[role="tab"][aria-selected="true"]', 'button');
  }

  private _onModel(): void {
    const { dataset, tab } = this.model;
    if (!dataset) return;
    this.title.label = dataset.name;
    this.title.caption = this._options.labscale.trans.__('Dataset %1', dataset.name);
    if (this._tabs.get(tab)?.isVisible) return;
    let widget = this._tabs.get(tab);
    if (!widget) {
      widget = this._makeTab(tab);
      this._tabs.set(tab, widget);
      widget.addClass('jp-Labscale-Page-tab');
      widget.node.setAttribute('role', 'tabpanel');
      this._body.addWidget(widget);
    }
    for (const [name, other] of this._tabs) other.setHidden(name !== tab);
  }

  private _makeTab(tab: DatasetTab): Widget {
    const { labscale, commands, docManager, themes } = this._options;
    const { trans, client } = labscale;
    const { model } = this;
    switch (tab) {
      case 'shards': {
        const bar = ReactWidget.create(
          <FilterBar
            model={model}
            trans={trans}
            onSave={(filter) => void commands.execute(CommandIDs.saveQuery, { datasetId: model.datasetId, filter })}
          />
        );
        const table = new ShardTable({ model, trans, themes, commands: this._cellCommands() });
        const left = new Panel();
        left.addClass('jp-Labscale-Shards');
        left.addWidget(bar);
        left.addWidget(table);
        const split = new SplitPanel({ orientation: 'horizontal', spacing: 1 });
        split.addWidget(left);
        split.addWidget(new ShardPreview({ model, client, docManager, trans }));
        split.setRelativeSizes([3, 2]);
        return split;
      }
      case 'versions':
        return ReactWidget.create(<DatasetVersions model={model} client={client} trans={trans} />);
      case 'derivatives':
        return ReactWidget.create(
          <DatasetDerivatives
            model={model}
            trans={trans}
            openDataset={(datasetId, versionId) =>
              void commands.execute(CommandIDs.openDataset, { datasetId, versionId })
            }
            openRun={this._openRun}
          />
        );
      case 'lineage':
        return ReactWidget.create(<VersionLineage model={model} labscale={labscale} commands={commands} />);
      case 'about':
        return ReactWidget.create(<About model={model} labscale={labscale} />);
    }
  }

  /** The menu of a cell works on this page's filter only, so its command is not one of the palette. */
  private _cellCommands(): CommandRegistry {
    const { trans } = this._options.labscale;
    const cells = new CommandRegistry();
    cells.addCommand('filter-by-cell', {
      label: (args) =>
        args['operator'] === '='
          ? trans.__('Only %1 = %2', String(args['field']), String(args['value']))
          : trans.__('All but %1 = %2', String(args['field']), String(args['value'])),
      execute: (args) => {
        const value = String(args['value']);
        const quoted = /^[^\s",]+$/.test(value) ? value : `"${value.replaceAll('"', '')}"`;
        const term = `${String(args['field'])}${String(args['operator'])}${quoted}`;
        this.model.setFilter([this.model.filter, term].filter((part) => part !== '').join(' '));
      }
    });
    return cells;
  }

  private readonly _openRun = (runId: string): void => {
    void this._options.commands.execute(CommandIDs.openRun, { runId });
  };

  private readonly _body = new Panel();
  private readonly _tabs = new Map<DatasetTab, Widget>();
  // The header grows and shrinks with its text; the split panel below hears of sizes only by messages.
  private readonly _resizes = new ResizeObserver(() => {
    for (const widget of this._tabs.values()) {
      if (widget.isVisible) MessageLoop.sendMessage(widget, Widget.ResizeMessage.UnknownSize);
    }
  });
}

interface IPartProps {
  model: DatasetPageModel;
  labscale: ILabscale;
}

function VersionLineage(props: IPartProps & { commands: CommandRegistry }): JSX.Element {
  const { model, labscale, commands } = props;
  useSignal(model.changed);
  return model.version ? <LineageView labscale={labscale} commands={commands} id={model.version.id} /> : <></>;
}

function About(props: IPartProps): JSX.Element {
  const { model, labscale } = props;
  const [user, setUser] = React.useState<string | null>(null);
  React.useEffect(() => {
    // Who may edit is decided by the server; this only spares a refusal.
    labscale.serverInfo().then(
      (info) => setUser(info.user),
      () => undefined
    );
  }, [labscale]);
  return <DatasetAbout model={model} trans={labscale.trans} user={user} />;
}
