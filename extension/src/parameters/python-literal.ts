import type { JsonValue } from '@labscale/schema';

/**
 * Reads a literal as Python writes it (numbers, strings, True, False, None, lists, tuples, dicts with string keys); R's
 * TRUE, FALSE and NULL too. `undefined` for everything else: a name, a call, arithmetic, f-strings, NaN, infinity.
 */
export function parseLiteral(text: string): JsonValue | undefined {
  const reader = new LiteralReader(text);
  try {
    const value = reader.value();
    reader.end();
    return value;
  } catch (error) {
    if (error instanceof NotALiteral) return undefined;
    throw error;
  }
}

class NotALiteral extends Error {}

const names: Record<string, JsonValue> = {
  True: true,
  False: false,
  None: null,
  TRUE: true,
  FALSE: false,
  NULL: null,
  true: true,
  false: false
};
const escapes: Record<string, string> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
  '0': '\0'
};

class LiteralReader {
  constructor(private readonly _text: string) {}

  value(): JsonValue {
    this._space();
    const rest = this._text.slice(this._at);
    const number = /^[+-]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/.exec(rest)?.[0];
    if (number !== undefined && !/^[+-]?0\d/.test(number)) {
      this._at += number.length;
      // R writes whole numbers as 3L.
      if (this._text[this._at] === 'L') this._at += 1;
      if (/[A-Za-z_]/.test(this._text[this._at] ?? '')) throw new NotALiteral();
      const value = Number(number.replaceAll('_', ''));
      if (!Number.isFinite(value)) throw new NotALiteral();
      return value;
    }
    const word = /^[A-Za-z]+(?!["'\w])/.exec(rest)?.[0];
    if (word !== undefined) {
      if (!Object.hasOwn(names, word)) throw new NotALiteral();
      this._at += word.length;
      return names[word] as JsonValue;
    }
    const open = this._text[this._at];
    if (open === '"' || open === "'") return this._string(open);
    if (open === '[') return this._items(']').items;
    if (open === '(') {
      const { items, comma } = this._items(')');
      const only = items[0];
      return items.length === 1 && !comma && only !== undefined ? only : items;
    }
    if (open === '{') return this._object();
    throw new NotALiteral();
  }

  end(): void {
    this._space();
    if (this._at < this._text.length) throw new NotALiteral();
  }

  private _string(quote: string): string {
    const triple = this._text.startsWith(quote.repeat(3), this._at);
    const close = triple ? quote.repeat(3) : quote;
    this._at += close.length;
    let out = '';
    while (!this._text.startsWith(close, this._at)) {
      const char = this._text[this._at];
      if (char === undefined || (char === '\n' && !triple)) throw new NotALiteral();
      if (char === '\\') {
        const escaped = escapes[this._text[this._at + 1] ?? ''];
        const hex = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))/.exec(this._text.slice(this._at));
        if (hex) {
          out += String.fromCharCode(parseInt(hex[1] ?? hex[2] ?? '', 16));
          this._at += hex[0].length;
          continue;
        }
        if (escaped === undefined) throw new NotALiteral();
        out += escaped;
        this._at += 2;
      } else {
        out += char;
        this._at += 1;
      }
    }
    this._at += close.length;
    return out;
  }

  private _items(close: string): { items: JsonValue[]; comma: boolean } {
    const items: JsonValue[] = [];
    let comma = false;
    this._at += 1;
    for (;;) {
      this._space();
      if (this._take(close)) return { items, comma };
      if (items.length > 0 && !comma) throw new NotALiteral();
      items.push(this.value());
      this._space();
      comma = this._take(',');
    }
  }

  private _object(): JsonValue {
    const entries: [string, JsonValue][] = [];
    let comma = true;
    this._at += 1;
    for (;;) {
      this._space();
      if (this._take('}')) return Object.fromEntries(entries);
      if (!comma) throw new NotALiteral();
      const key = this.value();
      this._space();
      if (typeof key !== 'string' || !this._take(':')) throw new NotALiteral();
      entries.push([key, this.value()]);
      this._space();
      comma = this._take(',');
    }
  }

  private _take(char: string): boolean {
    if (this._text[this._at] !== char) return false;
    this._at += 1;
    return true;
  }

  private _space(): void {
    this._at += /^(?:\s|#[^\n]*\n?)*/.exec(this._text.slice(this._at))?.[0].length ?? 0;
  }

  private _at = 0;
}

/** A value as the language of a kernel writes it, for an assignment in a cell; Python where the language is not known. */
export function formatLiteral(value: JsonValue, language: string): string {
  const words = languageWords[language.toLowerCase()] ?? languageWords['python'];
  if (value === null) return words!.none;
  if (typeof value === 'boolean') return value ? words!.yes : words!.no;
  if (typeof value === 'number') return String(value);
  // Not JSON as it is: R and Julia know no \/ but do know \u; JSON.stringify writes neither \/ nor raw controls.
  if (typeof value === 'string') return words!.string(JSON.stringify(value));
  if (Array.isArray(value)) {
    return words!.list(value.map((item) => formatLiteral(item, language)));
  }
  return words!.object(
    Object.entries(value).map(([key, item]) => [words!.string(JSON.stringify(key)), formatLiteral(item, language)])
  );
}

interface ILanguageWords {
  none: string;
  yes: string;
  no: string;
  string: (json: string) => string;
  list: (items: string[]) => string;
  object: (entries: [string, string][]) => string;
}
const languageWords: Record<string, ILanguageWords> = {
  python: {
    none: 'None',
    yes: 'True',
    no: 'False',
    string: (json) => json,
    list: (items) => `[${items.join(', ')}]`,
    object: (entries) => `{${entries.map((entry) => entry.join(': ')).join(', ')}}`
  },
  r: {
    none: 'NULL',
    yes: 'TRUE',
    no: 'FALSE',
    string: (json) => json,
    list: (items) => `list(${items.join(', ')})`,
    object: (entries) => `list(${entries.map((entry) => entry.join(' = ')).join(', ')})`
  },
  julia: {
    none: 'nothing',
    yes: 'true',
    no: 'false',
    // In Julia `$` inside a string starts an interpolation.
    string: (json) => json.replaceAll('$', '\\$'),
    list: (items) => `[${items.join(', ')}]`,
    object: (entries) => `Dict(${entries.map((entry) => entry.join(' => ')).join(', ')})`
  }
};
