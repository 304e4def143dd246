import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  CommandToolbarButton,
  ICommandPalette,
  IThemeManager,
  MainAreaWidget,
  Toolbar,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { CommandIDs } from '../commands';
import { ILabscale, ISidebar } from '../tokens';
import { openMenu } from '../ui/open-menu';
import { saveOnChange } from '../ui/save-on-change';
import { addDatasetCommands } from './dataset-commands';
import { DatasetModel, type DatasetRow } from './dataset-model';
import { DatasetPage } from './dataset-page';
import { DatasetsSection } from './datasets-section';
import { IndexingProgress } from './indexing-progress';
import { IndexingStatus } from './indexing-status';

/** The datasets: section of the sidebar, page, commands. */
export const datasetPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:datasets',
  description: 'Datasets: the section of the sidebar, the page, and their commands.',
  autoStart: true,
  requires: [ILabscale, ISidebar, IDocumentManager],
  optional: [ICommandPalette, ILayoutRestorer, INotebookTracker, IDefaultFileBrowser, IThemeManager, IStatusBar],
  activate: (
    app: JupyterFrontEnd,
    labscale: ILabscale,
    sidebar: ISidebar,
    docManager: IDocumentManager,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    notebooks: INotebookTracker | null,
    fileBrowser: IDefaultFileBrowser | null,
    themes: IThemeManager | null,
    statusBar: IStatusBar | null
  ): void => {
    const { commands } = app;
    const { trans } = labscale;
    const model = new DatasetModel(labscale);
    const progress = new IndexingProgress(labscale, (datasetId) => {
      void commands.execute(CommandIDs.openDataset, { datasetId });
    });
    const pages = new WidgetTracker<MainAreaWidget<DatasetPage>>({ namespace: 'labscale-dataset' });

    addDatasetCommands({
      app,
      labscale,
      sidebar,
      docManager,
      model,
      pages,
      progress,
      palette,
      notebooks,
      fileBrowser,
      makePage: (datasetId) => {
        const content = new DatasetPage({ labscale, commands, docManager, themes, datasetId });
        const page = new MainAreaWidget({ content });
        page.toolbar.hide();
        page.id = `labscale-dataset-${datasetId}`;
        saveOnChange(pages, page, content.model.changed, () => content.model.place);
        return page;
      }
    });

    const section = new DatasetsSection(model, trans, {
      open: (row) => {
        const args = pageArgs(row);
        if (args) void commands.execute(CommandIDs.openDataset, args);
      },
      menu: (row, x, y) => {
        const args = pageArgs(row);
        if (!args) return;
        const { datasetId, versionId } = args;
        const cut = { datasetId, ...(versionId ? { versionId } : {}), ...(args.filter ? { filter: args.filter } : {}) };
        openMenu(
          commands,
          [
            { command: CommandIDs.openDataset, args: { ...args } },
            { command: CommandIDs.openSnippet, args: cut },
            { command: CommandIDs.insertLoadCode, args: cut },
            { command: CommandIDs.copyLocation, args: { datasetId } },
            null,
            { command: CommandIDs.showDerivatives, args: { datasetId } },
            { command: CommandIDs.checkDataset, args: { datasetId } },
            null,
            { command: CommandIDs.registerFolder, args: {} }
          ],
          x,
          y
        );
      },
      register: () => void commands.execute(CommandIDs.registerFolder)
    });
    const toolbar = new Toolbar();
    for (const id of [CommandIDs.openSnippet, CommandIDs.checkDataset, CommandIDs.registerFolder]) {
      toolbar.addItem(id, new CommandToolbarButton({ commands, id, label: '' }));
    }
    sidebar.addSection({ id: 'labscale-datasets', rank: 100, title: trans.__('Datasets'), widget: section, toolbar });

    void restorer?.restore(pages, {
      command: CommandIDs.openDataset,
      args: (page) => ({ datasetId: page.content.model.datasetId, ...page.content.model.place }),
      name: (page) => page.content.model.datasetId
    });

    statusBar?.registerStatusItem('jupyterlab-labscale:indexing', {
      item: new IndexingStatus(progress, trans),
      align: 'left',
      rank: 50,
      isActive: () => progress.current.length > 0,
      activeStateChanged: progress.changed
    });
  }
};

// A type and not an interface: only a type fits the index signature of command arguments.
type IPageArgs = {
  datasetId: string;
  versionId?: string;
  filter?: string;
  shardKey?: string;
};

function pageArgs(row: DatasetRow): IPageArgs | null {
  switch (row.kind) {
    case 'dataset':
      return { datasetId: row.dataset.id };
    case 'version':
      return { datasetId: row.dataset.id, versionId: row.version.id, filter: '' };
    case 'query':
      return { datasetId: row.dataset.id, versionId: row.version.id, filter: row.query.filter };
    case 'shard':
      return { datasetId: row.dataset.id, versionId: row.version.id, shardKey: row.shard.key };
    default:
      return null;
  }
}
