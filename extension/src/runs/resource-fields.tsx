import type { TranslationBundle } from '@jupyterlab/translation';
import type { Resources } from '@labscale/schema';
import * as React from 'react';

const mebibyte = 1_048_576;

export interface IResourceFieldsProps {
  trans: TranslationBundle;
  /** What holds where nothing is typed. */
  defaults: Resources | null;
  value: Partial<Resources>;
  onChange: (resources: Partial<Resources>) => void;
  /** Whether the runner has any to give. */
  gpus: boolean;
}

/** What a task may use; an empty field leaves what the analysis says. */
export function ResourceFields(props: IResourceFieldsProps): JSX.Element {
  const { trans, defaults, value, onChange, gpus } = props;
  const fields: {
    key: keyof Resources;
    label: string;
    factor: number;
    whole: boolean;
    min: number;
    max: number;
  }[] = [
    { key: 'cpus', label: trans.__('CPUs'), factor: 1, whole: true, min: 1, max: 1_024 },
    {
      key: 'memoryBytes',
      label: trans.__('Memory (MiB)'),
      factor: mebibyte,
      whole: true,
      min: 16 * mebibyte,
      max: 2 ** 50
    },
    { key: 'timeLimitSeconds', label: trans.__('Time limit (s)'), factor: 1, whole: false, min: 0.001, max: 2_592_000 },
    { key: 'retries', label: trans.__('Retries'), factor: 1, whole: true, min: 0, max: 20 },
    ...(gpus ? [{ key: 'gpus' as const, label: trans.__('GPUs'), factor: 1, whole: true, min: 0, max: 16 }] : [])
  ];
  return (
    <fieldset className="jp-Labscale-Resources">
      <legend>{trans.__('Each task may use')}</legend>
      {fields.map(({ key, label, factor, whole, min, max }) => (
        <NumberField
          key={key}
          label={label}
          value={value[key] === undefined ? null : value[key] / factor}
          placeholder={defaults === null ? '' : String(Math.round(((defaults[key] ?? 0) / factor) * 1_000) / 1_000)}
          whole={whole}
          min={min / factor}
          max={max / factor}
          onChange={(next) => {
            const rest = Object.fromEntries(Object.entries(value).filter(([one]) => one !== key));
            onChange(next === null ? rest : { ...rest, [key]: whole ? Math.round(next * factor) : next * factor });
          }}
        />
      ))}
    </fieldset>
  );
}

interface INumberFieldProps {
  label: string;
  value: number | null;
  placeholder: string;
  whole: boolean;
  min: number;
  max: number;
  onChange: (value: number | null) => void;
}

/** A number, or nothing; what does not fit is marked and not taken. */
export function NumberField(props: INumberFieldProps): JSX.Element {
  const { label, value, placeholder, whole, min, max, onChange } = props;
  const [text, setText] = React.useState(value === null ? '' : String(value));
  const number = text.trim() === '' ? null : Number(text);
  const fits = (one: number | null) =>
    one === null || (Number.isFinite(one) && one >= min && one <= max && (!whole || Number.isInteger(one)));
  return (
    <label>
      <span>{label}</span>
      <input
        className={`jp-Labscale-Input${fits(number) ? '' : ' jp-mod-invalid'}`}
        inputMode="decimal"
        aria-invalid={!fits(number)}
        placeholder={placeholder}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          const next = event.target.value.trim() === '' ? null : Number(event.target.value);
          if (fits(next)) onChange(next);
        }}
      />
    </label>
  );
}
