import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, IThemeManager, MainAreaWidget, Notification, WidgetTracker } from '@jupyterlab/apputils';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { CommandIDs, paletteCategory } from '../commands';
import { ILabscale } from '../tokens';
import { describeError } from '../ui/error-notice';
import { compareIcon } from '../ui/icons';
import { showChooseDialog } from './choose-dialog';
import { ComparePage } from './compare-page';

/** Two or more parameter sets side by side. */
export const comparePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:compare',
  description: 'Compares parameter sets: values that differ, metrics and outputs.',
  autoStart: true,
  requires: [ILabscale, IRenderMimeRegistry],
  optional: [ICommandPalette, ILayoutRestorer, IThemeManager],
  activate: (
    app: JupyterFrontEnd,
    labscale: ILabscale,
    rendermime: IRenderMimeRegistry,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    themes: IThemeManager | null
  ): void => {
    const { commands } = app;
    const { trans } = labscale;
    const tracker = new WidgetTracker<MainAreaWidget<ComparePage>>({ namespace: 'labscale-compare' });

    commands.addCommand(CommandIDs.compare, {
      label: trans.__('Compare…'),
      caption: trans.__('Compare two or more parameter sets'),
      icon: compareIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            versions: {
              type: 'array',
              items: { type: 'string' },
              description: 'Ids of set versions; with fewer than two the others are asked for.'
            }
          }
        }
      },
      execute: async (args) => {
        const given = Array.isArray(args['versions'])
          ? args['versions'].filter((id): id is string => typeof id === 'string')
          : [];
        try {
          const versions = given.length >= 2 ? given : await showChooseDialog(given, labscale);
          if (versions === null) return;
          // By what it compares, so that it is found again after a reload.
          const id = `labscale-compare-${versions.join('-')}`;
          if (tracker.find((one) => one.id === id)) {
            app.shell.activateById(id);
            return;
          }
          const content = new ComparePage({
            versions,
            labscale,
            rendermime,
            themeChanged: themes?.themeChanged ?? null,
            openSet: (parameterSetId) => void commands.execute(CommandIDs.openParameterSet, { parameterSetId }),
            promote: (versionId) => void commands.execute(CommandIDs.promote, { parameterSetVersionIds: [versionId] })
          });
          content.title.label = trans._n('Compare %1 set', 'Compare %1 sets', versions.length);
          content.title.icon = compareIcon;
          content.title.closable = true;
          const page = new MainAreaWidget({ content });
          page.toolbar.hide();
          page.id = id;
          app.shell.add(page, 'main');
          await tracker.add(page);
          app.shell.activateById(page.id);
        } catch (error) {
          const { what, why, mend } = describeError(error, trans);
          Notification.error([what, why, mend].filter((part) => part !== null).join(' — '), { autoClose: false });
        }
      }
    });
    palette?.addItem({ command: CommandIDs.compare, category: paletteCategory });
    void restorer?.restore(tracker, {
      command: CommandIDs.compare,
      args: (page) => ({ versions: [...page.content.versions] }),
      name: (page) => page.id
    });
  }
};
