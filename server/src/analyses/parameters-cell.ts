import type { Contract } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';

export type Parameter = Contract['parameters'][number];
export type JsonValue = Exclude<Parameter['default'], undefined>;

/** A value read from source; undefined where only running the cell would tell. */
export type Literal = { value: JsonValue; type: Parameter['type'] } | undefined;

/** Names that would change an object's prototype somewhere between notebook, browser and server. */
export const unusableNames: ReadonlySet<string> = new Set(['__proto__', 'constructor']);

/** Lists within lists that are read; what is nested deeper only running tells. */
export const deepest = 32;

const usableName = /^[A-Za-z_][A-Za-z0-9_]{0,127}$/;

/** PARAMETERS_CELL_INVALID that names the line, counted from 1 in the cell, and shows it. */
export function cellFault(source: string, line: number, detail: string, mend: string): ProblemError {
  const text = (source.split('\n')[line - 1] ?? '').trim();
  const shown = text.length > 80 ? `${text.slice(0, 80)}...` : text;
  return new ProblemError('PARAMETERS_CELL_INVALID', `Line ${line} of the parameters cell (${shown}): ${detail}`, {
    field: 'notebook',
    mend
  });
}

export function checkName(source: string, line: number, name: string): void {
  if (unusableNames.has(name)) {
    throw cellFault(source, line, `"${name}" cannot be the name of a parameter.`, 'Give it another name.');
  }
  if (!usableName.test(name)) {
    throw cellFault(
      source,
      line,
      `"${name}" cannot be the name of a parameter.`,
      'Use up to 128 ASCII letters, digits and underscores, not starting with a digit.'
    );
  }
}

const numeral = String.raw`[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?`;
const interval = new RegExp(String.raw`\[\s*(${numeral})\s*(?:,|\.\.|\bto\b)\s*(${numeral})\s*\]`);
const lowest = new RegExp(String.raw`\bmin(?:imum)?\b\s*[:=]?\s*(${numeral})`, 'i');
const highest = new RegExp(String.raw`\bmax(?:imum)?\b\s*[:=]?\s*(${numeral})`, 'i');
const unitInBrackets = /\[\s*([^\]\d\s,][^\],]{0,39}?)\s*\]/;
const papermillType = /^type:\s*\S+\s*/;

/**
 * What a comment says beside its words: `min 0, max 10` or `[0, 10]` is a range, `[mm]` a unit. A range that leaves out
 * the default itself was not meant as one and is not taken.
 */
export function readComment(parameter: Parameter, comment: string): Parameter {
  const description = comment.replace(papermillType, '').trim().slice(0, 4_000);
  if (description === '') return parameter;
  const described: Parameter = { ...parameter, description };
  if (parameter.type !== 'number' && parameter.type !== 'integer') return described;
  const between = interval.exec(description);
  const bound = (text: string | undefined) => (text === undefined ? undefined : Number(text.replaceAll('_', '')));
  const minimum = bound(between?.[1] ?? lowest.exec(description)?.[1]);
  const maximum = bound(between?.[2] ?? highest.exec(description)?.[1]);
  const value = typeof parameter.default === 'number' ? parameter.default : undefined;
  const holds =
    (minimum ?? -Infinity) <= (maximum ?? Infinity) &&
    (value === undefined || (value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity)));
  if (holds) {
    if (minimum !== undefined) described.minimum = minimum;
    if (maximum !== undefined) described.maximum = maximum;
  }
  const unit = unitInBrackets.exec(description)?.[1];
  if (unit !== undefined) described.unit = unit;
  return described;
}

/** The parameter that an assignment declares: dynamic values leave the type open and have no default. */
export function parameterOf(name: string, literal: Literal, declared: Partial<Parameter> = {}): Parameter {
  const nullable = declared.nullable === true || literal?.value === null ? { nullable: true } : {};
  const type = declared.type ?? (literal === undefined ? 'any' : literal.type);
  return {
    name,
    type,
    ...(literal === undefined ? {} : { default: literal.value }),
    ...(declared.enum === undefined ? {} : { enum: declared.enum }),
    ...nullable
  };
}

/** The last assignment of a name counts, at the place of its first. */
export function collect(parameters: readonly Parameter[]): Parameter[] {
  return [...new Map(parameters.map((parameter) => [parameter.name, parameter])).values()];
}
