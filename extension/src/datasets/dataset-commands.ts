import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Clipboard, InputDialog, Notification, type ICommandPalette, type WidgetTracker } from '@jupyterlab/apputils';
import { PathExt } from '@jupyterlab/coreutils';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { NotebookActions, type INotebookTracker } from '@jupyterlab/notebook';
import type { MainAreaWidget } from '@jupyterlab/apputils';
import type { Dataset, DatasetVersion } from '@labscale/schema';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { ApiError } from '../api/client';
import { CommandIDs, paletteCategory } from '../commands';
import type { ILabscale, ISidebar } from '../tokens';
import { describeError } from '../ui/error-notice';
import { folderPlusIcon, queryIcon, snippetIcon } from '../ui/icons';
import { refreshIcon } from '@jupyterlab/ui-components';
import { bucketAddress } from './bucket-address';
import type { DatasetModel } from './dataset-model';
import type { DatasetPage } from './dataset-page';
import { changesText } from './dataset-versions';
import type { IndexingProgress } from './indexing-progress';
import { loadCode } from './load-code';
import { openSnippetNotebook, setSnippet } from './open-snippet';
import { showRegisterDialog } from './register-dialog';
import { showSnippetDialog } from './snippet-dialog';

export interface IDatasetCommandsOptions {
  app: JupyterFrontEnd;
  labscale: ILabscale;
  sidebar: ISidebar;
  docManager: IDocumentManager;
  model: DatasetModel;
  pages: WidgetTracker<MainAreaWidget<DatasetPage>>;
  progress: IndexingProgress;
  makePage: (datasetId: string) => MainAreaWidget<DatasetPage>;
  palette: ICommandPalette | null;
  notebooks: INotebookTracker | null;
  fileBrowser: IDefaultFileBrowser | null;
}

const text = (description: string) => ({ type: 'string', description }) as const;

function describeArgs(properties: { [name: string]: ReturnType<typeof text> }, required: string[] = []) {
  return { args: { type: 'object', properties, required } };
}

