import type { TranslationBundle } from '@jupyterlab/translation';
import type { JsonValue, ParameterSpec } from '@labscale/schema';
import * as React from 'react';

export type ValueType = ParameterSpec['type'];

export interface IValueEditorProps {
  trans: TranslationBundle;
  id: string;
  /** Name for a screen reader, where no `<label for>` points here. */
  label?: string;
  /** Type and limits; a ParameterSpec fits. */
  spec: Pick<ParameterSpec, 'type' | 'minimum' | 'maximum' | 'enum' | 'nullable'>;
  value: JsonValue | undefined;
  /** `value` is undefined while what is typed is not a value; `problem` then says why. */
  onChange: (value: JsonValue | undefined, problem: string | null) => void;
  disabled?: boolean;
}

/** Why a value does not fit its spec, or null where it does. */
export function valueProblem(
  value: JsonValue | undefined,
  spec: IValueEditorProps['spec'],
  trans: TranslationBundle
): string | null {
  if (value === undefined) return trans.__('A value is needed.');
  if (value === null) return spec.nullable || spec.type === 'any' ? null : trans.__('None is not allowed here.');
  if (spec.enum && !spec.enum.some((one) => JSON.stringify(one) === JSON.stringify(value))) {
    return trans.__('Must be one of %1.', spec.enum.map((one) => JSON.stringify(one)).join(', '));
  }
  const fits: Record<ValueType, boolean> = {
    number: typeof value === 'number',
    integer: typeof value === 'number' && Number.isInteger(value),
    boolean: typeof value === 'boolean',
    string: typeof value === 'string',
    array: Array.isArray(value),
    object: typeof value === 'object' && !Array.isArray(value),
    any: true
  };
  if (!fits[spec.type]) return trans.__('Must be of type %1.', spec.type);
  if (typeof value === 'number') {
    if (spec.minimum !== undefined && value < spec.minimum) return trans.__('Must be at least %1.', spec.minimum);
    if (spec.maximum !== undefined && value > spec.maximum) return trans.__('Must be at most %1.', spec.maximum);
  }
  return null;
}

/** An editor that keeps the type of the value: what is typed into a number is a number or refused, never text. */
export function ValueEditor(props: IValueEditorProps): JSX.Element {
  const { spec, value, id, label, disabled, onChange, trans } = props;
  const common = { id, disabled, 'aria-label': label };
  if (spec.enum) {
    const options = spec.enum.map((one) => JSON.stringify(one));
    return (
      <select
        {...common}
        className="jp-Labscale-Input"
        value={options.indexOf(JSON.stringify(value))}
        onChange={(event) => onChange(spec.enum?.[Number(event.target.value)], null)}
      >
        {!options.includes(JSON.stringify(value)) && <option value={-1}>{trans.__('Choose…')}</option>}
        {spec.enum.map((one, index) => (
          <option key={options[index]} value={index}>
            {typeof one === 'string' ? one : options[index]}
          </option>
        ))}
      </select>
    );
  }
  if (spec.type === 'boolean' && !spec.nullable) {
    return (
      <input
        {...common}
        type="checkbox"
        className="jp-Labscale-Checkbox"
        checked={value === true}
        onChange={(event) => onChange(event.target.checked, null)}
      />
    );
  }
  return <TextValueEditor {...props} />;
}

function shown(value: JsonValue | undefined, type: ValueType): string {
  if (value === undefined) return '';
  return type === 'string' && typeof value === 'string' ? value : JSON.stringify(value);
}

function parse(text: string, spec: IValueEditorProps['spec']): JsonValue | undefined {
  if (spec.type === 'string') return spec.nullable && text === 'null' ? null : text;
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    // JSON knows neither 1. nor .5 nor +3, which people type; NaN and Infinity stay refused.
    if ((spec.type === 'number' || spec.type === 'integer') && Number.isFinite(Number(text))) return Number(text);
    return undefined;
  }
}

function unreadable(type: ValueType, trans: TranslationBundle): string {
  return type === 'number' || type === 'integer'
    ? trans.__('This is not a number.')
    : trans.__('This is not JSON; text stands in double quotes.');
}

function TextValueEditor(props: IValueEditorProps): JSX.Element {
  const { spec, value, id, label, disabled, onChange, trans } = props;
  const [text, setText] = React.useState(shown(value, spec.type));
  const seen = React.useRef(value);
  const sent = React.useRef(value);
  // A value set from outside replaces the text; one's own echo does not, else `1.` would lose its point while typing.
  if (JSON.stringify(value) !== JSON.stringify(seen.current)) {
    seen.current = value;
    if (JSON.stringify(value) !== JSON.stringify(sent.current)) {
      sent.current = value;
      setText(shown(value, spec.type));
    }
  }
  const parsed = parse(text, spec);
  const problem =
    parsed === undefined && text.trim() !== '' ? unreadable(spec.type, trans) : valueProblem(parsed, spec, trans);
  const change = (next: string) => {
    setText(next);
    const nextValue = parse(next, spec);
    const nextProblem =
      nextValue === undefined && next.trim() !== ''
        ? unreadable(spec.type, trans)
        : valueProblem(nextValue, spec, trans);
    sent.current = nextProblem === null ? nextValue : undefined;
    onChange(sent.current, nextProblem);
  };
  const common = {
    id,
    disabled,
    'aria-label': label,
    'aria-invalid': problem !== null,
    'aria-describedby': problem !== null ? `${id}-problem` : undefined,
    value: text,
    spellCheck: false,
    className: `jp-Labscale-Input${problem !== null ? ' jp-mod-invalid' : ''}`
  };
  const long = spec.type === 'array' || spec.type === 'object' || text.includes('\n');
  return (
    <div className="jp-Labscale-ValueEditor">
      {long ? (
        <textarea
          {...common}
          rows={Math.min(8, text.split('\n').length + 1)}
          onChange={(event) => change(event.target.value)}
        />
      ) : (
        <input
          {...common}
          type="text"
          inputMode={spec.type === 'number' || spec.type === 'integer' ? 'decimal' : undefined}
          onChange={(event) => change(event.target.value)}
        />
      )}
      {problem !== null && (
        <div id={`${id}-problem`} className="jp-Labscale-Problem">
          {problem}
        </div>
      )}
    </div>
  );
}
