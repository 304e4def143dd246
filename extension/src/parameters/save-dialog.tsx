import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import type { JsonValue, ParameterSet } from '@labscale/schema';
import { UUID } from '@lumino/coreutils';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { ListState } from '../ui/list-state';
import { ValueEditor } from '../ui/value-editor';
import { asParameter, gatherDraft, type IDraftParameter, type IDraftVariable, type ISaveDraft } from './save-draft';
import { chosenParameters, formProblem, newForm, previousSet, type ISaveForm } from './save-form';
import { saveDraft } from './save-parameters';
import { metricText, sameValue, valueText } from './value-text';

/** Shows what would be saved of a notebook and saves it; gives the set, or null where it was cancelled. */
export async function showSaveDialog(
  panel: NotebookPanel,
  labscale: ILabscale,
  contents: Contents.IManager
): Promise<ParameterSet | null> {
  const { trans } = labscale;
  const holder: IHolder = { form: null, gathering: null };
  let sent = '';
  let key = UUID.uuid4();
  return showFormDialog<ParameterSet>({
    title: trans.__('Save parameters'),
    trans,
    accept: trans.__('Save'),
    className: 'jp-Labscale-SaveDialog',
    body: () => <SaveBody holder={holder} panel={panel} labscale={labscale} />,
    submit: async () => {
      // Enter may be quicker than the kernel.
      const form = holder.form ?? (await holder.gathering?.catch(() => null)) ?? null;
      if (form === null) return null;
      const problem = formProblem(form, trans);
      if (problem !== null) throw new Error(problem);
      const values = Object.fromEntries(chosenParameters(form).map(({ name }) => [name, form.values.get(name)]));
      // One key for one request: pressed again after a lost answer it saves once, corrected it is another request.
      const asked = JSON.stringify([form.name, form.note, form.tags, values, form.metrics, form.picture]);
      if (asked !== sent) key = UUID.uuid4();
      sent = asked;
      return saveDraft(form, panel, labscale, contents, key);
    }
  });
}

interface IHolder {
  form: ISaveForm | null;
  /** What the form is being made from. */
  gathering: Promise<ISaveForm> | null;
}

interface ISaveBodyProps {
  holder: IHolder;
  panel: NotebookPanel;
  labscale: ILabscale;
}

function SaveBody(props: ISaveBodyProps): JSX.Element {
  const { holder, panel, labscale } = props;
  const { trans } = labscale;
  const [error, setError] = React.useState<unknown>(null);
  const [round, setRound] = React.useState(0);
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  React.useEffect(() => {
    let wanted = true;
    setError(null);
    holder.gathering = gatherDraft(panel, labscale).then(newForm);
    holder.gathering.then(
      (form) => {
        if (!wanted) return;
        holder.form = form;
        draw();
      },
      (reason: unknown) => wanted && setError(reason)
    );
    return () => {
      wanted = false;
    };
  }, [holder, labscale, panel, round]);
  return (
    <ListState
      trans={trans}
      loading={holder.form === null}
      error={error}
      empty={false}
      emptyText=""
      onRetry={() => setRound(round + 1)}
    >
      {holder.form && <SaveForm form={holder.form} trans={trans} onChange={draw} />}
    </ListState>
  );
}

interface ISaveFormProps {
  form: ISaveForm;
  trans: TranslationBundle;
  onChange: () => void;
}

function SaveForm(props: ISaveFormProps): JSX.Element {
  const { form, trans } = props;
  const { draft } = form;
  const name = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => name.current?.select(), []);
  const set = (change: Partial<ISaveForm>) => {
    Object.assign(form, change);
    props.onChange();
  };
  const previous = previousSet(draft, form.name);
  const last = previous ?? draft.sets[0] ?? null;
  return (
    <div className="jp-Labscale-SaveForm">
      <Field
        id="labscale-save-name"
        label={trans.__('Name')}
        help={
          previous === null
            ? trans.__('A new set.')
            : trans.__(
                'Becomes version %1 of this set; another name starts a new one.',
                previous.latestVersion.number + 1
              )
        }
      >
        <input
          ref={name}
          id="labscale-save-name"
          className="jp-Labscale-Input"
          value={form.name}
          maxLength={200}
          onChange={(event) => set({ name: event.target.value })}
        />
      </Field>
      <CaptureNote draft={draft} trans={trans} />
      {draft.parameters.length > 0 && <Values form={form} last={last} trans={trans} onChange={props.onChange} />}
      <Variables form={form} trans={trans} onChange={props.onChange} />
      <Metrics form={form} last={last} trans={trans} onChange={props.onChange} />
      <Pictures form={form} trans={trans} onChange={props.onChange} />
      <div className="jp-Labscale-SaveForm-words">
        <Field id="labscale-save-note" label={trans.__('Note')}>
          <textarea
            id="labscale-save-note"
            className="jp-Labscale-Input"
            rows={2}
            maxLength={20_000}
            value={form.note}
            onChange={(event) => set({ note: event.target.value })}
          />
        </Field>
        <Field id="labscale-save-tags" label={trans.__('Tags')} help={trans.__('Separated by commas.')}>
          <input
            id="labscale-save-tags"
            className="jp-Labscale-Input"
            value={form.tags}
            onChange={(event) => set({ tags: event.target.value })}
          />
        </Field>
      </div>
    </div>
  );
}

