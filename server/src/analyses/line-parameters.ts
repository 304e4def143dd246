import {
  cellFault,
  checkName,
  collect,
  deepest,
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
  /** The first of these divides name and value. */
  assigns: RegExp;
  /** What stands left of it; groups: name, declared type. */
  target: RegExp;
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
  assigns: /<-|=(?!=)/,
  target: /^([^\s<=(),]+)$/,
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
  assigns: /=(?!=)/,
  target: /^(?:const\s+)?([^\s=(),:[\].]+)(?:\s*::\s*([\w{}.,]+))?$/,
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
    const sign = language.assigns.exec(text);
    const left = text.slice(0, sign?.index ?? 0).trim();
    const valueText = sign === null ? '' : text.slice(sign.index + sign[0].length).trim();
    // The length is looked at first: the pattern of a long line would take long.
    const [, name, declaredName] = left.length > 500 ? [] : (language.target.exec(left) ?? []);
    if (name === undefined || valueText === '') {
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
    const literal = readLiteral(valueText, language, 0, (detail, mend) => cellFault(source, line, detail, mend));
    const type = language.typeOfName[declaredName ?? ''];
    const agrees = literal === undefined || literal.type === type || (type === 'number' && literal.type === 'integer');
    found.push(readComment(parameterOf(name, literal, type !== undefined && agrees ? { type } : {}), comment));
  }
  return collect(found);
}

function readLiteral(
  text: string,
  language: Language,
  depth: number,
  fault: (detail: string, mend: string) => Error
): Literal {
  if (depth > deepest) return undefined;
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
    return readString(text, quote, language);
  }
  const inner = language.list.exec(text)?.[1];
  if (inner === undefined) return undefined;
  const value: JsonValue[] = [];
  for (const item of splitItems(inner, language)) {
    const literal = readLiteral(item, language, depth + 1, fault);
    if (literal === undefined) return undefined;
    value.push(literal.value);
  }
  return { value, type: 'array' };
}

function readString(text: string, quote: string, language: Language): Literal {
  const escapes: Record<string, string> = { n: '\n', t: '\t', r: '\r' };
  let value = '';
  for (let at = 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === quote) return at === text.length - 1 ? { value, type: 'string' } : undefined;
    if (character === '$' && language.interpolates) return undefined;
    if (character === '\\') {
      at += 1;
      value += escapes[text.charAt(at)] ?? text.charAt(at);
    } else value += character;
  }
  return undefined;
}

function splitItems(text: string, language: Language): string[] {
  return split(text, language, ',')
    .map((part) => part.text.trim())
    .filter((item, place, all) => item !== '' || place < all.length - 1);
}

interface Part {
  text: string;
  /** Where it starts, in characters. */
  from: number;
  /** A comment that stands at its end. */
  comment: string;
  /** False where a bracket or string is still open at the end of the text. */
  closed: boolean;
}

/** Cuts a text at separators outside of strings, brackets and comments, in one pass. */
function split(text: string, language: Language, separators: string): Part[] {
  const parts: Part[] = [];
  let part: Part = { text: '', from: 0, comment: '', closed: true };
  let codeFrom = 0;
  let depth = 0;
  let quote = '';
  const take = (to: number) => {
    part.text += text.slice(codeFrom, to);
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (quote !== '') {
      if (character === '\\') at += 1;
      else if (character === quote) quote = '';
    } else if (character === '#') {
      take(at);
      const end = text.indexOf('\n', at);
      codeFrom = end < 0 ? text.length : end;
      part.comment = text
        .slice(at, codeFrom)
        .replace(/^#+'?\s*/, '')
        .trim();
      at = codeFrom - 1;
    } else if (depth === 0 && separators.includes(character)) {
      take(at);
      parts.push(part);
      codeFrom = at + 1;
      part = { text: '', from: codeFrom, comment: '', closed: true };
    } else if (language.quotes.includes(character)) quote = character;
    else if ('([{'.includes(character)) depth += 1;
    else if (')]}'.includes(character)) depth -= 1;
  }
  take(text.length);
  part.closed = quote === '' && depth <= 0;
  return [...parts, part];
}

/** Statements end with their line, or go on while a bracket or string is open. */
function statements(source: string, language: Language): Statement[] {
  const found: Statement[] = [];
  let above: string[] = [];
  let line = 1;
  let counted = 0;
  for (const part of split(source, language, '\n')) {
    for (; counted < part.from; counted += 1) if (source.charAt(counted) === '\n') line += 1;
    if (!part.closed) {
      throw cellFault(source, line, 'a bracket or string is opened and never closed.', 'Close it, and send it again.');
    }
    if (part.text.trim() === '') {
      above = part.comment === '' ? [] : [...above, part.comment];
      continue;
    }
    for (const { text } of split(part.text, language, ';')) {
      if (text.trim() !== '') found.push({ text: text.trim(), line, comment: part.comment || above.join(' ') });
    }
    above = [];
  }
  return found;
}
