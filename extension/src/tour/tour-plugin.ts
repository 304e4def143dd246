import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ILauncher } from '@jupyterlab/launcher';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import type { Dataset } from '@labscale/schema';
import { CommandIDs, paletteCategory } from '../commands';
import { setSnippet } from '../datasets/open-snippet';
import { ILabscale, ISidebar } from '../tokens';
import { labscaleIcon } from '../ui/icons';
import type { ITourStep } from './tour-steps';
import { visibleBox } from './visible-box';

const demo = { name: 'Handwritten digits', folder: 'digits/data', notebook: 'digits/denoise.ipynb' };

const pictureSelector = '.jp-NotebookPanel .jp-OutputArea-output img';

/** The tour through the main job, on the demo data. */
export const tourPlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:tour',
  description: 'The tour, and its card in the launcher.',
  autoStart: true,
  requires: [ILabscale, ISidebar, IDocumentManager],
  optional: [ILauncher, ICommandPalette, INotebookTracker],
  activate: (
    app: JupyterFrontEnd,
    labscale: ILabscale,
    sidebar: ISidebar,
    docManager: IDocumentManager,
    launcher: ILauncher | null,
    palette: ICommandPalette | null,
    notebooks: INotebookTracker | null
  ): void => {
    const { trans } = labscale;
    let running: { isDisposed: boolean; dispose: () => void } | null = null;
    app.commands.addCommand(CommandIDs.takeTour, {
      label: (args) => (args['isLauncher'] ? trans.__('Labscale: take the tour') : trans.__('Take the Tour')),
      caption: trans.__('Tune on a snippet, run on every shard: the way in eight steps'),
      icon: labscaleIcon,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: async () => {
        running?.dispose();
        // Only now: the tour is taken once, and must not weigh on every start.
        const { Tour } = await import('./tour');
        const tour = new Tour(tourSteps(app, labscale, sidebar, docManager, notebooks), trans);
        running = tour;
        tour.open();
      }
    });
    palette?.addItem({ command: CommandIDs.takeTour, category: paletteCategory });
    // Behind the first cards of the category: the very first one gives the category its icon.
    launcher?.add({ command: CommandIDs.takeTour, category: 'Other', rank: 4, args: { isLauncher: true } });
  }
};

function inSight(element: HTMLElement | null): HTMLElement | null {
  return visibleBox(element) === null ? null : element;
}

function visible(selector: string): HTMLElement | null {
  for (const element of document.querySelectorAll<HTMLElement>(selector)) {
    if (element.offsetParent !== null) return element;
  }
  return null;
}

