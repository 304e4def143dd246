import { FileDialog } from '@jupyterlab/filebrowser';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { PathExt } from '@jupyterlab/coreutils';
import type { Dataset, FolderSource } from '@labscale/schema';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { readPattern } from './pattern';

interface IRegisterForm {
  path: string;
  name: string;
  description: string;
  layout: FolderSource['layout'];
  pattern: string;
}

/** Asks for a folder and registers it; gives the dataset, or null where it was cancelled. */
export async function showRegisterDialog(
  labscale: ILabscale,
  docManager: IDocumentManager,
  path: string
): Promise<Dataset | null> {
  const { trans, client } = labscale;
  const form: IRegisterForm = { path, name: proposeName(path), description: '', layout: 'file-per-shard', pattern: '' };
  // One key for one dialog: pressing twice, or again after the answer was lost, registers once. A corrected form is
  // another request and gets another key.
  let sent = '';
  let key = crypto.randomUUID();
  return showFormDialog<Dataset>({
    title: trans.__('Register folder'),
    trans,
    accept: trans.__('Register'),
    className: 'jp-Labscale-RegisterDialog',
    body: () => <RegisterForm form={form} labscale={labscale} docManager={docManager} />,
    submit: async () => {
      const problem = formProblem(form, labscale);
      if (problem !== null) throw new Error(problem);
      const source: FolderSource = { kind: 'folder', path: form.path.trim(), layout: form.layout };
      if (form.layout === 'pattern') source.pattern = form.pattern;
      const body = { name: form.name.trim(), source, ...(form.description ? { description: form.description } : {}) };
      if (JSON.stringify(body) !== sent) key = crypto.randomUUID();
      sent = JSON.stringify(body);
      return client.call('createDataset', { body, idempotencyKey: key });
    }
  });
}

function proposeName(path: string): string {
  // A folder `digits/data` is better called by the folder it is the data of.
  const parts = path.split('/').filter((part) => part !== '');
  const last = parts.at(-1) ?? '';
  return ['data', 'raw', 'input'].includes(last.toLowerCase()) ? (parts.at(-2) ?? last) : last;
}

function formProblem(form: IRegisterForm, { trans }: ILabscale): string | null {
  if (form.path.trim() === '') return trans.__('Choose a folder first.');
  if (form.name.trim() === '') return trans.__('Give the dataset a name.');
  if (form.layout === 'pattern') return readPattern(form.pattern, trans).problem;
  return null;
}

interface IRegisterFormProps {
  form: IRegisterForm;
  labscale: ILabscale;
  docManager: IDocumentManager;
}

function RegisterForm(props: IRegisterFormProps): JSX.Element {
  const { form, labscale, docManager } = props;
  const { trans } = labscale;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const set = (change: Partial<IRegisterForm>) => {
    const proposed = form.name === proposeName(form.path);
    Object.assign(form, change);
    if (change.path !== undefined && proposed) form.name = proposeName(form.path);
    draw();
  };
  const browse = async () => {
    const chosen = await FileDialog.getExistingDirectory({
      manager: docManager,
      title: trans.__('Folder to register'),
      defaultPath: form.path.startsWith('/') ? '' : form.path
    });
    const folder = chosen.value?.[0];
    if (chosen.button.accept && folder) set({ path: folder.path === '' ? '.' : PathExt.normalize(folder.path) });
  };
  const reading = form.layout === 'pattern' && form.pattern !== '' ? readPattern(form.pattern, trans) : null;
  const layouts: [FolderSource['layout'], string, string][] = [
    ['file-per-shard', trans.__('Each file'), trans.__('Every file below the folder is one shard.')],
    ['folder-per-shard', trans.__('Each folder'), trans.__('Every folder with files in it is one shard.')],
    ['pattern', trans.__('By a pattern'), trans.__('Named parts of the path become entities of the shard.')]
  ];
  return (
    <>
      <Field
        id="labscale-register-path"
        label={trans.__('Folder')}
        help={trans.__('The files stay where they are. A path without / in front starts in the project folder.')}
      >
        <div className="jp-Labscale-Field-row">
          <input
            id="labscale-register-path"
            className="jp-Labscale-Input"
            value={form.path}
            autoFocus
            spellCheck={false}
            onChange={(event) => set({ path: event.target.value })}
          />
          <button type="button" className="jp-Labscale-Button" onClick={() => void browse()}>
            {trans.__('Browse…')}
          </button>
        </div>
      </Field>
      <Field id="labscale-register-name" label={trans.__('Name')}>
        <input
          id="labscale-register-name"
          className="jp-Labscale-Input"
          value={form.name}
          maxLength={200}
          onChange={(event) => set({ name: event.target.value })}
        />
      </Field>
      <Field id="labscale-register-description" label={trans.__('Description')}>
        <textarea
          id="labscale-register-description"
          className="jp-Labscale-Input"
          rows={2}
          value={form.description}
          onChange={(event) => set({ description: event.target.value })}
        />
      </Field>
      <fieldset className="jp-Labscale-Choices">
        <legend>{trans.__('A shard is')}</legend>
        {layouts.map(([layout, label, help]) => (
          <label key={layout}>
            <input
              type="radio"
              name="labscale-register-layout"
              checked={form.layout === layout}
              onChange={() => set({ layout })}
            />
            <span>{label}</span>
            <span className="jp-Labscale-dim">{help}</span>
          </label>
        ))}
      </fieldset>
      {form.layout === 'pattern' && (
        <Field
          id="labscale-register-pattern"
          label={trans.__('Pattern')}
          problem={reading?.problem}
          help={
            reading && reading.problem === null
              ? trans.__('Entities: %1', reading.entities.join(', '))
              : trans.__(
                  'As sub-{sub}/anat/sub-{sub}_{suffix}.nii; files that differ only in a part written * form one shard.'
                )
          }
        >
          <input
            id="labscale-register-pattern"
            className="jp-Labscale-Input"
            value={form.pattern}
            spellCheck={false}
            onChange={(event) => set({ pattern: event.target.value })}
          />
        </Field>
      )}
    </>
  );
}
