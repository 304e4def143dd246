import { ProblemError } from '../problem-error.js';

export type FilterOp = '=' | '!=' | '>' | '>=' | '<' | '<=';

/** A value as it was written. Bare numbers have `number`; a quoted one is text and nothing else. */
export interface FilterValue {
  text: string;
  number: number | null;
}

/**
 * One term of a filter; all terms must hold. A word is a substring of what the list is searched by. A comparison has
 * several values only with `=` (any of them) and `!=` (none of them).
 */
export type FilterTerm =
  { kind: 'word'; text: string } | { kind: 'comparison'; field: string; op: FilterOp; values: FilterValue[] };

const space = /\s/;
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const opAt = /(?:!=|>=|<=|=|>|<)/y;

/** The number that a bare text says, or null: hexadecimal, infinities and blanks are text. */
export function numberOf(text: string): number | null {
  if (!decimal.test(text)) return null;
  const number = Number(text);
  return Number.isFinite(number) ? number : null;
}

/**
 * Reads the filter language of the contract (`schema/src/primitives.ts`): terms separated by spaces, each a word or
 * FIELD OP VALUE without spaces around OP; fields, words and values may stand in double quotes, in which `\"` is a quote
 * and `\\` a backslash. Raises FILTER_INVALID with the place of the fault.
 */
export function parseFilter(filter: string): FilterTerm[] {
  const terms: FilterTerm[] = [];
  let at = 0;

  const fault = (detail: string, mend: string) =>
    new ProblemError('FILTER_INVALID', `${detail} (at character ${at + 1} of the filter)`, { field: 'filter', mend });

  const quoted = (): string => {
    const start = at;
    let text = '';
    for (at += 1; at < filter.length; at += 1) {
      const character = filter.charAt(at);
      if (character === '"') {
        at += 1;
        return text;
      }
      if (character === '\\' && (filter.charAt(at + 1) === '"' || filter.charAt(at + 1) === '\\')) at += 1;
      text += filter.charAt(at);
    }
    at = start;
    throw fault('A double quote is opened and never closed', 'Close it, or write \\" inside quotes for the character.');
  };
  const bare = (ends: (character: string) => boolean): string => {
    const start = at;
    while (at < filter.length && !ends(filter.charAt(at))) at += 1;
    return filter.slice(start, at);
  };
  const operator = (): FilterOp | undefined => {
    opAt.lastIndex = at;
    return opAt.exec(filter)?.[0] as FilterOp | undefined;
  };

  while (at < filter.length) {
    if (space.test(filter.charAt(at))) {
      at += 1;
      continue;
    }
    const name =
      filter.charAt(at) === '"'
        ? quoted()
        : bare(
            (character) =>
              space.test(character) || character === '"' || '=<>'.includes(character) || operator() === '!='
          );
    const op = operator();
    if (op === undefined) {
      if (at < filter.length && !space.test(filter.charAt(at))) {
        throw fault('A double quote stands in the middle of a word', 'Put the whole word in double quotes.');
      }
      if (name !== '') terms.push({ kind: 'word', text: name });
      continue;
    }
    if (name === '')
      throw fault(`"${op}" has no field before it`, 'Write FIELD, operator and VALUE together, as in age>60.');
    at += op.length;
    const values: FilterValue[] = [];
    do {
      if (values.length > 0) at += 1;
      if (filter.charAt(at) === '"') {
        values.push({ text: quoted(), number: null });
      } else {
        const text = bare((character) => space.test(character) || character === '"' || character === ',');
        if (text === '') {
          throw fault(
            `"${name}${op}" has no value after it`,
            'Write FIELD, operator and VALUE together, as in age>60; write "" in double quotes for an empty text.'
          );
        }
        values.push({ text, number: numberOf(text) });
      }
    } while (filter.charAt(at) === ',');
    if (at < filter.length && !space.test(filter.charAt(at))) {
      throw fault('There is no space between two terms', 'Put a space after each value.');
    }
    if (values.length > 1 && op !== '=' && op !== '!=') {
      throw fault(`"${op}" takes one value, and here are ${values.length}`, 'Use several values with = or != only.');
    }
    terms.push({ kind: 'comparison', field: name, op, values });
  }
  return terms;
}
