import type { TranslationBundle } from '@jupyterlab/translation';
import type { ParameterSet } from '@labscale/schema';
import * as React from 'react';
import { valueText } from './value-text';

/** A set to tick in a list, with its version and its values. */
export function SetTick(props: {
  set: ParameterSet;
  checked: boolean;
  trans: TranslationBundle;
  onChange: () => void;
}): JSX.Element {
  const { set, checked, trans, onChange } = props;
  const { number, values } = set.latestVersion;
  return (
    <label>
      <input type="checkbox" checked={checked} onChange={onChange} />
      <span className="jp-Labscale-Promote-setName">{set.name}</span>
      <span className="jp-Labscale-Parameters-version">{trans.__('v%1', number)}</span>
      <span className="jp-Labscale-Promote-setValues">
        {Object.entries(values)
          .map(([name, value]) => `${name} ${valueText(value, 16)}`)
          .join(', ')}
      </span>
    </label>
  );
}
