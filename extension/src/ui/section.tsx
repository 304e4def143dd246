import { searchIcon } from '@jupyterlab/ui-components';
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
    this.addClass(cssClass);
    this.visibilityChanged.connect((_, visible) => (visible ? model.resume() : model.pause()));
  }

  protected renderVisible(): JSX.Element {
    return this._draw();
  }

  protected override onActivateRequest(): void {
    focusFirst(this.node, '[role="tree"], [role="listbox"]', 'input');
  }
}

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
