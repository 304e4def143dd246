import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  CommandToolbarButton,
  Dialog,
  ICommandPalette,
  IThemeManager,
  MainAreaWidget,
  Notification,
  showDialog,
  WidgetTracker
} from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { IStateDB } from '@jupyterlab/statedb';
import { IStatusBar } from '@jupyterlab/statusbar';
import { stopIcon, Toolbar } from '@jupyterlab/ui-components';
import type { ParameterSet, Run } from '@labscale/schema';
import { UUID, type ReadonlyPartialJSONObject } from '@lumino/coreutils';
import { CommandIDs, paletteCategory } from '../commands';
import { objectPath } from '../objects/object-path';
import { readyParameters } from '../parameters/ready-parameters';
import { ILabscale, ISidebar } from '../tokens';
import { describeError } from '../ui/error-notice';
import { promoteIcon, runIcon } from '../ui/icons';
import { openMenu, type IMenuEntry } from '../ui/open-menu';
import { saveOnChange } from '../ui/save-on-change';
import { newestRun } from './newest-run';
import { showContainerDialog } from './container-dialog';
import { PromoteForm } from './promote-form';
import { PromoteModel, type IPromoteStart } from './promote-model';
import { showRetryDialog } from './retry-dialog';
import { RunListModel } from './run-list-model';
import { RunPage, type IRunPageActions } from './run-page';
import { RunStatus } from './run-status';
import { runAbilities, type IRunAbilities } from './run-text';
import { RunWatch } from './run-watch';
import { RunsSection } from './runs-section';

const runArgs = {
  type: 'object',
  properties: {
    runId: { type: 'string', description: 'Id of the run; the one shown or selected where it is left out.' }
  }
} as const;

