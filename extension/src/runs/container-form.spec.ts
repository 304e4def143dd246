import { nullTranslator } from '@jupyterlab/translation';
import { changeContainerForm, containerBody, emptyContainerForm, type IContainerForm } from './container-form';

const trans = nullTranslator.load('labscale');
const bodyOf = (form: Partial<IContainerForm>) =>
  containerBody({ ...emptyContainerForm, image: 'registry.example/qc:1', name: 'qc', ...form }, trans);

it('the name follows the image until somebody writes one', () => {
  const form = { ...emptyContainerForm };
  changeContainerForm(form, { image: 'registry.example:5000/lab/qc:1.0' });
  expect(form.name).toBe('qc');
  changeContainerForm(form, { name: 'quality' });
  changeContainerForm(form, { image: 'registry.example/other@sha256:00' });
  expect(form.name).toBe('quality');
});

it('leaves to the image what is not written', () => {
  expect(bodyOf({ image: ' registry.example/qc:1 ' })).toEqual({
    ...{ kind: 'container', image: 'registry.example/qc:1', name: 'qc', adapter: 'plain' }
  });
});

it('takes a line for an argument, whatever is in it', () => {
  expect(bodyOf({ adapter: 'bids-app', command: '--fd\n{fd}\n\n"a b"; $(id)\n' })).toMatchObject({
    ...{ adapter: 'bids-app', command: ['--fd', '{fd}', '', '"a b"; $(id)'] }
  });
});

it('reads defaults as the labscale command does', () => {
  const parameters = 'fd = 0.5\nn=3\n\nname=two words\non=true\nlist=[1]\nnone=null\nempty=';
  expect(bodyOf({ parameters }).contract?.parameters).toEqual([
    { name: 'fd', type: 'number', default: 0.5 },
    { name: 'n', type: 'integer', default: 3 },
    { name: 'name', type: 'string', default: 'two words' },
    { name: 'on', type: 'boolean', default: true },
    { name: 'list', type: 'array', default: [1] },
    { name: 'none', type: 'any', default: null },
    { name: 'empty', type: 'string', default: '' }
  ]);
});

it('says what is missing', () => {
  expect(() => bodyOf({ image: ' ' })).toThrow('Name the image first.');
  expect(() => bodyOf({ name: '' })).toThrow('Give the analysis a name.');
  expect(() => bodyOf({ parameters: 'fd: 1' })).toThrow('“fd: 1” is no parameter');
});
