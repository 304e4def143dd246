import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  CommandToolbarButton,
  Dialog,
  ICommandPalette,
  MainAreaWidget,
  Notification,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { Toolbar } from '@jupyterlab/ui-components';
import type { ParameterSet, ParameterSetVersion } from '@labscale/schema';
import type { ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { CommandIDs, paletteCategory } from '../commands';
import { ILabscale, ISidebar } from '../tokens';
import { describeError } from '../ui/error-notice';
import { compareIcon, forkIcon, parametersIcon, promoteIcon, starIcon } from '../ui/icons';
import { openMenu, type IMenuEntry } from '../ui/open-menu';
import { showDefaultDialog } from './default-dialog';
import { showForkDialog } from './fork-dialog';
import { openInNotebook } from './open-parameters';
import { ParameterListModel } from './parameter-list-model';
import { ParameterPage } from './parameter-page';
import { ParametersSection } from './parameters-section';
import { showSaveDialog } from './save-dialog';

const setArgs = {
  type: 'object',
  properties: {
    parameterSetId: { type: 'string', description: 'Id of the parameter set; the selected one where it is left out.' },
    versionId: { type: 'string', description: 'Id of one of its versions; the latest where it is left out.' }
  }
} as const;

/** The sidebar's section Parameters, the page of a set, and saving from a notebook. */
export const parameterPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:parameters',
  description: 'Saves tuned values from a notebook and shows what was saved.',
  autoStart: true,
  requires: [ILabscale, ISidebar, IDocumentManager, INotebookTracker],
  optional: [ICommandPalette, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    labscale: ILabscale,
    sidebar: ISidebar,
    docManager: IDocumentManager,
    notebooks: INotebookTracker,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null
  ): void => {
    const { commands } = app;
    const { client, trans } = labscale;
    const model = new ParameterListModel(client, labscale.events);
    const tracker = new WidgetTracker<MainAreaWidget<ParameterPage>>({ namespace: 'labscale-parameter-sets' });

    const selectedId = (args: ReadonlyPartialJSONObject): string | null => {
      if (typeof args['parameterSetId'] === 'string') return args['parameterSetId'];
      const page = tracker.currentWidget;
      if (page !== null && page === app.shell.currentWidget) return page.content.parameterSetId;
      return model.selectedSet?.id ?? null;
    };
    const target = async (
      args: ReadonlyPartialJSONObject
    ): Promise<{ set: ParameterSet; version: ParameterSetVersion } | null> => {
      const parameterSetId = selectedId(args);
      if (parameterSetId === null) return null;
      const set = await client.call('getParameterSet', { params: { parameterSetId } });
      const versionId = args['versionId'];
      if (typeof versionId !== 'string' || versionId === set.latestVersion.id)
        return { set, version: set.latestVersion };
      return { set, version: await client.call('getParameterSetVersion', { params: { versionId } }) };
    };
    /** Runs what a command does; why it failed is told as Lab tells it. */
    const told = async <T>(work: () => Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        const { what, why, mend } = describeError(error, trans);
        Notification.error([what, why, mend].filter((part) => part !== null).join(' — '), { autoClose: false });
        return null;
      }
    };
    const enabled = (args: ReadonlyPartialJSONObject): boolean => selectedId(args) !== null;

    commands.addCommand(CommandIDs.showParameters, {
      label: trans.__('Show Parameter Sets'),
      icon: parametersIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => sidebar.reveal('labscale-parameters')
    });

    commands.addCommand(CommandIDs.saveParameters, {
      label: (args) => (args['toolbar'] ? trans.__('Save parameters') : trans.__('Save Parameters…')),
      caption: trans.__('Keep the values of this notebook as a parameter set'),
      icon: parametersIcon,
      isEnabled: () => notebooks.currentWidget !== null,
      describedBy: {
        args: {
          type: 'object',
          properties: { toolbar: { type: 'boolean', description: 'True for the short label of a toolbar.' } }
        }
      },
      execute: async () => {
        const panel = notebooks.currentWidget;
        if (panel === null) return null;
        const set = await showSaveDialog(panel, labscale, docManager.services.contents);
        if (set === null) return null;
        model.select(set.id);
        Notification.success(trans.__('Saved “%1”, version %2.', set.name, set.latestVersion.number), {
          autoClose: 15_000,
          actions: [
            {
              label: trans.__('Promote'),
              displayType: 'accent',
              callback: () =>
                void commands.execute(CommandIDs.promote, { parameterSetVersionIds: [set.latestVersion.id] })
            },
            {
              label: trans.__('Show'),
              callback: () => void commands.execute(CommandIDs.openParameterSet, { parameterSetId: set.id })
            }
          ]
        });
        return { parameterSetId: set.id, versionId: set.latestVersion.id };
      }
    });

    commands.addCommand(CommandIDs.openParameterSet, {
      label: trans.__('Show Parameter Set'),
      icon: parametersIcon,
      isEnabled: enabled,
      describedBy: { args: setArgs },
      execute: async (args) => {
        const parameterSetId = selectedId(args);
        if (parameterSetId === null) return;
        let page = tracker.find((one) => one.content.parameterSetId === parameterSetId);
        if (!page) {
          page = makePage(parameterSetId);
          app.shell.add(page, 'main');
          await tracker.add(page);
        }
        app.shell.activateById(page.id);
      }
    });

    const makePage = (parameterSetId: string): MainAreaWidget<ParameterPage> => {
      const content = new ParameterPage(parameterSetId, labscale, {
        openInNotebook: (id, versionId) =>
          void commands.execute(CommandIDs.openParameters, { parameterSetId: id, versionId }),
        promote: (versionId) => void commands.execute(CommandIDs.promote, { parameterSetVersionIds: [versionId] }),
        fork: (id, versionId) => void commands.execute(CommandIDs.forkParameters, { parameterSetId: id, versionId }),
        compare: (versions) => void commands.execute(CommandIDs.compare, { versions }),
        star: (versionId) => void commands.execute(CommandIDs.setDefaultParameters, { versionId }),
        lineage: (id, name) => void commands.execute(CommandIDs.openLineage, { id, name })
      });
      content.title.label = trans.__('Parameter set');
      content.title.icon = parametersIcon;
      content.title.closable = true;
      const page = new MainAreaWidget({ content });
      page.toolbar.hide();
      page.id = `labscale-${parameterSetId}`;
      return page;
    };

    commands.addCommand(CommandIDs.openParameters, {
      label: trans.__('Open in a Notebook'),
      caption: trans.__('Open the notebook of this set with its values in it'),
      icon: parametersIcon,
      isEnabled: enabled,
      describedBy: { args: setArgs },
      execute: (args) =>
        told(async () => {
          const found = await target(args);
          if (found !== null) await openInNotebook(found.set, found.version, labscale, docManager);
        })
    });

    commands.addCommand(CommandIDs.forkParameters, {
      label: trans.__('Fork…'),
      caption: trans.__('Start a set of your own from this one'),
      icon: forkIcon,
      isEnabled: enabled,
      describedBy: { args: setArgs },
      execute: (args) =>
        told(async () => {
          const found = await target(args);
          const set = found === null ? null : await showForkDialog(found.set, found.version, labscale);
          if (set === null) return null;
          model.select(set.id);
          Notification.success(trans.__('Made “%1”.', set.name), {
            autoClose: 10_000,
            actions: [
              {
                label: trans.__('Promote'),
                displayType: 'accent',
                callback: () =>
                  void commands.execute(CommandIDs.promote, { parameterSetVersionIds: [set.latestVersion.id] })
              }
            ]
          });
          return { parameterSetId: set.id, versionId: set.latestVersion.id };
        })
    });

    commands.addCommand(CommandIDs.setDefaultParameters, {
      label: trans.__('Default for a Dataset…'),
      icon: starIcon,
      isEnabled: (args) => typeof args['versionId'] === 'string' || args['versionId'] === null || enabled(args),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            ...setArgs.properties,
            datasetId: { type: 'string', description: 'Id of the dataset; asked for where it is left out.' }
          }
        }
      },
      execute: (args) =>
        told(async () => {
          const { datasetId } = args;
          const given = args['versionId'];
          const versionId =
            typeof given === 'string' || given === null ? given : ((await target(args))?.version.id ?? null);
          if (typeof datasetId === 'string') {
            await client.call('updateDataset', {
              params: { datasetId },
              body: { defaultParameterSetVersionId: versionId }
            });
          } else if (versionId !== null) await showDefaultDialog(versionId, labscale);
          await model.refresh();
        })
    });

    commands.addCommand(CommandIDs.deleteParameterSet, {
      label: trans.__('Delete…'),
      caption: trans.__('Delete a parameter set that no run used'),
      isEnabled: enabled,
      describedBy: { args: setArgs },
      execute: (args) =>
        told(async () => {
          const found = await target(args);
          if (found === null) return;
          const answer = await showDialog({
            title: trans.__('Delete “%1”?', found.set.name),
            body: trans._n(
              'Its %1 version is deleted with it.',
              'Its %1 versions are deleted with it.',
              found.set.versionCount
            ),
            buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Delete') })]
          });
          if (!answer.button.accept) return;
          await client.call('deleteParameterSet', { params: { parameterSetId: found.set.id } });
          tracker.find((page) => page.content.parameterSetId === found.set.id)?.dispose();
          await model.refresh();
        })
    });

    const menu = (set: ParameterSet, x: number, y: number): void => {
      const args = { parameterSetId: set.id };
      const ticked = [...new Set([set.latestVersion.id, ...model.ticked])];
      const entries: (IMenuEntry | null)[] = [
        { command: CommandIDs.openParameterSet, args },
        { command: CommandIDs.openParameters, args },
        { command: CommandIDs.promote, args: { parameterSetVersionIds: [set.latestVersion.id] } },
        null,
        { command: CommandIDs.compare, args: { versions: ticked } },
        { command: CommandIDs.forkParameters, args },
        { command: CommandIDs.setDefaultParameters, args },
        { command: CommandIDs.openLineage, args: { id: set.latestVersion.id, name: set.name } },
        null,
        { command: CommandIDs.deleteParameterSet, args }
      ];
      openMenu(
        commands,
        entries.filter((entry) => entry === null || commands.hasCommand(entry.command)),
        x,
        y
      );
    };

    const section = new ParametersSection(model, trans, {
      open: (set) => void commands.execute(CommandIDs.openParameterSet, { parameterSetId: set.id }),
      menu,
      begin: () => void commands.execute(CommandIDs.showDatasets)
    });
    const toolbar = new Toolbar();
    // The commands of other plugins too: their buttons find them when they are drawn.
    const compareSelected = 'labscale:compare-ticked';
    commands.addCommand(compareSelected, {
      label: trans.__('Compare Ticked Sets'),
      caption: trans.__('Compare the ticked sets (at least two)'),
      icon: compareIcon,
      isEnabled: () => model.ticked.size >= 2,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => commands.execute(CommandIDs.compare, { versions: [...model.ticked] })
    });
    const promoteSelected = 'labscale:promote-selected';
    commands.addCommand(promoteSelected, {
      label: trans.__('Promote Selected Set…'),
      caption: trans.__('Run the selected set over a whole dataset'),
      icon: promoteIcon,
      isEnabled: () => model.selectedSet !== null,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () =>
        commands.execute(CommandIDs.promote, {
          parameterSetVersionIds: model.selectedSet === null ? [] : [model.selectedSet.latestVersion.id]
        })
    });
    for (const id of [CommandIDs.openParameters, compareSelected, CommandIDs.forkParameters, promoteSelected]) {
      toolbar.addItem(id, new CommandToolbarButton({ commands, id, label: '' }));
    }
    model.changed.connect(() => {
      for (const id of [CommandIDs.openParameters, compareSelected, CommandIDs.forkParameters, promoteSelected]) {
        commands.notifyCommandChanged(id);
      }
    });
    sidebar.addSection({
      id: 'labscale-parameters',
      rank: 200,
      title: trans.__('Parameters'),
      widget: section,
      toolbar
    });

    for (const command of [
      CommandIDs.showParameters,
      CommandIDs.saveParameters,
      CommandIDs.openParameterSet,
      CommandIDs.openParameters,
      CommandIDs.forkParameters,
      CommandIDs.setDefaultParameters,
      CommandIDs.deleteParameterSet,
      compareSelected,
      promoteSelected
    ]) {
      palette?.addItem({ command, category: paletteCategory });
    }
    void restorer?.restore(tracker, {
      command: CommandIDs.openParameterSet,
      args: (page) => ({ parameterSetId: page.content.parameterSetId }),
      name: (page) => page.content.parameterSetId
    });
  }
};
