import type { Adapter, Contract, ParameterValues } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';
import { commandParameters } from './command-line.js';
import { commandPlaces } from './contract-rules.js';

/** Where a container finds things; the same for every task, so that one argument list serves a whole run. */
export const containerPaths = { input: '/in', output: '/out', params: '/params.json' } as const;

/** What one argument may have so that Linux takes it (MAX_ARG_STRLEN, without its NUL), and what all may have. */
const largestArgumentBytes = 131_071;
const largestArgumentsBytes = 262_144;

/**
 * The command line of an image that was registered without one: what its engine would append to the entrypoint. An image
 * that is a BIDS App is always given arguments, in place of which its own would be.
 */
export function defaultCommandOf(adapter: Adapter, ofImage: readonly string[]): string[] {
  if (adapter === 'bids-app') return [];
  // ChRIS plugins commonly print their help where they are started without arguments.
  const words = adapter === 'chris' && /^(--help|-h)$/.test(ofImage.at(-1) ?? '') ? ofImage.slice(0, -1) : ofImage;
  return words.map((word) => word.replace(/[{}]/g, '$&$&'));
}

/**
 * What follows the entrypoint, for one parameter set: a finished list, which nothing may interpret any more. Raises
 * PARAMETER_INVALID for values that no argument can carry, TOO_LARGE.
 */
export function containerArguments(
  { adapter, command, contract }: { adapter: Adapter; command: readonly string[]; contract: Contract },
  values: ParameterValues
): string[] {
  const { input, output } = containerPaths;
  const words = command.map((word) => expand(word, values));
  const all =
    adapter === 'bids-app'
      ? [input, output, 'participant', ...words]
      : adapter === 'chris'
        ? [...words, ...flags(command, contract, values), input, output]
        : words;
  const bytes = all.map((word) => Buffer.byteLength(word));
  if (
    bytes.some((size) => size > largestArgumentBytes) ||
    bytes.reduce((sum, size) => sum + size, 0) > largestArgumentsBytes
  ) {
    throw new ProblemError(
      'TOO_LARGE',
      `The values make arguments that are too long: one may have ${largestArgumentBytes} bytes, all together ${largestArgumentsBytes}.`,
      { mend: `Let the program read them from ${containerPaths.params}, {params} in the command.` }
    );
  }
  return all;
}

function expand(word: string, values: ParameterValues): string {
  return word.replace(/\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}/g, (found, name: string | undefined) => {
    if (name === undefined) return found[0]!;
    return Object.hasOwn(containerPaths, name)
      ? containerPaths[name as keyof typeof containerPaths]
      : asText(name, values[name]);
  });
}

/** ChRIS plugins take each parameter as a flag of its name; what the command names itself is not given twice. */
function flags(command: readonly string[], contract: Contract, values: ParameterValues): string[] {
  const named = new Set(commandParameters(command, commandPlaces.container).map(({ name }) => name));
  return contract.parameters
    .filter(({ name }) => !named.has(name))
    .flatMap(({ name }) => {
      const value = values[name];
      if (value === null || value === undefined || value === false) return [];
      if (value === true) return [`--${name}`];
      const text = Array.isArray(value) ? listText(name, value) : asText(name, value);
      // argparse takes a word that begins with a dash for the next flag, unless it hangs on this one.
      return text.startsWith('-') ? [`--${name}=${text}`] : [`--${name}`, text];
    });
}

/** A ChRIS parameter that is a list is one text with commas, so an item cannot have one. */
function listText(name: string, items: readonly ParameterValues[string][]): string {
  const texts = items.map((item) => asText(name, item));
  if (!texts.some((text) => text.includes(','))) return texts.join(',');
  throw unusable(name, 'has an item with a comma, which separates the items for a ChRIS plugin');
}

/** Text as it is, anything else as JSON: as in command lines. */
function asText(name: string, value: ParameterValues[string] | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  if (text.includes('\0')) throw unusable(name, 'has a NUL character, which no argument can carry');
  return text;
}

function unusable(name: string, fault: string): ProblemError {
  return new ProblemError('PARAMETER_INVALID', `The parameter "${name}" ${fault}.`, {
    mend: `Change the value, or let the program read it from ${containerPaths.params}, {params} in the command.`
  });
}
