import type { Contract, ParameterValues } from '@labscale/schema';
import { unusableNames } from '../analyses/parameters-cell.js';
import { canonicalJson } from '../metadata/canonical-json.js';
import { ProblemError } from '../problem-error.js';

type Parameter = Contract['parameters'][number];
type JsonValue = ParameterValues[string];

/** Bytes of JSON that one value may have, and all values of a set together: larger things are data, and belong in files. */
export const largestValueBytes = 1_048_576;
export const largestValuesBytes = 2_097_152;

const typeNames: Record<Parameter['type'], string> = {
  number: 'a number',
  integer: 'a whole number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  any: 'anything'
};

/** Why a value does not fit its parameter, to follow its name in a sentence; undefined where it fits. */
export function faultOfValue(parameter: Omit<Parameter, 'name'>, value: JsonValue): string | undefined {
  const key = unusableKey(value);
  if (key !== undefined) return `has a key named "${key}", which cannot be kept`;
  if (value === null && parameter.nullable === true) return undefined;
  if (!hasType(parameter.type, value)) {
    if ((parameter.type === 'number' || parameter.type === 'integer') && isNamedNumber(value)) {
      return `must be ${typeNames[parameter.type]}; NaN and infinity are none that can be kept`;
    }
    if (parameter.type === 'integer' && typeof value === 'number' && Number.isInteger(value)) {
      return 'is a whole number beyond 2^53, which could not be kept exactly';
    }
    return `must be ${typeNames[parameter.type]}${parameter.nullable === true ? ' or null' : ''}, and is ${shortly(value)}`;
  }
  if (
    parameter.enum !== undefined &&
    !parameter.enum.some((choice) => canonicalJson(choice) === canonicalJson(value))
  ) {
    return `must be one of ${parameter.enum.slice(0, 10).map(shortly).join(', ')}, and is ${shortly(value)}`;
  }
  if (typeof value === 'number' && parameter.minimum !== undefined && value < parameter.minimum) {
    return `must be at least ${parameter.minimum}, and is ${value}`;
  }
  if (typeof value === 'number' && parameter.maximum !== undefined && value > parameter.maximum) {
    return `must be at most ${parameter.maximum}, and is ${value}`;
  }
  return undefined;
}

/**
 * The given values and, for parameters that are left out, the defaults of the contract, in its order: a set says all that
 * a run used, whatever becomes of the defaults. Values are kept as given, never converted. Raises PARAMETER_UNKNOWN,
 * PARAMETER_INVALID, PARAMETER_MISSING or TOO_LARGE, each naming the parameter.
 */
export function completeValues(contract: Contract, given: ParameterValues): ParameterValues {
  const known = new Map(contract.parameters.map((parameter) => [parameter.name, parameter]));
  for (const name of Object.keys(given)) {
    if (!known.has(name)) {
      const names = [...known.keys()];
      throw new ProblemError('PARAMETER_UNKNOWN', `The analysis has no parameter "${shorten(name)}".`, {
        field: `body/values/${shorten(name)}`,
        mend: names.length > 0 ? `Its parameters are ${names.slice(0, 30).join(', ')}.` : 'It has no parameters at all.'
      });
    }
  }
  const values: ParameterValues = {};
  let bytes = 0;
  let largest = { name: '', bytes: 0 };
  for (const parameter of contract.parameters) {
    const { name } = parameter;
    const value = Object.hasOwn(given, name) ? given[name] : parameter.default;
    const field = `body/values/${name}`;
    if (value === undefined) {
      throw new ProblemError('PARAMETER_MISSING', `The parameter "${name}" has no value and no default.`, {
        field,
        mend: `Give ${name} a value.`
      });
    }
    const fault = faultOfValue(parameter, value);
    if (fault !== undefined) {
      throw new ProblemError('PARAMETER_INVALID', `The parameter "${name}" ${fault}.`, {
        field,
        mend: 'Correct the value, or edit the contract of the analysis.'
      });
    }
    const own = Buffer.byteLength(JSON.stringify(value));
    if (own > largest.bytes) largest = { name, bytes: own };
    bytes += own;
    values[name] = value;
  }
  const over = largest.bytes > largestValueBytes;
  if (over || bytes > largestValuesBytes) {
    const what = over
      ? `The value of the parameter "${largest.name}" has ${largest.bytes} bytes; one value may have ${largestValueBytes}.`
      : `The values have ${bytes} bytes together; a set may have ${largestValuesBytes}. The largest is "${largest.name}".`;
    throw new ProblemError('TOO_LARGE', what, {
      field: `body/values/${largest.name}`,
      mend: 'Put it in a file of the dataset, or read it in the notebook, and pass its name.'
    });
  }
  return values;
}

/** Names whose values differ between two sets of values, those of only one included, in the order of the second. */
export function changedNames(before: ParameterValues, after: ParameterValues): string[] {
  const gone = Object.keys(before).filter((name) => !Object.hasOwn(after, name));
  const changed = Object.keys(after).filter(
    (name) => !Object.hasOwn(before, name) || canonicalJson(before[name]) !== canonicalJson(after[name])
  );
  return [...changed, ...gone];
}

function hasType(type: Parameter['type'], value: JsonValue): boolean {
  switch (type) {
    case 'any':
      return true;
    case 'integer':
      return Number.isSafeInteger(value);
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    default:
      return typeof value === type;
  }
}

function isNamedNumber(value: JsonValue): boolean {
  return typeof value === 'string' && /^[+-]?(nan|inf|infinity)$/i.test(value.trim());
}

function unusableKey(value: JsonValue): string | undefined {
  if (value === null || typeof value !== 'object') return undefined;
  for (const [key, item] of Object.entries(value)) {
    if (!Array.isArray(value) && unusableNames.has(key)) return key;
    const inner = unusableKey(item);
    if (inner !== undefined) return inner;
  }
  return undefined;
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function shortly(value: JsonValue): string {
  return shorten(JSON.stringify(value));
}