/** Says where the values come from when it is not the kernel. */
function CaptureNote(props: { draft: ISaveDraft; trans: TranslationBundle }): JSX.Element | null {
  const { capture, hasCell } = props.draft;
  const { trans } = props;
  const texts: Record<NonNullable<typeof capture.lack>, string> = {
    'no-kernel': trans.__('No kernel is running: these are the values that the cell says.'),
    busy: trans.__('The kernel is busy: these are the values that the cell says, not those it has in memory.'),
    'other-language': trans.__('Kernels of this language are not asked: these are the values that the cell says.'),
    failed: trans.__('The kernel gave no answer: these are the values that the cell says.')
  };
  const lines = [
    ...(hasCell
      ? []
      : [trans.__('This notebook has no cell tagged “parameters”. The variables that you choose are put into one.')]),
    ...(capture.lack === null ? [] : [texts[capture.lack]])
  ];
  if (lines.length === 0) return null;
  return (
    <div className="jp-Labscale-SaveForm-hint" role="status" title={capture.detail ?? undefined}>
      {lines.join(' ')}
    </div>
  );
}

interface IPartProps {
  form: ISaveForm;
  trans: TranslationBundle;
  onChange: () => void;
}

function Values(props: IPartProps & { last: ParameterSet | null }): JSX.Element {
  const { form, last, trans } = props;
  const parameters = form.draft.parameters;
  const before = last?.latestVersion.values ?? null;
  const changed =
    before === null ? null : parameters.filter(({ name }) => !sameValue(before[name], form.values.get(name))).length;
  return (
    <fieldset className="jp-Labscale-SaveForm-part">
      <legend>
        {trans.__('Values')}
        {last !== null && changed !== null && (
          <span className="jp-Labscale-SaveForm-legendNote">
            {changed === 0
              ? trans.__('nothing differs from “%1”, version %2', last.name, last.latestVersion.number)
              : trans._n(
                  '%1 differs from “%2”, version %3',
                  '%1 differ from “%2”, version %3',
                  changed,
                  last.name,
                  last.latestVersion.number
                )}
          </span>
        )}
      </legend>
      {parameters.map((parameter) => (
        <ValueRow key={parameter.name} parameter={parameter} before={before?.[parameter.name]} {...props} />
      ))}
    </fieldset>
  );
}

function ValueRow(props: IPartProps & { parameter: IDraftParameter; before: JsonValue | undefined }): JSX.Element {
  const { form, parameter, before, trans } = props;
  const { name, spec } = parameter;
  const id = `labscale-save-value-${name}`;
  const value = form.values.get(name);
  const differs = before !== undefined && value !== undefined && !sameValue(before, value);
  const said = parameter.textValue;
  const notes = [
    ...(differs ? [trans.__('was %1', valueText(before, 24))] : []),
    ...(parameter.origin === 'kernel' && said !== undefined && !sameValue(said, parameter.value)
      ? [trans.__('the cell says %1', valueText(said, 24))]
      : []),
    ...(parameter.origin === 'widgets' ? [trans.__('from the widget')] : []),
    ...(parameter.problem !== null ? [trans.__('in the kernel it %1', parameter.problem)] : [])
  ];
  return (
    <div className={`jp-Labscale-SaveForm-value${differs ? ' jp-mod-changed' : ''}`}>
      <label htmlFor={id} title={spec.description}>
        <code>{name}</code>
        {spec.unit && <span className="jp-Labscale-SaveForm-unit">{spec.unit}</span>}
      </label>
      <ValueEditor
        trans={trans}
        id={id}
        spec={spec}
        value={value}
        onChange={(next, problem) => {
          form.values.set(name, next);
          if (problem === null) form.problems.delete(name);
          else form.problems.set(name, problem);
          props.onChange();
        }}
      />
      <span className="jp-Labscale-SaveForm-was">{notes.join(', ')}</span>
      {spec.description && <div className="jp-Labscale-Field-help">{spec.description}</div>}
    </div>
  );
}

function Variables(props: IPartProps): JSX.Element | null {
  const { form, trans } = props;
  const { variables, hasCell } = form.draft;
  if (variables.length === 0) {
    return hasCell ? null : (
      <div className="jp-Labscale-SaveForm-hint">
        {trans.__('No simple variables were found. Write the values to tune as “name = value” in a cell, and run it.')}
      </div>
    );
  }
  const list = (
    <div className="jp-Labscale-SaveForm-variables">
      {variables.map((variable) => (
        <VariableRow key={variable.name} variable={variable} {...props} />
      ))}
    </div>
  );
  return hasCell ? (
    <details className="jp-Labscale-SaveForm-part" open={form.ticked.size > 0}>
      <summary>{trans._n('%1 more variable', '%1 more variables', variables.length)}</summary>
      {list}
    </details>
  ) : (
    <fieldset className="jp-Labscale-SaveForm-part">
      <legend>{trans.__('Variables')}</legend>
      {list}
    </fieldset>
  );
}

