import type { ParameterValues } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';

/** A value or metric of a set as search sees it. */
export interface ParameterField {
  kind: 'parameter' | 'metric';
  name: string;
  text: string;
  number: number | null;
}

/** Characters of a value that search knows: more does not fit an index entry of every database. */
export const searchedCharacters = 400;

export function fieldsOf(values: ParameterValues, metrics: Record<string, number>): ParameterField[] {
  return [
    ...Object.entries(values).map(([name, value]) => ({ kind: 'parameter' as const, name, ...searched(value) })),
    ...Object.entries(metrics).map(([name, value]) => ({ kind: 'metric' as const, name, ...searched(value) }))
  ];
}

function searched(value: ParameterValues[string]): { text: string; number: number | null } {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return { text: text.slice(0, searchedCharacters), number: typeof value === 'number' ? value : null };
}
