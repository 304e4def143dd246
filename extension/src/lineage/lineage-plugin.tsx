import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { MainAreaWidget, WidgetTracker } from '@jupyterlab/apputils';
import type { CommandRegistry } from '@lumino/commands';
import * as React from 'react';
import { CommandIDs } from '../commands';
import { ILabscale } from '../tokens';
import { lineageIcon } from '../ui/icons';
import { LazyReactWidget } from '../ui/lazy-react-widget';
import { LineageView } from './lineage-view';

class LineagePage extends LazyReactWidget {
  constructor(
    private readonly _labscale: ILabscale,
    private readonly _commands: CommandRegistry,
    readonly about: string,
    readonly name: string
  ) {
    super();
    this.addClass('jp-Labscale-Page');
    this.title.icon = lineageIcon;
    this.title.label = name ? _labscale.trans.__('Lineage of %1', name) : _labscale.trans.__('Lineage');
  }
  protected renderVisible(): JSX.Element {
    return <LineageView labscale={this._labscale} commands={this._commands} id={this.about} />;
  }
}

/** Opens the lineage of anything as a page of its own. */
export const lineagePlugin: JupyterFrontEndPlugin<void> = {
  id: 'jupyterlab-labscale:lineage',
  description: 'What something was made from, and what was made from it.',
  autoStart: true,
  requires: [ILabscale],
  optional: [ILayoutRestorer],
  activate: (app: JupyterFrontEnd, labscale: ILabscale, restorer: ILayoutRestorer | null): void => {
    const pages = new WidgetTracker<MainAreaWidget<LineagePage>>({ namespace: 'labscale-lineage' });
    app.commands.addCommand(CommandIDs.openLineage, {
      label: labscale.trans.__('Show Lineage'),
      caption: labscale.trans.__('Show what something was made from and what was made from it'),
      icon: lineageIcon,
      describedBy: {
        args: {
          type: 'object',
          properties: {
            id: { type: 'string', description: 'Of a dataset version, snippet, analysis version, set version or run.' },
            name: { type: 'string', description: 'What the tab is called.' }
          },
          required: ['id']
        }
      },
      execute: async (args) => {
        const id = String(args['id'] ?? '');
        if (id === '') return;
        let page = pages.find((one) => one.content.about === id);
        if (!page) {
          page = new MainAreaWidget({
            content: new LineagePage(labscale, app.commands, id, String(args['name'] ?? ''))
          });
          page.toolbar.hide();
          page.id = `labscale-lineage-${id}`;
          await pages.add(page);
        }
        if (!page.isAttached) app.shell.add(page, 'main', { type: 'Lineage' });
        app.shell.activateById(page.id);
      }
    });
    void restorer?.restore(pages, {
      command: CommandIDs.openLineage,
      args: (page) => ({ id: page.content.about, name: page.content.name }),
      name: (page) => page.content.about
    });
  }
};
