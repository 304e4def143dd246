import { nullTranslator } from '@jupyterlab/translation';
import { changeForm, emptyForm, formProblem, sourceOf } from './register-form';

const trans = nullTranslator.load('labscale');

describe('the form that registers data', () => {
  it('proposes a name until somebody writes one', () => {
    const form = emptyForm('digits/data');
    expect(form.name).toBe('digits');
    changeForm(form, { kind: 'bucket', prefix: 'study/scans/' });
    expect(form.name).toBe('scans');
    changeForm(form, { name: 'mine' });
    changeForm(form, { prefix: 'other/' });
    expect(form.name).toBe('mine');
  });

  it('asks for an upload only where files can be uploaded', () => {
    const form = emptyForm(' data ');
    expect(sourceOf(form, 'local')).toEqual({ kind: 'folder', path: 'data', layout: 'file-per-shard' });
    expect(sourceOf(form, 'minio')).toMatchObject({ path: 'data', upload: true });
    changeForm(form, { upload: false });
    expect(sourceOf(form, 'minio')).toMatchObject({ upload: false });
  });

  it('names a bucket where it is not that of the server', () => {
    const form = emptyForm('');
    changeForm(form, { kind: 'bucket', prefix: 'a b/', layout: 'pattern', pattern: '{x}.txt' });
    const source = { kind: 'bucket', prefix: 'a b/', layout: 'pattern', pattern: '{x}.txt' };
    expect(sourceOf(form, 'minio')).toEqual(source);
    changeForm(form, { bucket: 'scans' });
    expect(sourceOf(form, 'minio')).toEqual({ ...source, bucket: 'scans' });
  });

  it('says what is missing', () => {
    const form = emptyForm('');
    expect(formProblem(form, trans)).toContain('folder');
    changeForm(form, { kind: 'bucket' });
    expect(formProblem(form, trans)).toContain('name');
    changeForm(form, { name: 'x' });
    expect(formProblem(form, trans)).toBeNull();
  });
});
