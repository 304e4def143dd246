import type { BucketSource, FolderSource, ServerInfo } from '@labscale/schema';
import type { TranslationBundle } from '@jupyterlab/translation';
import { readPattern } from './pattern';

/** What the dialog that registers data asks for. */
export interface IRegisterForm {
  kind: 'folder' | 'bucket';
  path: string;
  /** Copy the files into the object store; asked for only where that is not on the disk of the server. */
  upload: boolean;
  /** Empty: that of the server. */
  bucket: string;
  prefix: string;
  name: string;
  description: string;
  layout: FolderSource['layout'];
  pattern: string;
}

export function emptyForm(path: string): IRegisterForm {
  return {
    ...{ kind: 'folder', path, upload: true, bucket: '', prefix: '' },
    ...{ name: proposeName(path), description: '', layout: 'file-per-shard', pattern: '' }
  };
}

/** Changes a form; the name follows the place as long as nobody wrote another. */
export function changeForm(form: IRegisterForm, change: Partial<IRegisterForm>): void {
  const proposed = form.name === proposeName(placeOf(form));
  Object.assign(form, change);
  if (proposed && change.name === undefined) form.name = proposeName(placeOf(form));
}

/** The source as the server takes it. */
export function sourceOf(form: IRegisterForm, objects: ServerInfo['objects']): FolderSource | BucketSource {
  const shards = { layout: form.layout, ...(form.layout === 'pattern' ? { pattern: form.pattern } : {}) };
  if (form.kind === 'folder') {
    const upload = objects === 'minio' ? { upload: form.upload } : {};
    return { kind: 'folder', path: form.path.trim(), ...shards, ...upload };
  }
  return { kind: 'bucket', prefix: form.prefix, ...(form.bucket === '' ? {} : { bucket: form.bucket }), ...shards };
}

export function formProblem(form: IRegisterForm, trans: TranslationBundle): string | null {
  if (form.kind === 'folder' && form.path.trim() === '') return trans.__('Choose a folder first.');
  if (form.name.trim() === '') return trans.__('Give the dataset a name.');
  if (form.layout === 'pattern') return readPattern(form.pattern, trans).problem;
  return null;
}

const placeOf = (form: IRegisterForm) => (form.kind === 'folder' ? form.path : form.prefix);

function proposeName(path: string): string {
  // A folder `digits/data` is better called by the folder it is the data of.
  const parts = path.split('/').filter((part) => part !== '');
  const last = parts.at(-1) ?? '';
  return ['data', 'raw', 'input'].includes(last.toLowerCase()) ? (parts.at(-2) ?? last) : last;
}
