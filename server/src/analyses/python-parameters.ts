import type { SyntaxNode } from '@lezer/common';
import { parser } from '@lezer/python';
import {
  cellFault,
  checkName,
  collect,
  deepest,
  parameterOf,
  readComment,
  unusableNames,
  type JsonValue,
  type Literal,
  type Parameter
} from './parameters-cell.js';

/** Words that Python keeps for itself; none can be assigned to. */
export const pythonKeywords: ReadonlySet<string> = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except finally for from global ' +
    'if import in is lambda nonlocal not or pass raise return try while with yield'
  ).split(' ')
);

const keywordAssigned = /^\s*([a-z]+|None|True|False)\s*(?::[^=]*)?=(?!=)/;
const stringEscapes: Record<string, string> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"'
};
const statementsToIgnore = new Set(['ImportStatement', 'PassStatement']);
const typeOfName: Record<string, Parameter['type']> = {
  float: 'number',
  int: 'integer',
  str: 'string',
  bool: 'boolean',
  list: 'array',
  List: 'array',
  tuple: 'array',
  Tuple: 'array',
  Sequence: 'array',
  dict: 'object',
  Dict: 'object',
  Mapping: 'object'
};

/**
 * Parameters of a cell of plain Python assignments, in the order of the cell. Imports, comments and docstrings are passed
 * over. Raises PARAMETERS_CELL_INVALID with the line for a syntax error, for any other statement, for a name that cannot
 * be a parameter and for a number that JSON cannot carry.
 */
export function pythonParameters(source: string): Parameter[] {
  return new PythonCell(source).parameters();
}

class PythonCell {
  readonly #comments = new Map<number, { text: string; alone: boolean }>();

  readonly #lineStarts: number[];

  constructor(private readonly source: string) {
    this.#lineStarts = [0];
    for (let at = source.indexOf('\n'); at >= 0; at = source.indexOf('\n', at + 1)) this.#lineStarts.push(at + 1);
  }

  parameters(): Parameter[] {
    const top = parser.parse(this.source).topNode;
    this.#refuseErrors(top);
    for (const node of children(top)) if (node.name === 'Comment') this.#keepComment(node);
    const found: Parameter[] = [];
    for (const node of children(top)) {
      if (node.name === 'Comment') continue;
      this.#refuseIndent(node);
      const statements = node.name === 'StatementGroup' ? children(node).filter((part) => part.name !== ';') : [node];
      for (const statement of statements) found.push(...this.#statement(statement));
    }
    return collect(found);
  }

  #statement(node: SyntaxNode): Parameter[] {
    if (node.name === 'Comment' || statementsToIgnore.has(node.name)) return [];
    if (node.name === 'ExpressionStatement' && /^(Continued)?String$/.test(node.firstChild?.name ?? '')) return [];
    if (node.name !== 'AssignStatement') {
      throw this.#fault(
        node,
        'it is not an assignment.',
        'Keep only assignments there; move the rest to another cell.'
      );
    }
    // Sides of `a = b = 1`, and the items of `a, b = 1, 2`.
    const sides: SyntaxNode[][] = [[]];
    let typeNode: SyntaxNode | undefined;
    for (const part of children(node)) {
      if (part.name === 'AssignOp') sides.push([]);
      else if (part.name === 'TypeDef') typeNode = part;
      else if (part.name !== ',' && part.name !== 'Comment') sides.at(-1)?.push(part);
    }
    const values = sides.length > 1 ? (sides.pop() ?? []) : undefined;
    const found: Parameter[] = [];
    for (const targets of sides) {
      const several = targets.length > 1;
      if (several && values?.length !== targets.length) throw this.#notPlain(node);
      targets.forEach((target, place) => {
        if (target.name !== 'VariableName') throw this.#notPlain(node);
        const name = this.#text(target);
        checkName(this.source, this.#line(target.from), name);
        const literal =
          values === undefined ? undefined : this.#valueOf(several ? values.slice(place, place + 1) : values);
        const declared = typeNode === undefined ? {} : this.#declared(typeNode, literal);
        found.push(readComment(parameterOf(name, literal, declared), this.#commentOf(node)));
      });
    }
    return found;
  }

  /** What stands right of `=`: several items without brackets are a tuple. */
  #valueOf(nodes: readonly SyntaxNode[]): Literal {
    const [first] = nodes;
    if (first === undefined) return undefined;
    return nodes.length === 1 && !this.#endsInComma(first) ? this.#literal(first) : this.#items(nodes, 1);
  }

  #endsInComma(node: SyntaxNode): boolean {
    return (
      node.nextSibling?.name === ',' && node.parent?.name === 'AssignStatement' && node.nextSibling.nextSibling === null
    );
  }