function optional(args: ReadonlyPartialJSONObject, name: string): string | undefined {
  const value = args[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Registers every command about datasets. */
export function addDatasetCommands(options: IDatasetCommandsOptions): void {
  const { app, labscale, sidebar, docManager, model, pages, progress, palette, notebooks, fileBrowser } = options;
  const { commands } = app;
  const { trans, client } = labscale;

  /** Named by the arguments, else the page in front, else the row chosen in the sidebar. */
  const currentDatasetId = (args: ReadonlyPartialJSONObject): string | undefined => {
    const named = optional(args, 'datasetId');
    if (named !== undefined) return named;
    const page = pages.currentWidget;
    if (page && page === app.shell.currentWidget) return page.content.model.datasetId;
    const row = model.selected;
    return row && 'dataset' in row ? row.dataset.id : undefined;
  };
  const withDataset =
    (action: (dataset: Dataset, args: ReadonlyPartialJSONObject) => Promise<unknown>) =>
    async (args: ReadonlyPartialJSONObject): Promise<unknown> => {
      const datasetId = currentDatasetId(args);
      if (datasetId === undefined) {
        sidebar.reveal('labscale-datasets');
        Notification.info(trans.__('Choose a dataset first.'), { autoClose: 4_000 });
        return undefined;
      }
      return guarded(async () => action(await client.call('getDataset', { params: { datasetId } }), args));
    };
  const guarded = async (action: () => Promise<unknown>): Promise<unknown> => {
    try {
      return await action();
    } catch (error) {
      const { what, why, mend } = describeError(error, trans);
      Notification.error([`${what}.`, why, mend ?? ''].join(' ').trim(), { autoClose: false });
      return undefined;
    }
  };
  const versionOf = (dataset: Dataset, args: ReadonlyPartialJSONObject): Promise<DatasetVersion> => {
    const versionId = optional(args, 'versionId');
    return versionId === undefined || versionId === dataset.latestVersion.id
      ? Promise.resolve(dataset.latestVersion)
      : client.call('getDatasetVersion', { params: { versionId } });
  };
  const dataset = { datasetId: text('The dataset; the chosen one where it is left out.') };

  commands.addCommand(CommandIDs.showDatasets, {
    label: trans.__('Show Datasets'),
    caption: trans.__('Open the sidebar of Labscale at the datasets'),
    describedBy: describeArgs({}),
    execute: () => sidebar.reveal('labscale-datasets')
  });

  commands.addCommand(CommandIDs.openDataset, {
    label: trans.__('Open Dataset'),
    caption: trans.__('Open the page of a dataset'),
    describedBy: describeArgs({
      ...dataset,
      versionId: text('A version to show; default the latest.'),
      filter: text('A filter over its shards.'),
      shardKey: text('A shard to select.'),
      tab: text('shards, versions, derivatives, lineage or about.')
    }),
    execute: async (args) => {
      const datasetId = currentDatasetId(args);
      if (datasetId === undefined) {
        sidebar.reveal('labscale-datasets');
        return;
      }
      let page = pages.find((one) => one.content.model.datasetId === datasetId);
      if (!page) {
        page = options.makePage(datasetId);
        await pages.add(page);
      }
      const tab = optional(args, 'tab');
      page.content.model.show({
        versionId: optional(args, 'versionId'),
        filter: typeof args['filter'] === 'string' ? args['filter'] : undefined,
        shardKey: optional(args, 'shardKey'),
        tab:
          tab === 'shards' || tab === 'versions' || tab === 'derivatives' || tab === 'lineage' || tab === 'about'
            ? tab
            : undefined
      });
      if (!page.isAttached) app.shell.add(page, 'main', { type: 'Dataset' });
      app.shell.activateById(page.id);
    }
  });

  commands.addCommand(CommandIDs.registerFolder, {
    label: trans.__('Register Folder…'),
    caption: trans.__('Register a folder as a dataset; its files stay where they are'),
    icon: folderPlusIcon,
    describedBy: describeArgs({ path: text('The folder; asked for where it is left out.') }),
    execute: (args) =>
      guarded(async () => {
        const path = optional(args, 'path') ?? fileBrowser?.model.path ?? '';
        const made = await showRegisterDialog(labscale, docManager, path);
        if (!made) return;
        sidebar.reveal('labscale-datasets');
        await model.refresh();
        model.revealDataset(made.id);
        void progress.follow(made, made.latestVersion);
      })
  });

  commands.addCommand(CommandIDs.openSnippet, {
    label: trans.__('Open Snippet in Notebook…'),
    caption: trans.__('Cut a few shards of a dataset and open them in a notebook'),
    icon: snippetIcon,
    describedBy: describeArgs({
      ...dataset,
      versionId: text('The version to cut from; default the latest.'),
      filter: text('Shards to cut from.'),
      folder: text('Where the notebook goes; default the folder of the file browser.')
    }),
    execute: withDataset(async (found, args) => {
      const version = await versionOf(found, args);
      const panel = notebooks?.currentWidget ?? null;
      const open = panel && PathExt.basename(panel.context.path);
      const choice = await showSnippetDialog(labscale, found, version, optional(args, 'filter') ?? '', open);
      if (!choice) return undefined;
      if (choice.into.kind === 'current' && panel) {
        await setSnippet(panel, choice.snippet);
        app.shell.activateById(panel.id);
        return panel.context.path;
      }
      const analysisId = choice.into.kind === 'analysis' ? choice.into.analysisId : null;
      const folder = optional(args, 'folder') ?? fileBrowser?.model.path ?? '';
      return openSnippetNotebook(client, docManager, choice.snippet, analysisId, folder);
    })
  });

  commands.addCommand(CommandIDs.copyLocation, {
    label: trans.__('Copy Location'),
    caption: trans.__('Copy where the files of a dataset are'),
    describedBy: describeArgs(dataset),
    execute: withDataset(async (found) => {
      if (found.source.kind === 'derivatives') {
        Notification.info(trans.__('%1 was made by a run: its files are in the object store.', found.name));
        return;
      }
      const { projectFolder } = await labscale.serverInfo();
      const path = found.source.kind === 'bucket' ? bucketAddress(found.source) : found.source.path;
      const isWhole = found.source.kind === 'bucket' || path.startsWith('/') || projectFolder === null;
      const location = isWhole ? path : PathExt.join(projectFolder, path);
      Clipboard.copyToSystem(location);
      Notification.info(trans.__('Copied %1', location), { autoClose: 3_000 });
    })
  });

  commands.addCommand(CommandIDs.insertLoadCode, {
    label: trans.__('Insert Load Code'),
    caption: trans.__('Put the lines that load a snippet of a dataset into the current notebook'),
    isEnabled: () => Boolean(notebooks?.currentWidget),
    describedBy: describeArgs({
      ...dataset,
      versionId: text('The version to load from; default the latest.'),
      filter: text('Shards to load from.')
    }),
    execute: withDataset(async (found, args) => {
      const panel = notebooks?.currentWidget;
      if (!panel) {
        Notification.info(trans.__('Open a notebook first.'), { autoClose: 4_000 });
        return;
      }
      const version = await versionOf(found, args);
      const filter = optional(args, 'filter');
      const { snippetSize } = await labscale.options();
      const snippet = await client.call('createSnippet', {
        body: { datasetVersionId: version.id, count: snippetSize, ...(filter === undefined ? {} : { filter }) },
        idempotencyKey: crypto.randomUUID()
      });
      const code = loadCode(snippet);
      // Into the active cell where that is empty, so that an empty notebook does not get a second cell.
      if (panel.content.activeCell?.model.sharedModel.getSource().trim() !== '') {
        NotebookActions.insertBelow(panel.content);
      }
      panel.content.activeCell?.model.sharedModel.setSource(code);
      app.shell.activateById(panel.id);
    })
  });

  commands.addCommand(CommandIDs.checkDataset, {
    label: trans.__('Check for New Data'),
    caption: trans.__('Compare the folder of a dataset with its latest version'),
    icon: refreshIcon,
    describedBy: describeArgs(dataset),
    execute: withDataset(async (found) => {
      const { current, changes } = await client.call('checkDataset', { params: { datasetId: found.id } });
      model.setOutdated(found.id, !current);
      if (current) {
        Notification.success(
          trans.__('%1: nothing has changed since version %2.', found.name, found.latestVersion.number),
          {
            autoClose: 4_000
          }
        );
        return;
      }
      Notification.info(trans.__('%1 has newer data: %2.', found.name, changesText(changes, trans)), {
        autoClose: false,
        actions: [
          {
            label: trans.__('Make version %1', found.latestVersion.number + 1),
            displayType: 'accent',
            callback: () =>
              void guarded(async () => {
                const version = await client.call('createDatasetVersion', { params: { datasetId: found.id } });
                void progress.follow(found, version);
              })
          }
        ]
      });
    })
  });

  commands.addCommand(CommandIDs.saveQuery, {
    label: trans.__('Save Filter as Query…'),
    caption: trans.__('Save a filter over the shards of a dataset by name'),
    icon: queryIcon,
    describedBy: describeArgs({
      ...dataset,
      filter: text('The filter; that of the page in front where it is left out.'),
      name: text('The name; asked for where it is left out.')
    }),
    execute: withDataset(async (found, args) => {
      const filter = optional(args, 'filter') ?? pages.currentWidget?.content.model.filter ?? '';
      if (filter === '') {
        Notification.info(trans.__('Type a filter over the shards first.'), { autoClose: 4_000 });
        return;
      }
      let name = optional(args, 'name');
      let problem = '';
      for (;;) {
        if (name === undefined || problem !== '') {
          const asked = await InputDialog.getText({
            title: trans.__('Save filter as query'),
            label: problem || trans.__('Name of the query "%1"', filter),
            text: name ?? filter,
            okLabel: trans.__('Save'),
            required: true
          });
          if (!asked.button.accept || !asked.value) return;
          name = asked.value;
        }
        try {
          await client.call('createQuery', { params: { datasetId: found.id }, body: { name, filter } });
          Notification.success(trans.__('Saved the query %1.', name), { autoClose: 3_000 });
          return;
        } catch (error) {
          if (!(error instanceof ApiError && error.code === 'NAME_TAKEN')) throw error;
          problem = error.detail;
        }
      }
    })
  });

  commands.addCommand(CommandIDs.showDerivatives, {
    label: trans.__('Derivatives Made from This'),
    caption: trans.__('Show what runs made from a dataset'),
    describedBy: describeArgs(dataset),
    execute: (args) => commands.execute(CommandIDs.openDataset, { ...args, tab: 'derivatives' })
  });

  for (const command of [
    CommandIDs.showDatasets,
    CommandIDs.openDataset,
    CommandIDs.registerFolder,
    CommandIDs.openSnippet,
    CommandIDs.copyLocation,
    CommandIDs.insertLoadCode,
    CommandIDs.checkDataset,
    CommandIDs.saveQuery,
    CommandIDs.showDerivatives
  ]) {
    palette?.addItem({ command, category: paletteCategory });
  }
}
