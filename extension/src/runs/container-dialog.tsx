import type { Adapter, Analysis } from '@labscale/schema';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { changeContainerForm, containerBody, emptyContainerForm, type IContainerForm } from './container-form';

/** Asks for a container image and registers it; gives the analysis, or null where it was cancelled. */
export async function showContainerDialog(labscale: ILabscale): Promise<Analysis | null> {
  const { trans, client } = labscale;
  const form = { ...emptyContainerForm };
  return showFormDialog<Analysis>({
    title: trans.__('Register a container image'),
    trans,
    accept: trans.__('Register'),
    body: () => <ContainerForm form={form} labscale={labscale} />,
    // No key: the same image by the same name is the same version however often it is sent.
    submit: () => client.call('createAnalysis', { body: containerBody(form, trans) })
  });
}

function ContainerForm(props: { form: IContainerForm; labscale: ILabscale }): JSX.Element {
  const { form, labscale } = props;
  const { trans } = labscale;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const set = (change: Partial<IContainerForm>) => {
    changeContainerForm(form, change);
    draw();
  };
  const adapters: [Adapter, string, string][] = [
    ['plain', trans.__('any program'), trans.__('given the arguments below')],
    ['bids-app', trans.__('a BIDS App'), trans.__('given input, output, participant and the arguments below')],
    ['chris', trans.__('a ChRIS plugin'), trans.__('given a flag for each parameter, then input and output')]
  ];
  return (
    <>
      <Field id="labscale-container-image" label={trans.__('Image')} help={trans.__('As registry.example/name:tag')}>
        <input
          id="labscale-container-image"
          className="jp-Labscale-Input"
          value={form.image}
          autoFocus
          spellCheck={false}
          onChange={(event) => set({ image: event.target.value })}
        />
      </Field>
      <Field id="labscale-container-name" label={trans.__('Name')}>
        <input
          id="labscale-container-name"
          className="jp-Labscale-Input"
          value={form.name}
          maxLength={200}
          onChange={(event) => set({ name: event.target.value })}
        />
      </Field>
      <fieldset className="jp-Labscale-Choices">
        <legend>{trans.__('It is')}</legend>
        {adapters.map(([adapter, label, help]) => (
          <label key={adapter}>
            <input
              type="radio"
              name="labscale-container-adapter"
              checked={form.adapter === adapter}
              onChange={() => set({ adapter })}
            />
            <span>{label}</span>
            <span className="jp-Labscale-dim">{help}</span>
          </label>
        ))}
      </fieldset>
      <Field
        id="labscale-container-command"
        label={trans.__('Arguments')}
        help={trans.__(
          'One a line; {name} is the value of a parameter, {input}, {output} and {params} are where they lie. Nothing: what the image says itself.'
        )}
      >
        <textarea
          id="labscale-container-command"
          className="jp-Labscale-Input"
          rows={4}
          spellCheck={false}
          value={form.command}
          onChange={(event) => set({ command: event.target.value })}
        />
      </Field>
      <Field
        id="labscale-container-parameters"
        label={trans.__('Parameters')}
        help={trans.__('name=default, one a line')}
      >
        <textarea
          id="labscale-container-parameters"
          className="jp-Labscale-Input"
          rows={3}
          spellCheck={false}
          value={form.parameters}
          onChange={(event) => set({ parameters: event.target.value })}
        />
      </Field>
    </>
  );
}
