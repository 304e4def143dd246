import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { SidePanel, type Toolbar } from '@jupyterlab/ui-components';
import type { AccordionPanel } from '@lumino/widgets';
import { ISidebar, type ISidebarSection } from '../tokens';
import { labscaleIcon } from '../ui/icons';

class Sidebar extends SidePanel implements ISidebar {
  constructor(
    private readonly _app: JupyterFrontEnd,
    translator: ITranslator
  ) {
    super({ translator });
    const trans = translator.load('labscale');
    this.id = 'labscale-sidebar';
    this.addClass('jp-Labscale-Sidebar');
    this.title.icon = labscaleIcon;
    this.title.caption = trans.__('Labscale: datasets, parameters and runs');
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', this.title.caption);
  }

  addSection(section: ISidebarSection): void {
    const widget: ISidebarSection['widget'] & { toolbar?: Toolbar } = section.widget;
    widget.addClass('jp-Labscale-Section');
    widget.title.label = section.title;
    if (section.toolbar) {
      section.toolbar.node.setAttribute('aria-label', section.title);
      widget.toolbar = section.toolbar;
    }
    const at = this._sections.findIndex((other) => other.rank > section.rank);
    const index = at < 0 ? this._sections.length : at;
    this._sections.splice(index, 0, section);
    this.insertWidget(index, widget);
  }

  reveal(id: string, focus = true): void {
    const index = this._sections.findIndex((section) => section.id === id);
    const section = this._sections[index];
    if (!section) return;
    this._app.shell.activateById(this.id);
    (this.content as AccordionPanel).expand(index);
    if (!focus) return;
    // The palette gives the focus back to the main area after the command; this comes after that.
    requestAnimationFrame(() => section.widget.activate());
  }

  private readonly _sections: ISidebarSection[] = [];
}

/** The left sidebar, into which the panels put their sections. */
export const sidebarPlugin: JupyterFrontEndPlugin<ISidebar> = {
  id: 'jupyterlab-labscale:sidebar',
  description: 'The left sidebar of Labscale: datasets, parameters and runs.',
  autoStart: true,
  provides: ISidebar,
  optional: [ITranslator, ILayoutRestorer],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null, restorer: ILayoutRestorer | null): ISidebar => {
    const sidebar = new Sidebar(app, translator ?? nullTranslator);
    app.shell.add(sidebar, 'left', { rank: 350, type: 'Labscale' });
    restorer?.add(sidebar, sidebar.id);
    return sidebar;
  }
};
