import { searchIcon } from '@jupyterlab/ui-components';
import type { Message } from '@lumino/messaging';
import * as React from 'react';
import { focusFirst } from './focus-first';
import { LazyReactWidget } from './lazy-react-widget';

/** What a section shows; it reads only while it is resumed. */
interface ISectionModel {
  resume: () => void;
  pause: () => void;
}

/** A section of the sidebar, whose model goes on only while it is seen. */
export class Section extends LazyReactWidget {
  constructor(
    id: string,
    cssClass: string,
    model: ISectionModel,
    private readonly _draw: () => JSX.Element
  ) {
    super();
    this.id = id;
    this.node.tabIndex = -1;
    this.addClass(cssClass);
    this.visibilityChanged.connect((_, visible) => (visible ? model.resume() : model.pause()));
  }

  protected renderVisible(): JSX.Element {
    return this._draw();
  }

  protected override onActivateRequest(): void {
    focusFirst(this.node, list, 'input');
    if (this.node.querySelector(list) !== null) return;
    // Opened for the first time it has nothing to give the focus to before its model has answered.
    if (!this.node.contains(document.activeElement)) this.node.focus({ preventScroll: true });
    this._drawn.observe(this.node, { childList: true, subtree: true });
  }

  protected override onBeforeHide(msg: Message): void {
    this._drawn.disconnect();
    super.onBeforeHide(msg);
  }

  override dispose(): void {
    this._drawn.disconnect();
    super.dispose();
  }

  private readonly _drawn = new MutationObserver(() => {
    const found = this.node.querySelector<HTMLElement>(list);
    if (!found) return;
    this._drawn.disconnect();
    const { activeElement } = document;
    // What had the focus may be gone, as the palette is; who went on to something else stays there.
    if (activeElement !== document.body && !this.node.contains(activeElement)) return;
    // Who types already is left alone.
    if (!(activeElement instanceof HTMLInputElement) || activeElement.value === '')
      found.focus({ preventScroll: true });
  });
}

const list = '[role="tree"], [role="listbox"]';

/** The field above the list of a section. */
export function SearchField(props: {
  model: { search: string; setSearch: (search: string) => void };
  placeholder: string;
  label: string;
}): JSX.Element {
  const { model, placeholder, label } = props;
  return (
    <div className="jp-Labscale-Search">
      <searchIcon.react tag="span" className="jp-Labscale-Search-icon" />
      <input
        type="search"
        className="jp-Labscale-Input"
        placeholder={placeholder}
        aria-label={label}
        value={model.search}
        onChange={(event) => model.setSearch(event.target.value)}
      />
    </div>
  );
}
