import type { AnalysisVersion, JsonValue, ParameterSet, ParameterSetVersion } from '@labscale/schema';
import { UUID } from '@lumino/coreutils';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { ValueEditor, valueProblem } from '../ui/value-editor';
import { sameValue, typeOfValue, valueText } from './value-text';

interface IForkForm {
  name: string;
  note: string;
  values: Map<string, JsonValue | undefined>;
  problems: Map<string, string>;
}

/** Starts a set of one's own from a version, with other values if wanted; gives it, or null where it was cancelled. */
export async function showForkDialog(
  set: ParameterSet,
  version: ParameterSetVersion,
  labscale: ILabscale
): Promise<ParameterSet | null> {
  const { trans, client } = labscale;
  const analysis = await client.call('getAnalysisVersion', { params: { versionId: version.analysisVersionId } });
  const form: IForkForm = {
    name: trans.__('%1 (fork)', set.name),
    note: '',
    values: new Map(Object.entries(version.values)),
    problems: new Map()
  };
  let sent = '';
  let key = UUID.uuid4();
  return showFormDialog<ParameterSet>({
    title: trans.__('Fork “%1”, version %2', set.name, version.number),
    trans,
    accept: trans.__('Fork'),
    className: 'jp-Labscale-SaveDialog',
    body: () => <ForkForm form={form} version={version} analysis={analysis} labscale={labscale} />,
    submit: async () => {
      for (const [name, value] of form.values) {
        const problem = form.problems.get(name) ?? valueProblem(value, specOf(analysis, name, version), trans);
        if (problem !== null) throw new Error(trans.__('%1: %2', name, problem));
      }
      if (form.name.trim() === '') throw new Error(trans.__('Give the set a name.'));
      const body = {
        versionId: version.id,
        name: form.name.trim(),
        values: Object.fromEntries(form.values) as Record<string, JsonValue>,
        ...(form.note === '' ? {} : { note: form.note })
      };
      if (JSON.stringify(body) !== sent) key = UUID.uuid4();
      sent = JSON.stringify(body);
      return client.call('forkParameterSet', { params: { parameterSetId: set.id }, body, idempotencyKey: key });
    }
  });
}

function specOf(analysis: AnalysisVersion, name: string, version: ParameterSetVersion) {
  return (
    analysis.contract.parameters.find((spec) => spec.name === name) ?? {
      type: typeOfValue(version.values[name] ?? null)
    }
  );
}

interface IForkFormProps {
  form: IForkForm;
  version: ParameterSetVersion;
  analysis: AnalysisVersion;
  labscale: ILabscale;
}

function ForkForm(props: IForkFormProps): JSX.Element {
  const { form, version, analysis, labscale } = props;
  const { trans } = labscale;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const name = React.useRef<HTMLInputElement>(null);
  React.useEffect(() => name.current?.select(), []);
  return (
    <div className="jp-Labscale-SaveForm">
      <Field id="labscale-fork-name" label={trans.__('Name')}>
        <input
          ref={name}
          id="labscale-fork-name"
          className="jp-Labscale-Input"
          maxLength={200}
          value={form.name}
          onChange={(event) => {
            form.name = event.target.value;
            draw();
          }}
        />
      </Field>
      <fieldset className="jp-Labscale-SaveForm-part">
        <legend>{trans.__('Values')}</legend>
        {Object.entries(version.values).map(([parameter, before]) => {
          const id = `labscale-fork-value-${parameter}`;
          const value = form.values.get(parameter);
          const differs = value !== undefined && !sameValue(before, value);
          return (
            <div key={parameter} className={`jp-Labscale-SaveForm-value${differs ? ' jp-mod-changed' : ''}`}>
              <label htmlFor={id}>
                <code>{parameter}</code>
              </label>
              <ValueEditor
                trans={trans}
                id={id}
                spec={specOf(analysis, parameter, version)}
                value={value}
                onChange={(next, problem) => {
                  form.values.set(parameter, next);
                  if (problem === null) form.problems.delete(parameter);
                  else form.problems.set(parameter, problem);
                  draw();
                }}
              />
              <span className="jp-Labscale-SaveForm-was">
                {differs ? trans.__('was %1', valueText(before, 24)) : ''}
              </span>
            </div>
          );
        })}
      </fieldset>
      <Field id="labscale-fork-note" label={trans.__('Note')}>
        <textarea
          id="labscale-fork-note"
          className="jp-Labscale-Input"
          rows={2}
          value={form.note}
          onChange={(event) => {
            form.note = event.target.value;
            draw();
          }}
        />
      </Field>
    </div>
  );
}
