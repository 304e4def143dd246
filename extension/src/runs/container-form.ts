import type { TranslationBundle } from '@jupyterlab/translation';
import type { Adapter, Contract, JsonValue, Operations } from '@labscale/schema';

type ContainerBody = Extract<Operations['createAnalysis']['body'], { kind: 'container' }>;

/** What the dialog that registers a container image asks for. */
export interface IContainerForm {
  image: string;
  name: string;
  adapter: Adapter;
  /** One argument a line, so that nothing has to be quoted; empty: what the image says itself. */
  command: string;
  /** `name=default` a line. */
  parameters: string;
}

export const emptyContainerForm: IContainerForm = {
  image: '',
  name: '',
  adapter: 'plain',
  command: '',
  parameters: ''
};

/** Changes a form; the name follows that of the image as long as nobody wrote another. */
export function changeContainerForm(form: IContainerForm, change: Partial<IContainerForm>): void {
  const proposed = form.name === proposeName(form.image);
  Object.assign(form, change);
  if (proposed && change.name === undefined) form.name = proposeName(form.image);
}

/** What the server takes; throws with what is to be corrected. */
export function containerBody(form: IContainerForm, trans: TranslationBundle): ContainerBody {
  if (form.image.trim() === '') throw new Error(trans.__('Name the image first.'));
  if (form.name.trim() === '') throw new Error(trans.__('Give the analysis a name.'));
  const command = linesOf(form.command);
  const parameters = linesOf(form.parameters)
    .filter((line) => line.trim() !== '')
    .map((line) => readParameter(line, trans));
  return {
    kind: 'container',
    image: form.image.trim(),
    name: form.name.trim(),
    adapter: form.adapter,
    ...(command.length === 0 ? {} : { command }),
    ...(parameters.length === 0 ? {} : { contract: { parameters } })
  };
}

function linesOf(text: string): string[] {
  const lines = text.replace(/\n$/, '').split('\n');
  return lines.length === 1 && lines[0] === '' ? [] : lines;
}

function readParameter(line: string, trans: TranslationBundle): Contract['parameters'][number] {
  const [, name, text] = /^\s*([A-Za-z_][A-Za-z0-9_]{0,127})\s*=(.*)$/.exec(line) ?? [];
  if (name === undefined || text === undefined) {
    throw new Error(trans.__('“%1” is no parameter: write name=default.', line.trim()));
  }
  const value = readValue(text.trim());
  return { name, type: typeOf(value), default: value };
}

/** JSON where it is that, else a text: as the labscale command reads it. */
function readValue(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

function typeOf(value: JsonValue): Contract['parameters'][number]['type'] {
  if (value === null) return 'any';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (typeof value === 'string') return 'string';
  return typeof value === 'boolean' ? 'boolean' : 'object';
}

function proposeName(image: string): string {
  return (image.trim().split('/').at(-1) ?? '').split(/[:@]/)[0] ?? '';
}
