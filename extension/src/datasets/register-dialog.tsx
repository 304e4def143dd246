import { FileDialog } from '@jupyterlab/filebrowser';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import { PathExt } from '@jupyterlab/coreutils';
import type { Dataset, FolderSource, ServerInfo } from '@labscale/schema';
import * as React from 'react';
import type { ILabscale } from '../tokens';
import { Field, showFormDialog } from '../ui/form-dialog';
import { BucketField } from './bucket-field';
import { readPattern } from './pattern';
import { changeForm, emptyForm, formProblem, sourceOf, type IRegisterForm } from './register-form';

/** Asks for a folder, or a prefix of a bucket, and registers it; gives the dataset, or null where it was cancelled. */
export async function showRegisterDialog(
  labscale: ILabscale,
  docManager: IDocumentManager,
  path: string
): Promise<Dataset | null> {
  const { trans, client } = labscale;
  const form = emptyForm(path);
  const { objects } = await labscale.serverInfo();
  // One key for one dialog: pressing twice, or again after the answer was lost, registers once. A corrected form is
  // another request and gets another key.
  let sent = '';
  let key = crypto.randomUUID();
  return showFormDialog<Dataset>({
    title: objects === 'minio' ? trans.__('Register data') : trans.__('Register folder'),
    trans,
    accept: trans.__('Register'),
    className: 'jp-Labscale-RegisterDialog',
    body: () => <RegisterForm form={form} objects={objects} labscale={labscale} docManager={docManager} />,
    submit: async () => {
      const problem = formProblem(form, trans);
      if (problem !== null) throw new Error(problem);
      const source = sourceOf(form, objects);
      const body = { name: form.name.trim(), source, ...(form.description ? { description: form.description } : {}) };
      if (JSON.stringify(body) !== sent) key = crypto.randomUUID();
      sent = JSON.stringify(body);
      return client.call('createDataset', { body, idempotencyKey: key });
    }
  });
}

interface IRegisterFormProps {
  form: IRegisterForm;
  objects: ServerInfo['objects'];
  labscale: ILabscale;
  docManager: IDocumentManager;
}

function RegisterForm(props: IRegisterFormProps): JSX.Element {
  const { form, objects, labscale, docManager } = props;
  const { trans } = labscale;
  const [, draw] = React.useReducer((count: number) => count + 1, 0);
  const set = (change: Partial<IRegisterForm>) => {
    changeForm(form, change);
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
  const places: [IRegisterForm['kind'], string, string][] = [
    ['folder', trans.__('Folder'), trans.__('Files that the server can see.')],
    ['bucket', trans.__('Bucket'), trans.__('Objects that are in the object store already.')]
  ];
  return (
    <>
      {objects === 'minio' && (
        <fieldset className="jp-Labscale-Choices">
          <legend>{trans.__('The data are in')}</legend>
          {places.map(([kind, label, help]) => (
            <label key={kind}>
              <input
                type="radio"
                name="labscale-register-kind"
                checked={form.kind === kind}
                onChange={() => set({ kind })}
              />
              <span>{label}</span>
              <span className="jp-Labscale-dim">{help}</span>
            </label>
          ))}
        </fieldset>
      )}
      {form.kind === 'bucket' ? (
        <BucketField labscale={labscale} bucket={form.bucket} prefix={form.prefix} onChange={set} />
      ) : (
        <>
          <Field id="labscale-register-path" label={trans.__('Folder')} help={folderHelp(form, objects, trans)}>
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
          {objects === 'minio' && (
            <label className="jp-Labscale-Check">
              <input
                type="checkbox"
                checked={form.upload}
                onChange={(event) => set({ upload: event.target.checked })}
              />
              {trans.__('Upload the files into the object store')}
            </label>
          )}
        </>
      )}
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

function folderHelp(form: IRegisterForm, objects: ServerInfo['objects'], trans: ILabscale['trans']): string {
  const start = trans.__('A path without / in front starts in the project folder.');
  if (objects === 'local') return `${trans.__('The files stay where they are.')} ${start}`;
  if (form.upload) return start;
  return `${trans.__('Tasks on other machines do not see files that are not uploaded.')} ${start}`;
}