/** Promoting, the sidebar's section Runs, the page of a run, and word of runs as they go. */
export const runPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:runs',
  description: 'Promotes parameters to runs over whole datasets, and shows runs.',
  autoStart: true,
  requires: [ILabscale, ISidebar, IDocumentManager, INotebookTracker, IRenderMimeRegistry],
  optional: [ICommandPalette, ILayoutRestorer, IThemeManager, IStatusBar, IStateDB],
  activate: (
    app: JupyterFrontEnd,
    labscale: ILabscale,
    sidebar: ISidebar,
    docManager: IDocumentManager,
    notebooks: INotebookTracker,
    rendermime: IRenderMimeRegistry,
    palette: ICommandPalette | null,
    restorer: ILayoutRestorer | null,
    themes: IThemeManager | null,
    statusBar: IStatusBar | null,
    state: IStateDB | null
  ): void => {
    const { commands } = app;
    const { client, trans } = labscale;
    const model = new RunListModel(client, labscale.events);
    const pages = new WidgetTracker<MainAreaWidget<RunPage>>({ namespace: 'labscale-runs' });
    const forms = new WidgetTracker<MainAreaWidget<PromoteForm>>({ namespace: 'labscale-promote' });

    const told = async <T>(work: () => Promise<T>): Promise<T | null> => {
      try {
        return await work();
      } catch (error) {
        const { what, why, mend } = describeError(error, trans);
        Notification.error([what, why, mend].filter((part) => part !== null).join(' — '), { autoClose: false });
        return null;
      }
    };
    const openResults = (run: Run): void => {
      if (run.derivatives === null) return;
      const { datasetId, datasetVersionId } = run.derivatives;
      void commands.execute(CommandIDs.openDataset, { datasetId, versionId: datasetVersionId });
    };
    const watch = new RunWatch({
      client,
      events: labscale.events,
      trans,
      state,
      open: (runId) => void commands.execute(CommandIDs.openRun, { runId }),
      openResults
    });
    /** A run as an operation on it left it goes to whatever shows it. */
    const spread = (run: Run): void => {
      model.take(run);
      pages.find((page) => page.content.model.runId === run.id)?.content.model.setRun(run);
      watch.watch(run);
    };
    const shownPage = (): RunPage | null => {
      const page = pages.currentWidget;
      return page !== null && page === app.shell.currentWidget ? page.content : null;
    };
    const knownRun = (args: ReadonlyPartialJSONObject): Run | null => {
      const { runId } = args;
      if (typeof runId !== 'string') return shownPage()?.model.run ?? model.selected;
      return (
        pages.find((page) => page.content.model.runId === runId)?.content.model.run ??
        model.runs.find(({ id }) => id === runId) ??
        null
      );
    };
    const runIdOf = (args: ReadonlyPartialJSONObject): string | null =>
      typeof args['runId'] === 'string' ? args['runId'] : (knownRun(args)?.id ?? null);
    const able = (ability: keyof IRunAbilities) => (args: ReadonlyPartialJSONObject) => {
      const run = knownRun(args);
      // A run that is not shown anywhere may be able to; the server says no where it is not.
      return run === null ? typeof args['runId'] === 'string' : runAbilities(run)[ability];
    };

    commands.addCommand(CommandIDs.showRuns, {
      label: trans.__('Show Runs'),
      icon: runIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => sidebar.reveal('labscale-runs')
    });

    commands.addCommand(CommandIDs.openRun, {
      label: trans.__('Open Run'),
      icon: runIcon,
      isEnabled: (args) => runIdOf(args) !== null,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            ...runArgs.properties,
            taskIndex: { type: 'integer', minimum: 0, description: 'Task to show first.' }
          }
        }
      },
      execute: async (args) => {
        const runId = runIdOf(args);
        if (runId === null) return;
        let page = pages.find((one) => one.content.model.runId === runId);
        if (!page) {
          const content = new RunPage({
            runId,
            labscale,
            rendermime,
            themeChanged: themes?.themeChanged ?? null,
            actions: pageActions
          });
          content.title.label = trans.__('Run');
          content.title.icon = runIcon;
          content.title.closable = true;
          page = new MainAreaWidget({ content });
          page.toolbar.hide();
          page.id = `labscale-${runId}`;
          content.model.changed.connect(() => notifyRunCommands());
          app.shell.add(page, 'main');
          await pages.add(page);
        }
        app.shell.activateById(page.id);
        if (typeof args['taskIndex'] === 'number') {
          page.content.select(args['taskIndex']);
          page.content.openSelected();
        }
      }
    });

    const pageActions = (page: RunPage): IRunPageActions => {
      const { runId } = page.model;
      const execute =
        (command: string, args: ReadonlyPartialJSONObject = {}) =>
        () =>
          void commands.execute(command, { runId, ...args });
      return {
        stop: execute(CommandIDs.stopRun),
        retry: execute(CommandIDs.retryFailed),
        release: execute(CommandIDs.releaseRun),
        publish: execute(CommandIDs.publishRun),
        openResults: () => page.model.run !== null && openResults(page.model.run),
        lineage: () => void commands.execute(CommandIDs.openLineage, { id: runId, name: page.model.run?.name ?? '' }),
        retryGroup: (group) => execute(CommandIDs.retryFailed, { failureGroup: group.id })(),
        retryTask: (index) => execute(CommandIDs.retryFailed, { taskIndexes: [index] })(),
        openDerivative: (shardKey, path) => {
          const versionId = page.model.run?.derivatives?.datasetVersionId;
          if (versionId !== undefined) docManager.openOrReveal(objectPath({ versionId, shardKey, path }));
        },
        openNotebook: () => {
          const set = page.model.run?.parameterSets[0];
          if (set) {
            void commands.execute(CommandIDs.openParameters, { parameterSetId: set.id, versionId: set.versionId });
          }
        },
        openSet: (parameterSetId) => void commands.execute(CommandIDs.openParameterSet, { parameterSetId }),
        openDataset: () => {
          const dataset = page.model.run?.dataset;
          if (dataset) {
            void commands.execute(CommandIDs.openDataset, { datasetId: dataset.id, versionId: dataset.versionId });
          }
        }
      };
    };

    commands.addCommand(CommandIDs.promote, {
      label: (args) => (args['toolbar'] ? trans.__('Promote') : trans.__('Promote…')),
      caption: trans.__('Run these parameters over a whole dataset'),
      icon: promoteIcon,
      isEnabled: (args) => (args['toolbar'] ? notebooks.currentWidget !== null : true),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            parameterSetVersionIds: {
              type: 'array',
              items: { type: 'string' },
              description: 'Set versions to run; those of the current notebook where they are left out.'
            },
            analysisVersionId: { type: 'string', description: 'Analysis version; that of the first set by default.' },
            datasetVersionId: { type: 'string', description: 'Dataset version; the one it was tuned on by default.' },
            filter: { type: 'string', description: 'Only shards that fit this filter.' },
            pageId: { type: 'string', description: 'Of the page, as it is kept over a reload.' },
            how: { type: 'object', description: 'Trial, resources and reuse, as the form keeps them over a reload.' },
            toolbar: { type: 'boolean', description: 'True for the short label of a toolbar.' }
          }
        }
      },
      execute: (args) =>
        told(async () => {
          const start = readStart(args);
          const panel = notebooks.currentWidget;
          if (start.parameterSetVersionIds === undefined && panel !== null && panel === app.shell.currentWidget) {
            const ready = await readyParameters(panel, labscale, docManager.services.contents);
            if (ready === null) return;
            start.parameterSetVersionIds = [ready.parameterSetVersionId];
            start.analysisVersionId = ready.analysisVersionId;
          }
          await openForm(start);
        })
    });

    commands.addCommand(CommandIDs.registerContainer, {
      label: trans.__('Register a Container Image…'),
      caption: trans.__('Make an analysis of a container image, which runs on a cluster as it is'),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () =>
        told(async () => {
          const analysis = await showContainerDialog(labscale);
          if (analysis !== null) await openForm({ analysisVersionId: analysis.latestVersion.id });
        })
    });

    const openForm = async (start: IPromoteStart): Promise<void> => {
      const { trialSize } = await labscale.options();
      const promotion = new PromoteModel(client, labscale.events, start, trialSize);
      const content: PromoteForm = new PromoteForm(promotion, start, trans, {
        started: (run) => {
          spread(run);
          page.dispose();
          void commands.execute(CommandIDs.openRun, { runId: run.id });
        },
        changeValues: (versionId) =>
          void told(async () => {
            const set = promotion.parameterSets.find((one) => one.latestVersion.id === versionId);
            const made: unknown = await commands.execute(CommandIDs.forkParameters, {
              parameterSetId: set?.id ?? '',
              versionId
            });
            const parameterSetId = (made as { parameterSetId?: string } | null)?.parameterSetId;
            if (parameterSetId === undefined) return;
            const fork: ParameterSet = await client.call('getParameterSet', { params: { parameterSetId } });
            promotion.addParameterSet(fork);
          }),
        showDatasets: () => void commands.execute(CommandIDs.showDatasets)
      });
      content.title.label = trans.__('Promote');
      content.title.icon = promoteIcon;
      content.title.closable = true;
      const page = new MainAreaWidget({ content });
      page.toolbar.hide();
      page.id = start.pageId ?? `labscale-promote-${UUID.uuid4()}`;
      app.shell.add(page, 'main');
      await forms.add(page);
      saveOnChange(forms, page, promotion.changed, () => promotion.choice);
      app.shell.activateById(page.id);
    };

    const newest = (ask: () => Promise<Run>): Promise<Run> => newestRun(labscale.events, ask);
    const operate = (
      id: string,
      label: string,
      ability: keyof IRunAbilities,
      work: (runId: string) => Promise<Run | null>
    ) =>
      commands.addCommand(id, {
        label,
        ...(ability === 'stop' ? { icon: stopIcon } : {}),
        isEnabled: able(ability),
        describedBy: { args: runArgs },
        execute: (args) =>
          told(async () => {
            const runId = runIdOf(args);
            const run = runId === null ? null : await work(runId);
            if (run !== null) spread(run);
          })
      });
    operate(CommandIDs.stopRun, trans.__('Stop Run…'), 'stop', async (runId) => {
      const answer = await showDialog({
        title: trans.__('Stop this run?'),
        body: trans.__(
          'What is running is ended and nothing is published. Tasks that are done are reused by the next run.'
        ),
        buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Stop') })]
      });
      return answer.button.accept ? newest(() => client.call('stopRun', { params: { runId } })) : null;
    });
    operate(CommandIDs.releaseRun, trans.__('Release after Trial'), 'release', (runId) =>
      newest(() => client.call('releaseRun', { params: { runId } }))
    );
    operate(CommandIDs.publishRun, trans.__('Publish What Succeeded…'), 'publish', async (runId) => {
      const answer = await showDialog({
        title: trans.__('Publish what succeeded?'),
        body: trans.__(
          'The failed tasks are left out of the derivatives, and cannot be retried in this run afterwards.'
        ),
        buttons: [Dialog.cancelButton(), Dialog.okButton({ label: trans.__('Publish') })]
      });
      return answer.button.accept ? newest(() => client.call('publishRun', { params: { runId } })) : null;
    });

    commands.addCommand(CommandIDs.retryFailed, {
      label: trans.__('Retry Failed…'),
      isEnabled: able('retry'),
      describedBy: {
        args: {
          type: 'object',
          properties: {
            ...runArgs.properties,
            failureGroup: { type: 'string', description: 'Only the tasks of this group of failures.' },
            taskIndexes: { type: 'array', items: { type: 'integer' }, description: 'Only these tasks.' }
          }
        }
      },
      execute: (args) =>
        told(async () => {
          const runId = runIdOf(args);
          if (runId === null) return;
          const run = await client.call('getRun', { params: { runId } });
          const { failureGroup, taskIndexes } = args;
          let count = run.counts.failed;
          if (Array.isArray(taskIndexes)) count = taskIndexes.length;
          else if (typeof failureGroup === 'string') {
            const groups = await client.call('listFailures', { params: { runId } });
            count = groups.items.find(({ id }) => id === failureGroup)?.count ?? 0;
          }
          const again = await showRetryDialog(
            run,
            {
              count,
              ...(typeof failureGroup === 'string' ? { failureGroup } : {}),
              ...(Array.isArray(taskIndexes) ? { taskIndexes: taskIndexes as number[] } : {})
            },
            labscale
          );
          if (again !== null) spread(again);
        })
    });

    const runCommands = [
      CommandIDs.openRun,
      CommandIDs.stopRun,
      CommandIDs.retryFailed,
      CommandIDs.releaseRun,
      CommandIDs.publishRun
    ];
    const notifyRunCommands = (): void => runCommands.forEach((id) => commands.notifyCommandChanged(id));
    model.changed.connect(notifyRunCommands);
    app.shell.currentChanged?.connect(notifyRunCommands);

    const section = new RunsSection(model, trans, {
      open: (run) => void commands.execute(CommandIDs.openRun, { runId: run.id }),
      menu: (run, x, y) => {
        const args = { runId: run.id };
        const entries: (IMenuEntry | null)[] = [
          { command: CommandIDs.openRun, args },
          { command: CommandIDs.openLineage, args: { id: run.id, name: run.name } },
          null,
          { command: CommandIDs.releaseRun, args },
          { command: CommandIDs.retryFailed, args },
          { command: CommandIDs.publishRun, args },
          { command: CommandIDs.stopRun, args }
        ];
        openMenu(
          commands,
          entries.filter((entry) => entry === null || commands.hasCommand(entry.command)),
          x,
          y
        );
      },
      begin: () => void commands.execute(CommandIDs.promote)
    });
    const toolbar = new Toolbar();
    toolbar.addItem('promote', new CommandToolbarButton({ commands, id: CommandIDs.promote, label: '' }));
    toolbar.addItem('stop', new CommandToolbarButton({ commands, id: CommandIDs.stopRun, label: '' }));
    sidebar.addSection({ id: 'labscale-runs', rank: 300, title: trans.__('Runs'), widget: section, toolbar });

    statusBar?.registerStatusItem('jupyterlab-labscale:runs', {
      item: new RunStatus(watch, trans, () => void commands.execute(CommandIDs.showRuns)),
      align: 'left',
      rank: 40,
      isActive: () => watch.runs.size > 0,
      activeStateChanged: watch.changed
    });

    for (const command of [CommandIDs.showRuns, CommandIDs.promote, CommandIDs.registerContainer, ...runCommands]) {
      palette?.addItem({ command, category: paletteCategory });
    }
    void restorer?.restore(pages, {
      command: CommandIDs.openRun,
      args: (page) => ({ runId: page.content.model.runId }),
      name: (page) => page.content.model.runId
    });
    void restorer?.restore(forms, {
      command: CommandIDs.promote,
      args: (page) => {
        // As it is now, not as it was opened: what was chosen since is kept over a reload.
        const { choice } = page.content.model;
        return {
          parameterSetVersionIds: [...choice.parameterSetVersionIds],
          ...(choice.analysisVersionId === null ? {} : { analysisVersionId: choice.analysisVersionId }),
          ...(choice.datasetVersionId === null ? {} : { datasetVersionId: choice.datasetVersionId }),
          filter: choice.filter,
          pageId: page.id,
          how: {
            trial: choice.trial,
            resources: choice.resources,
            shardsPerPod: choice.shardsPerPod,
            reuse: choice.reuse
          }
        };
      },
      name: (page) => page.id
    });
    void app.restored.then(() => watch.restore());
  }
};

function readStart(
  args: ReadonlyPartialJSONObject
): IPromoteStart & { parameterSetVersionIds?: string[]; analysisVersionId?: string } {
  const ids = args['parameterSetVersionIds'];
  const how = args['how'];
  const text = (key: string) => (typeof args[key] === 'string' && args[key] !== '' ? { [key]: args[key] } : {});
  return {
    ...(Array.isArray(ids) ? { parameterSetVersionIds: ids.filter((id): id is string => typeof id === 'string') } : {}),
    ...text('analysisVersionId'),
    ...text('datasetVersionId'),
    ...text('filter'),
    ...text('pageId'),
    ...(isHow(how) ? { how } : {})
  };
}

/** What the form itself kept; the server judges the numbers. */
function isHow(value: unknown): value is NonNullable<IPromoteStart['how']> {
  if (typeof value !== 'object' || value === null) return false;
  const { trial, resources, reuse } = value as Record<string, unknown>;
  return typeof trial === 'object' && typeof resources === 'object' && resources !== null && typeof reuse === 'boolean';
}
