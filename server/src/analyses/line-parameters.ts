import {
  cellFault,
  checkName,
  collect,
  parameterOf,
  readComment,
  type JsonValue,
  type Literal,
  type Parameter
} from './parameters-cell.js';

/** What differs between the languages whose plain assignments are read without a grammar of their own. */
interface Language {
  name: string;
  keywords: ReadonlySet<string>;
  /** Groups: name, declared type, value. */
  assignment: RegExp;
  ignored: RegExp;
  words: Record<string, Literal>;
  typeOfName: Record<string, Parameter['type']>;
  /** A whole number; groups: the digits. */
  whole: RegExp;
  /** Opening and closing of a list of values. */
  list: RegExp;
  quotes: string;
  interpolates: boolean;
}

const r: Language = {
  name: 'R',
  keywords: new Set('if else repeat while function for next break TRUE FALSE NULL Inf NaN NA in'.split(' ')),
  assignment: /^([^\s<=(),]+)\s*()(?:<-|=(?!=))\s*([\s\S]+)$/,
  ignored: /^(?:suppress\w+\(\s*)?(?:library|require|requireNamespace)\s*\(/,
  words: {
    TRUE: { value: true, type: 'boolean' },
    FALSE: { value: false, type: 'boolean' },
    T: { value: true, type: 'boolean' },
    F: { value: false, type: 'boolean' },
    NULL: { value: null, type: 'any' },
    NA: { value: null, type: 'any' }
  },
  typeOfName: {},
  whole: /^(\d+)L$/,
  list: /^c\(([\s\S]*)\)$/,
  quotes: `"'`,
  interpolates: false
};

const julia: Language = {
  name: 'Julia',
  keywords: new Set(
    (
      'baremodule begin break catch const continue do else elseif end export false finally for function global if import ' +
      'let local macro module quote return struct true try using while'
    ).split(' ')
  ),
  assignment: /^(?:const\s+)?([^\s=(),:[\].]+)\s*(?:::\s*([\w{}.,\s]+?))?\s*=(?!=)\s*([\s\S]+)$/,
  ignored: /^(?:using|import)\s/,
  words: {
    true: { value: true, type: 'boolean' },
    false: { value: false, type: 'boolean' },
    nothing: { value: null, type: 'any' },
    missing: { value: null, type: 'any' }
  },
  typeOfName: {
    Float64: 'number',
    Float32: 'number',
    Real: 'number',
    Int: 'integer',
    Int64: 'integer',
    Int32: 'integer',
    String: 'string',
    Bool: 'boolean'
  },
  whole: /^(\d[\d_]*)$/,
  list: /^[[(]([\s\S]*)[\])]$/,
  quotes: '"',
  interpolates: true
};

export const rParameters = (source: string): Parameter[] => lineParameters(source, r);
export const juliaParameters = (source: string): Parameter[] => lineParameters(source, julia);

interface Statement {
  text: string;
  line: number;
  comment: string;
}

/** Raises PARAMETERS_CELL_INVALID with the line for what is neither a plain assignment nor an import. */
function lineParameters(source: string, language: Language): Parameter[] {
  const found: Parameter[] = [];
  for (const { text, line, comment } of statements(source, language)) {
    if (language.ignored.test(text) || /^"[^"]*"$/.test(text)) continue;
    const [, name, declaredName, valueText] = language.assignment.exec(text) ?? [];
    if (name === undefined || valueText === undefined) {
      throw cellFault(
        source,
        line,
        'it is not an assignment.',
        'Keep only assignments there; move the rest to another cell.'
      );
    }
    if (language.keywords.has(name)) {
      throw cellFault(
        source,
        line,
        `"${name}" is a word of ${language.name} itself.`,
        'Give the parameter another name.'
      );
    }
    checkName(source, line, name);
    const literal = readLiteral(valueText.trim(), language, (detail, mend) => cellFault(source, line, detail, mend));
    const type = language.typeOfName[declaredName ?? ''];
    const agrees = literal === undefined || literal.type === type || (type === 'number' && literal.type === 'integer');
    found.push(readComment(parameterOf(name, literal, type !== undefined && agrees ? { type } : {}), comment));
  }
  return collect(found);
}

function readLiteral(text: string, language: Language, fault: (detail: string, mend: string) => Error): Literal {
  if (Object.hasOwn(language.words, text)) return language.words[text];
  const signed = /^([+-]?)\s*([\s\S]+)$/.exec(text);
  const digits = signed?.[2] ?? '';
  const whole = language.whole.exec(digits)?.[1];
  const decimal = /^(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits) ? digits : undefined;
  const numeral = whole ?? decimal;
  if (numeral !== undefined) {
    const size = Number(numeral.replaceAll('_', ''));
    if (!Number.isFinite(size) || (whole !== undefined && !Number.isSafeInteger(size))) {
      throw fault(
        'this number is too large to be passed on exactly.',
        'Keep whole numbers below 2^53 and others below 1.8e308, or write it as a text in quotes.'
      );
    }
    return {
      value: signed?.[1] === '-' && size !== 0 ? -size : size,
      type: whole === undefined ? 'number' : 'integer'
    };
  }
  const quote = text.charAt(0);
  if (language.quotes.includes(quote) && text.length > 1) {
    const inner = text.slice(1, -1);
    if (text.at(-1) !== quote || new RegExp(String.raw`(^|[^\\])(\\\\)*${quote}`).test(inner)) return undefined;
    if (language.interpolates && /(^|[^\\])(\\\\)*\$/.test(inner)) return undefined;
    const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
    return { value: inner.replace(/\\(.)/gs, (_all, one: string) => escapes[one] ?? one), type: 'string' };
  }
  const inner = language.list.exec(text)?.[1];
  if (inner === undefined) return undefined;
  const value: JsonValue[] = [];
  for (const item of splitItems(inner, language)) {
    const literal = readLiteral(item, language, fault);
    if (literal === undefined) return undefined;
    value.push(literal.value);
  }
  return { value, type: 'array' };
}

function splitItems(text: string, language: Language): string[] {
  const found: string[] = [];
  let start = 0;
  walk(text, language, (at, depth) => {
    if (text.charAt(at) === ',' && depth === 0) {
      found.push(text.slice(start, at).trim());
      start = at + 1;
    }
  });
  const last = text.slice(start).trim();
  return last === '' ? found : [...found, last];
}

/** Calls for each character outside of strings, with the depth of brackets there; gives the depth and quote at the end. */
function walk(
  text: string,
  language: Language,
  visit: (at: number, depth: number) => boolean | void
): { depth: number; quote: string } {
  let depth = 0;
  let quote = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
      continue;
    }
    if (language.quotes.includes(character)) quote = character;
    if (')]}'.includes(character)) depth -= 1;
    if (visit(at, depth) === true) break;
    if ('([{'.includes(character)) depth += 1;
  }
  return { depth, quote };
}

