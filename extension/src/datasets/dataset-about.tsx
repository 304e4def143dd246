import type { TranslationBundle } from '@jupyterlab/translation';
import type { Dataset, JsonValue } from '@labscale/schema';
import * as React from 'react';
import { ErrorNotice } from '../ui/error-notice';
import { formatAge } from '../ui/format-age';
import { useSignal } from '../ui/use-signal';
import { ValueEditor } from '../ui/value-editor';
import { bucketAddress } from './bucket-address';
import type { DatasetPageModel } from './dataset-page-model';

export interface IDatasetAboutProps {
  model: DatasetPageModel;
  trans: TranslationBundle;
  /** The user of the server; only the owner may edit. */
  user: string | null;
}

/** Where the data of a dataset are, or came from. */
function locationText(source: Dataset['source'], trans: TranslationBundle): string {
  if (source.kind === 'derivatives') return trans.__('the derivatives of the run %1', source.runId);
  if (source.kind === 'bucket') return bucketAddress(source);
  return source.upload ? trans.__('%1, uploaded into the object store', source.path) : source.path;
}

/** Name, description and metadata, with an editor for the owner. */
export function DatasetAbout(props: IDatasetAboutProps): JSX.Element {
  const { model, trans, user } = props;
  useSignal(model.changed);
  const [editing, setEditing] = React.useState(false);
  const { dataset } = model;
  if (!dataset) return <></>;
  if (editing) return <AboutEditor dataset={dataset} model={model} trans={trans} onDone={() => setEditing(false)} />;
  const facts: [string, React.ReactNode][] = [
    [trans.__('Description'), dataset.description || <span className="jp-Labscale-dim">{trans.__('none yet')}</span>],
    [trans.__('Location'), locationText(dataset.source, trans)],
    [trans.__('Owner'), dataset.owner],
    [trans.__('Registered'), formatAge(dataset.createdAt)],
    ...Object.entries(dataset.metadata).map(([name, value]): [string, React.ReactNode] => [
      name,
      typeof value === 'string' ? value : JSON.stringify(value)
    ])
  ];
  return (
    <div className="jp-Labscale-About">
      <dl>
        {facts.map(([name, value]) => (
          <React.Fragment key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </React.Fragment>
        ))}
      </dl>
      <button
        type="button"
        className="jp-Labscale-Button"
        disabled={user !== null && user !== dataset.owner}
        title={user !== null && user !== dataset.owner ? trans.__('Only %1 may edit this.', dataset.owner) : undefined}
        onClick={() => setEditing(true)}
      >
        {trans.__('Edit')}
      </button>
    </div>
  );
}

interface IAboutEditorProps {
  dataset: Dataset;
  model: DatasetPageModel;
  trans: TranslationBundle;
  onDone: () => void;
}

interface IEntry {
  id: number;
  name: string;
  value: JsonValue | undefined;
}

function AboutEditor(props: IAboutEditorProps): JSX.Element {
  const { dataset, model, trans, onDone } = props;
  const [name, setName] = React.useState(dataset.name);
  const [description, setDescription] = React.useState(dataset.description);
  const [entries, setEntries] = React.useState<IEntry[]>(
    Object.entries(dataset.metadata).map(([key, value], id) => ({ id, name: key, value }))
  );
  const [error, setError] = React.useState<unknown>(null);
  const nextId = React.useRef(entries.length);
  const names = entries.map((entry) => entry.name.trim());
  const problem =
    name.trim() === ''
      ? trans.__('The name is empty.')
      : names.includes('')
        ? trans.__('A name of the metadata is empty.')
        : new Set(names).size < names.length
          ? trans.__('A name of the metadata comes twice.')
          : entries.some((entry) => entry.value === undefined)
            ? trans.__('A value of the metadata is not finished.')
            : null;
  const set = (id: number, change: Partial<IEntry>) =>
    setEntries(entries.map((entry) => (entry.id === id ? { ...entry, ...change } : entry)));
  const save = async () => {
    // fromEntries defines, so that a key like __proto__ stays a key.
    const metadata = Object.fromEntries(entries.map((entry) => [entry.name.trim(), entry.value as JsonValue]));
    try {
      await model.update({ name: name.trim(), description, metadata });
      onDone();
    } catch (failure) {
      setError(failure);
    }
  };
  return (
    <form
      className="jp-Labscale-About"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === null) void save();
      }}
    >
      <div className="jp-Labscale-Field">
        <label htmlFor="labscale-about-name">{trans.__('Name')}</label>
        <input
          id="labscale-about-name"
          className="jp-Labscale-Input"
          value={name}
          maxLength={200}
          onChange={(event) => setName(event.target.value)}
        />
      </div>
      <div className="jp-Labscale-Field">
        <label htmlFor="labscale-about-description">{trans.__('Description')}</label>
        <textarea
          id="labscale-about-description"
          className="jp-Labscale-Input"
          rows={4}
          value={description}
          onChange={(event) => setDescription(event.target.value)}
        />
      </div>
      <div className="jp-Labscale-Field">
        <span className="jp-Labscale-Field-label">{trans.__('Metadata (values as JSON: "text", 3, true)')}</span>
        {entries.map((entry) => (
          <div key={entry.id} className="jp-Labscale-Field-row">
            <input
              className="jp-Labscale-Input jp-Labscale-About-name"
              aria-label={trans.__('Name of the entry')}
              value={entry.name}
              onChange={(event) => set(entry.id, { name: event.target.value })}
            />
            <ValueEditor
              id={`labscale-about-${entry.id}`}
              label={trans.__('Value of %1', entry.name)}
              trans={trans}
              spec={{ type: 'any' }}
              value={entry.value}
              onChange={(value) => set(entry.id, { value })}
            />
            <button
              type="button"
              className="jp-Labscale-Button"
              onClick={() => setEntries(entries.filter((one) => one.id !== entry.id))}
            >
              {trans.__('Remove')}
            </button>
          </div>
        ))}
        <div>
          <button
            type="button"
            className="jp-Labscale-Button"
            onClick={() => {
              nextId.current += 1;
              setEntries([...entries, { id: nextId.current, name: '', value: '' }]);
            }}
          >
            {trans.__('Add an entry')}
          </button>
        </div>
      </div>
      {problem !== null && <div className="jp-Labscale-Problem">{problem}</div>}
      {error !== null && <ErrorNotice error={error} trans={trans} />}
      <div className="jp-Labscale-Field-row">
        <button type="submit" className="jp-Labscale-Button jp-mod-accept" disabled={problem !== null}>
          {trans.__('Save')}
        </button>
        <button type="button" className="jp-Labscale-Button" onClick={onDone}>
          {trans.__('Cancel')}
        </button>
      </div>
    </form>
  );
}