function tourSteps(
  app: JupyterFrontEnd,
  labscale: ILabscale,
  sidebar: ISidebar,
  docManager: IDocumentManager,
  notebooks: INotebookTracker | null
): ITourStep[] {
  const { trans, client } = labscale;
  const { commands, shell } = app;

  const findDemo = async (): Promise<Dataset | null> => {
    const { items } = await client.call('listDatasets', { query: { search: demo.name, limit: 100 } });
    return items.find((one) => one.name === demo.name) ?? null;
  };
  const needDemo = async (): Promise<Dataset> =>
    (await findDemo()) ??
    client.call('createDataset', {
      body: { name: demo.name, source: { kind: 'folder', path: demo.folder, layout: 'file-per-shard' } },
      idempotencyKey: `tour-${demo.folder}`
    });
  const untilReady = async (dataset: Dataset): Promise<Dataset> => {
    let now = dataset;
    for (let turn = 0; now.latestVersion.indexing.state === 'digesting' && turn < 100; turn += 1) {
      await new Promise((resolve) => window.setTimeout(resolve, 200));
      now = await client.call('getDataset', { params: { datasetId: dataset.id } });
    }
    return now;
  };
  const openNotebook = async (): Promise<void> => {
    const dataset = await untilReady(await needDemo());
    const snippet = await client.call('createSnippet', {
      body: { datasetVersionId: dataset.latestVersion.id, count: 4, seed: 7 },
      idempotencyKey: `tour-${dataset.latestVersion.id}`
    });
    const widget = docManager.openOrReveal(demo.notebook) as NotebookPanel | undefined;
    if (!widget) throw new Error(trans.__('The notebook %1 cannot be opened.', demo.notebook));
    await widget.context.ready;
    await setSnippet(widget, snippet);
  };
  const notebookPanel = (): NotebookPanel | null => notebooks?.currentWidget ?? null;
  const showNotebook = () => {
    const panel = notebookPanel();
    if (panel) shell.activateById(panel.id);
  };
  const parametersCell = (): HTMLElement | null => {
    const cells = notebookPanel()?.content.widgets ?? [];
    const cell = cells.find((one) => {
      const tags = one.model.getMetadata('tags') as unknown;
      return Array.isArray(tags) && tags.includes('parameters');
    });
    return cell?.node ?? null;
  };

  return [
    {
      id: 'datasets',
      title: trans.__('Datasets'),
      text: trans.__(
        'A dataset is a folder seen as **shards**: pieces that are worked on one by one. Its files stay where they are. The demo is %1: 100 small stacks of pictures.',
        demo.name
      ),
      show: () => sidebar.reveal('labscale-datasets', false),
      target: () => visible('#labscale-datasets'),
      action: {
        label: trans.__('Register it'),
        run: async () => void (await needDemo()),
        goesOn: true,
        wanted: async () => (await findDemo()) === null
      }
    },
    {
      id: 'snippet',
      title: trans.__('A snippet to tune on'),
      text: trans.__(
        'The scissors cut a **snippet**, a few shards picked by a seed, and open it in a notebook. Here it goes into a notebook that takes noise out of pictures.'
      ),
      show: () => sidebar.reveal('labscale-datasets', false),
      target: () => visible('.jp-Labscale-Sidebar [data-command="labscale:open-snippet"]'),
      action: { label: trans.__('Open it'), run: openNotebook, goesOn: true }
    },
    {
      id: 'parameters-cell',
      title: trans.__('What you tune'),
      text: trans.__(
        'The cell tagged **parameters** holds what you tune. Run all cells, look at the picture and at psnr, change sigma, and run again until you like it.'
      ),
      show: () => {
        showNotebook();
        parametersCell()?.scrollIntoView({ block: 'center' });
      },
      // Lab goes to the last cell that it ran.
      target: () => inSight(parametersCell()) ?? inSight(visible(pictureSelector)),
      missing: trans.__('The cell is in the notebook: scroll up to it, or go one step back and choose "Open it".'),
      action: {
        label: trans.__('Run all cells'),
        run: async () => {
          await commands.execute('notebook:run-all-cells');
          visible(pictureSelector)?.scrollIntoView({ block: 'center' });
        }
      }
    },
    {
      id: 'save-parameters',
      title: trans.__('Save parameters'),
      text: trans.__(
        'Keeps the values as they are now in the kernel, with the metrics, the picture and where they come from, as a **parameter set** with versions.'
      ),
      show: showNotebook,
      target: () => visible('[data-jp-item-name="labscale-save-parameters"]'),
      missing: trans.__('The button is in the toolbar of the notebook.')
    },
    {
      id: 'promote',
      title: trans.__('Promote'),
      text: trans.__('Takes the notebook and the saved set to **every shard** of the dataset. Nothing starts yet.'),
      show: showNotebook,
      target: () => visible('[data-jp-item-name="labscale-promote"]'),
      missing: trans.__('The button is in the toolbar of the notebook.'),
      done: () => visible('.jp-Labscale-Promote') !== null
    },
    {
      id: 'plan',
      title: trans.__('The plan'),
      text: trans.__(
        'Beside the form stands what would be done: tasks, what is **reused** because it was done before, how long it takes. The button says it too, and starts it.'
      ),
      target: () => visible('.jp-Labscale-Promote-plan') ?? visible('.jp-Labscale-Promote'),
      missing: trans.__('Choose Promote in the toolbar of the notebook to see it.'),
      done: () => visible('.jp-Labscale-RunPage') !== null
    },
    {
      id: 'run',
      title: trans.__('The run'),
      text: trans.__(
        'One cell a **task**, one task a shard. Failures are grouped, with their logs; what failed can be tried again. Closing the browser changes nothing for a run.'
      ),
      target: () => visible('.jp-Labscale-RunPage') ?? visible('#labscale-runs'),
      show: () => {
        if (!visible('.jp-Labscale-RunPage')) sidebar.reveal('labscale-runs', false);
      },
      missing: trans.__('Start a run from the plan to see it.')
    },
    {
      id: 'derivatives',
      title: trans.__('Derivatives'),
      text: trans.__(
        'What the run published is a **dataset of its own**, with the way back to shard, notebook, parameters and run. It can be cut, tuned on and promoted like any other.'
      ),
      show: async () => {
        const dataset = await findDemo();
        if (dataset) await commands.execute(CommandIDs.showDerivatives, { datasetId: dataset.id });
      },
      target: () => visible('.jp-Labscale-DatasetPage')
    }
  ];
}