/** Statements end with their line, or go on while a bracket or string is open. */
function statements(source: string, language: Language): Statement[] {
  const found: Statement[] = [];
  let above: string[] = [];
  let open: { text: string; line: number } | undefined;
  source.split('\n').forEach((raw, index) => {
    const text = open === undefined ? raw : `${open.text}\n${raw}`;
    const line = open?.line ?? index + 1;
    let commentAt = -1;
    const end = walk(text, language, (at) => {
      if (text.charAt(at) !== '#' || at < text.length - raw.length) return false;
      commentAt = at;
      return true;
    });
    const code = commentAt < 0 ? text : text.slice(0, commentAt);
    const comment =
      commentAt < 0
        ? ''
        : text
            .slice(commentAt)
            .replace(/^#+'?\s*/, '')
            .trim();
    if (end.quote !== '' || end.depth > 0) {
      open = { text: code, line };
      return;
    }
    open = undefined;
    if (code.trim() === '') {
      above = comment === '' ? [] : [...above, comment];
      return;
    }
    const parts: string[] = [];
    let start = 0;
    walk(code, language, (at, depth) => {
      if (code.charAt(at) === ';' && depth === 0) {
        parts.push(code.slice(start, at));
        start = at + 1;
      }
    });
    for (const part of [...parts, code.slice(start)]) {
      if (part.trim() !== '') found.push({ text: part.trim(), line, comment: comment || above.join(' ') });
    }
    above = [];
  });
  if (open !== undefined) {
    const { line } = open as { line: number };
    throw cellFault(source, line, 'a bracket or string is opened and never closed.', 'Close it, and send it again.');
  }
  return found;
}