function VariableRow(props: IPartProps & { variable: IDraftVariable }): JSX.Element {
  const { form, variable, trans } = props;
  const { name } = variable;
  const ticked = form.ticked.has(name);
  const tick = () => {
    if (ticked) form.ticked.delete(name);
    else {
      form.ticked.add(name);
      form.values.set(name, variable.value);
    }
    props.onChange();
  };
  return (
    <div className="jp-Labscale-SaveForm-variable">
      <label>
        <input type="checkbox" checked={ticked} onChange={tick} />
        <code>{name}</code>
        {variable.origin === 'widgets' && <span className="jp-Labscale-SaveForm-unit">{trans.__('widget')}</span>}
      </label>
      {ticked ? (
        <ValueEditor
          trans={trans}
          id={`labscale-save-value-${name}`}
          label={name}
          spec={asParameter(variable).spec}
          value={form.values.get(name)}
          onChange={(next, problem) => {
            form.values.set(name, next);
            if (problem === null) form.problems.delete(name);
            else form.problems.set(name, problem);
            props.onChange();
          }}
        />
      ) : (
        <span className="jp-Labscale-SaveForm-was">{valueText(variable.value)}</span>
      )}
    </div>
  );
}

function Metrics(props: IPartProps & { last: ParameterSet | null }): JSX.Element {
  const { form, last, trans } = props;
  const [name, setName] = React.useState('');
  const [value, setValue] = React.useState('');
  const number = value.trim() === '' ? NaN : Number(value);
  const add = () => {
    if (name.trim() === '' || !Number.isFinite(number)) return;
    form.metrics = { ...form.metrics, [name.trim()]: number };
    setName('');
    setValue('');
    props.onChange();
  };
  const before = last?.latestVersion.metrics ?? {};
  return (
    <fieldset className="jp-Labscale-SaveForm-part">
      <legend>{trans.__('Metrics')}</legend>
      {Object.entries(form.metrics).map(([metric, found]) => (
        <div key={metric} className="jp-Labscale-SaveForm-value">
          <code>{metric}</code>
          <span>{metricText(found)}</span>
          <span className="jp-Labscale-SaveForm-was">
            {before[metric] !== undefined && before[metric] !== found
              ? trans.__('was %1', metricText(before[metric]))
              : ''}
          </span>
          <button
            type="button"
            className="jp-Labscale-IconButton"
            aria-label={trans.__('Leave out %1', metric)}
            title={trans.__('Leave out %1', metric)}
            onClick={() => {
              form.metrics = Object.fromEntries(Object.entries(form.metrics).filter(([one]) => one !== metric));
              props.onChange();
            }}
          >
            ×
          </button>
        </div>
      ))}
      <div className="jp-Labscale-SaveForm-addMetric">
        <input
          className="jp-Labscale-Input"
          placeholder={trans.__('name')}
          aria-label={trans.__('Name of a metric')}
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <input
          className="jp-Labscale-Input"
          inputMode="decimal"
          placeholder={trans.__('number')}
          aria-label={trans.__('Value of the metric')}
          value={value}
          onChange={(event) => setValue(event.target.value)}
        />
        <button
          type="button"
          className="jp-Labscale-Button"
          disabled={name.trim() === '' || !Number.isFinite(number)}
          onClick={add}
        >
          {trans.__('Add')}
        </button>
      </div>
    </fieldset>
  );
}

function Pictures(props: IPartProps): JSX.Element | null {
  const { form, trans } = props;
  const { images } = form.draft;
  if (images.length === 0) return null;
  const choose = (picture: number | null) => {
    form.picture = picture;
    props.onChange();
  };
  return (
    <fieldset className="jp-Labscale-SaveForm-part">
      <legend>{trans.__('Picture')}</legend>
      <div className="jp-Labscale-SaveForm-pictures" role="radiogroup" aria-label={trans.__('Picture')}>
        {images.map((image, index) => (
          <label key={index} className={form.picture === index ? 'jp-mod-selected' : undefined}>
            <input
              type="radio"
              name="labscale-save-picture"
              checked={form.picture === index}
              onChange={() => choose(index)}
            />
            <img
              src={`data:${image.mediaType};base64,${image.base64}`}
              alt={trans.__('Picture %1, from cell %2', index + 1, image.cellIndex + 1)}
            />
          </label>
        ))}
        <label className={form.picture === null ? 'jp-mod-selected' : undefined}>
          <input
            type="radio"
            name="labscale-save-picture"
            checked={form.picture === null}
            onChange={() => choose(null)}
          />
          <span>{trans.__('None')}</span>
        </label>
      </div>
    </fieldset>
  );
}
