import type { TranslationBundle } from '@jupyterlab/translation';
import * as React from 'react';
import { formatCount } from '../ui/format-count';
import { useSignal } from '../ui/use-signal';
import type { DatasetPageModel } from './dataset-page-model';

export interface IFilterBarProps {
  model: DatasetPageModel;
  trans: TranslationBundle;
  onSave: (filter: string) => void;
}

const waitMs = 250;

/** The filter over the shard table: typed, taken from a saved query, and saved as one. */
export function FilterBar(props: IFilterBarProps): JSX.Element {
  const { model, trans, onSave } = props;
  useSignal(model.changed);
  const [text, setText] = React.useState(model.filter);
  const timer = React.useRef(0);
  const shown = React.useRef(model.filter);
  // Set from outside (a query of the sidebar, a cell's menu): it replaces what is typed.
  if (model.filter !== shown.current) {
    shown.current = model.filter;
    if (model.filter !== text.trim()) setText(model.filter);
  }
  const change = (next: string) => {
    setText(next);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => model.setFilter(next.trim()), waitMs);
  };
  const { version, shards, queries } = model;
  const fields = version ? [...version.entityNames, ...version.metadataNames] : [];
  const filter = text.trim();
  const query = queries.find((one) => one.filter === filter);
  const total = shards?.total ?? null;
  return (
    <div className="jp-Labscale-FilterBar">
      <input
        type="search"
        className={`jp-Labscale-Input jp-Labscale-grow${model.filterProblem ? ' jp-mod-invalid' : ''}`}
        aria-label={trans.__('Filter of the shards')}
        aria-invalid={model.filterProblem !== null}
        placeholder={
          fields[0] === undefined
            ? trans.__('Words of the key')
            : trans.__('Words of the key, or as %1=value', fields[0])
        }
        list="labscale-filter-fields"
        spellCheck={false}
        value={text}
        onChange={(event) => change(event.target.value)}
      />
      <datalist id="labscale-filter-fields">
        {fields.map((field) => (
          <option key={field} value={`${field}=`} />
        ))}
      </datalist>
      {queries.length > 0 && (
        <select
          className="jp-Labscale-Input jp-Labscale-FilterBar-queries"
          aria-label={trans.__('Saved query')}
          value={query?.id ?? ''}
          onChange={(event) => change(queries.find((one) => one.id === event.target.value)?.filter ?? '')}
        >
          <option value="">{filter === '' || query ? trans.__('All shards') : trans.__('Own filter')}</option>
          {queries.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </select>
      )}
      <button
        type="button"
        className="jp-Labscale-Button"
        disabled={filter === '' || query !== undefined || model.filterProblem !== null}
        onClick={() => onSave(filter)}
      >
        {trans.__('Save as query…')}
      </button>
      <span className="jp-Labscale-dim jp-Labscale-FilterBar-count" role="status">
        {total === null || !version
          ? ''
          : filter === ''
            ? trans._n('%1 shard', '%1 shards', total, formatCount(total))
            : trans.__('%1 of %2', formatCount(total), formatCount(version.shardCount))}
      </span>
      {model.filterProblem !== null && (
        <div className="jp-Labscale-Problem" role="alert">
          {model.filterProblem}
        </div>
      )}
    </div>
  );
}