  #items(nodes: readonly SyntaxNode[], depth: number): Literal {
    const value: JsonValue[] = [];
    for (const node of nodes) {
      const item = this.#literal(node, depth);
      if (item === undefined) return undefined;
      value.push(item.value);
    }
    return { value, type: 'array' };
  }

  #literal(node: SyntaxNode, depth = 0): Literal {
    if (depth > deepest) return undefined;
    switch (node.name) {
      case 'Number':
      case 'MemberExpression': // The grammar reads `1.e5` as a member of 1.
        return this.#number(node, this.#text(node));
      case 'UnaryExpression': {
        const [sign, operand] = children(node);
        if (sign === undefined || operand === undefined || !/^[+-]$/.test(this.#text(sign))) return undefined;
        const number = this.#literal(operand, depth + 1);
        if (typeof number?.value !== 'number') return undefined;
        // 0 and not -0, which JSON would lose.
        return this.#text(sign) === '-' ? { ...number, value: number.value === 0 ? 0 : -number.value } : number;
      }
      case 'Boolean':
        return { value: this.#text(node) === 'True', type: 'boolean' };
      case 'None':
        return { value: null, type: 'any' };
      case 'String':
      case 'ContinuedString': {
        let value = '';
        for (const part of node.name === 'String'
          ? [node]
          : children(node).filter((child) => child.name !== 'Comment')) {
          const text = part.name === 'String' ? this.#string(part) : undefined;
          if (text === undefined) return undefined;
          value += text;
        }
        return { value, type: 'string' };
      }
      case 'ParenthesizedExpression': {
        const inner = items(node);
        return inner.length === 1 && inner[0] !== undefined ? this.#literal(inner[0], depth + 1) : undefined;
      }
      case 'ArrayExpression':
      case 'TupleExpression':
        return this.#items(items(node), depth + 1);
      case 'DictionaryExpression':
        return this.#dictionary(node, depth + 1);
      default:
        return undefined;
    }
  }

  #dictionary(node: SyntaxNode, depth: number): Literal {
    const parts = items(node).filter((part) => part.name !== ':');
    const value: { [key: string]: JsonValue } = {};
    for (let at = 0; at < parts.length; at += 2) {
      const [keyNode, valueNode] = [parts[at], parts[at + 1]];
      if (keyNode === undefined || valueNode === undefined || keyNode.name === '**') return undefined;
      const key = this.#literal(keyNode, depth);
      const item = this.#literal(valueNode, depth);
      // Keys of JSON are texts: a dictionary by numbers would come back as another one.
      if (key === undefined || item === undefined || typeof key.value !== 'string') return undefined;
      if (unusableNames.has(key.value)) {
        throw this.#fault(keyNode, `"${key.value}" cannot be a key of a parameter.`, 'Rename that key.');
      }
      value[key.value] = item.value;
    }
    return { value, type: 'object' };
  }

  #number(node: SyntaxNode, text: string): Literal {
    const digits = text.replaceAll('_', '');
    const whole = /^(0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+|[1-9]\d*|0+)$/.test(digits);
    if (!whole && !/^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits)) return undefined;
    if (/^0\d+$/.test(digits) && !/^0+$/.test(digits)) {
      throw this.#fault(node, 'a whole number cannot start with 0.', 'Write it without leading zeros, or in quotes.');
    }
    const value = Number(digits);
    if (!Number.isFinite(value) || (whole && !Number.isSafeInteger(value))) {
      throw this.#fault(
        node,
        'this number is too large to be passed on exactly.',
        'Keep whole numbers below 2**53 and others below 1.8e308, or write it as a text in quotes.'
      );
    }
    return { value, type: whole ? 'integer' : 'number' };
  }

  /** The text that a string stands for; undefined for bytes and for `\N{...}`. */
  #string(node: SyntaxNode): string | undefined {
    const text = this.#text(node);
    const opening = /^([A-Za-z]*)("""|'''|"|')/.exec(text);
    const quote = opening?.[2] ?? '';
    const start = opening?.[0].length ?? 0;
    const closed = text.length >= start + quote.length && text.endsWith(quote);
    let escapes = 0;
    while (closed && text.charAt(text.length - quote.length - 1 - escapes) === '\\') escapes += 1;
    if (quote === '' || !closed || escapes % 2 === 1) {
      throw this.#fault(node, 'a string is opened and never closed.', 'Close its quotes.');
    }
    const prefix = opening?.[1]?.toLowerCase() ?? '';
    if (prefix.includes('b')) return undefined;
    const body = text.slice(start, -quote.length);
    if (prefix.includes('r')) return body;
    let named = false;
    const value = body.replace(
      /\\(?:\n|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-7]{1,3})|(.))/gs,
      (all, two?: string, four?: string, eight?: string, octal?: string, one?: string) => {
        const hex = two ?? four ?? eight;
        if (hex !== undefined) {
          const point = Number.parseInt(hex, 16);
          if (point > 0x10ffff) throw this.#fault(node, `\\U${hex} is no character.`, 'Correct the escape.');
          return String.fromCodePoint(point);
        }
        if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
        if (one === undefined) return '';
        if (one === 'N') named = true;
        return stringEscapes[one] ?? all;
      }
    );
    return named ? undefined : value;
  }

  /** The type that an annotation says, as far as the value agrees: Python does not enforce it, and the value is what runs. */
  #declared(typeDef: SyntaxNode, literal: Literal): Partial<Parameter> {
    const node = children(typeDef).find((child) => child.name !== ':');
    const text = node === undefined ? '' : this.#text(node);
    const unquoted = /^(['"])(.*)\1$/.exec(text)?.[2] ?? text;
    const union = unquoted
      .replace(/^(?:typing\.)?Optional\[(.*)\]$/s, '$1 | None')
      .split('|')
      .map((part) => part.trim());
    const nullable = union.includes('None') ? { nullable: true } : {};
    const [only, ...others] = union.filter((part) => part !== 'None');
    if (only === undefined || others.length > 0) return nullable;
    const choices = node === undefined ? undefined : this.#choices(node);
    if (choices !== undefined) {
      const types = new Set(choices.map((choice) => choice.type));
      const [type] = types;
      const fits = literal === undefined || choices.some((choice) => choice.value === literal.value);
      if (type === undefined || types.size > 1 || !fits) return nullable;
      return { type, enum: choices.map((choice) => choice.value), ...nullable };
    }
    const type = typeOfName[/^(?:typing\.)?(\w+)/.exec(only)?.[1] ?? ''];
    if (type === undefined) return nullable;
    const agrees =
      literal === undefined ||
      literal.value === null ||
      literal.type === type ||
      (type === 'number' && literal.type === 'integer');
    return agrees ? { type, ...nullable } : nullable;
  }

  /** The values of `Literal['a', 'b']`. */
  #choices(node: SyntaxNode): { value: JsonValue; type: Parameter['type'] }[] | undefined {
    if (node.name !== 'MemberExpression') return undefined;
    const [name, ...rest] = items(node);
    if (name === undefined || this.#text(name) !== 'Literal') return undefined;
    const values = rest.map((item) => this.#literal(item));
    return values.length > 0 && values.every((value) => value !== undefined) ? values : undefined;
  }

  #refuseErrors(top: SyntaxNode): void {
    const cursor = top.cursor();
    do {
      if (cursor.name === 'String' || cursor.name === 'FormatString') this.#string(cursor.node);
      if (!cursor.type.isError) continue;
      const statement = outermost(cursor.node);
      const line = this.#line(cursor.to > cursor.from ? cursor.from : statement.from);
      const text = this.source.split('\n')[line - 1] ?? '';
      const keyword = keywordAssigned.exec(text)?.[1];
      if (keyword !== undefined && pythonKeywords.has(keyword)) {
        throw cellFault(
          this.source,
          line,
          `"${keyword}" is a word of Python itself.`,
          'Give the parameter another name.'
        );
      }
      if (/^\s*[%!]/.test(text)) {
        throw cellFault(this.source, line, 'it is a command of IPython and not Python.', 'Move it to another cell.');
      }
      throw cellFault(
        this.source,
        line,
        'there is a syntax error.',
        'Correct it so that the cell runs, and send it again.'
      );
    } while (cursor.next());
  }

  #refuseIndent(node: SyntaxNode): void {
    const lineStart = this.source.lastIndexOf('\n', node.from - 1) + 1;
    if (node.from !== lineStart && this.source.slice(lineStart, node.from).trim() === '') {
      throw this.#fault(node, 'it is indented.', 'Start assignments at the beginning of the line.');
    }
  }

  #keepComment(node: SyntaxNode): void {
    const lineStart = this.source.lastIndexOf('\n', node.from - 1) + 1;
    const alone = this.source.slice(lineStart, node.from).trim() === '';
    this.#comments.set(this.#line(node.from), {
      text: this.#text(node)
        .replace(/^#+:?\s*/, '')
        .trim(),
      alone
    });
  }

  /** The comment after the statement, else the lines of comment directly above it. */
  #commentOf(node: SyntaxNode): string {
    const trailing = this.#comments.get(this.#line(node.to));
    if (trailing !== undefined && !trailing.alone) return trailing.text;
    const above: string[] = [];
    for (let line = this.#line(node.from) - 1; ; line -= 1) {
      const comment = this.#comments.get(line);
      if (comment === undefined || !comment.alone) break;
      above.unshift(comment.text);
    }
    return above.join(' ').trim();
  }

  #notPlain(node: SyntaxNode) {
    return this.#fault(node, 'it is not a plain assignment to names.', 'Write one NAME = VALUE a line there.');
  }

  #fault(node: SyntaxNode, detail: string, mend: string) {
    return cellFault(this.source, this.#line(node.from), detail, mend);
  }

  #text(node: SyntaxNode): string {
    return this.source.slice(node.from, node.to);
  }

  /** Counted from 1; by bisection, as a cell may have many lines. */
  #line(position: number): number {
    let [low, high] = [0, this.#lineStarts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#lineStarts[middle] ?? 0) <= position) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

function children(node: SyntaxNode): SyntaxNode[] {
  const found: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) found.push(child);
  return found;
}

/** What stands between brackets and commas. */
function items(node: SyntaxNode): SyntaxNode[] {
  return children(node).filter((child) => !/^[[\](){},]$/.test(child.name) && child.name !== 'Comment');
}

function outermost(node: SyntaxNode): SyntaxNode {
  let statement = node;
  while (statement.parent?.parent != null) statement = statement.parent;
  return statement;
}
