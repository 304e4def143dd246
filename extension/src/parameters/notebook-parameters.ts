import type { JsonValue } from '@labscale/schema';
import { formatLiteral, parseLiteral } from './python-literal';

/** As much of a cell of nbformat 4 as parameters need. */
export interface INotebookCell {
  cell_type: string;
  source: string | string[];
  metadata?: { tags?: unknown } & Record<string, unknown>;
  [key: string]: unknown;
}

/** Papermill's tag first; the other is what Kale writes. */
export const parameterTags = ['parameters', 'pipeline-parameters'] as const;
export const injectedTag = 'injected-parameters';

export function sourceOf(cell: INotebookCell): string {
  return Array.isArray(cell.source) ? cell.source.join('') : cell.source;
}

export function hasTag(cell: INotebookCell, tag: string): boolean {
  const tags = cell.metadata?.tags;
  return Array.isArray(tags) && tags.includes(tag);
}

/** Place of the cell that holds the parameters, and by which tag; null where the notebook has none. */
export function findParametersCell(
  cells: readonly INotebookCell[]
): { index: number; tag: (typeof parameterTags)[number] } | null {
  for (const tag of parameterTags) {
    const index = cells.findIndex((cell) => cell.cell_type === 'code' && hasTag(cell, tag));
    if (index >= 0) return { index, tag };
  }
  return null;
}

/** A top-level `name = value` on lines of its own. */
export interface IAssignment {
  name: string;
  /** First and last line in the cell, both included, from 0. */
  firstLine: number;
  lastLine: number;
  /** undefined where the right side is not a literal. */
  value: JsonValue | undefined;
}

const assignment = /^([A-Za-z_][A-Za-z0-9_]*)\s*(?::\s*[^=#]+?)?\s*(=(?!=)|<-)\s*(.*)$/;

/** The top-level assignments of a cell, in order; what is indented, augmented or unpacked is none. */
export function findAssignments(source: string): IAssignment[] {
  const lines = source.split('\n');
  const found: IAssignment[] = [];
  let skipTo = 0;
  lines.forEach((line, index) => {
    if (index < skipTo) return;
    const match = assignment.exec(line);
    const name = match?.[1];
    if (name === undefined) {
      // A string or bracket over several lines may hold what only looks like an assignment.
      skipTo = lastLineOf(lines, index, line) + 1;
      return;
    }
    const lastLine = lastLineOf(lines, index, match?.[3] ?? '');
    const right = [match?.[3] ?? '', ...lines.slice(index + 1, lastLine + 1)].join('\n');
    found.push({ name, firstLine: index, lastLine, value: parseLiteral(right) });
    skipTo = lastLine + 1;
  });
  return found;
}

/** Where a statement that starts with `text` on line `first` ends: brackets and triple quotes go over lines. */
function lastLineOf(lines: readonly string[], first: number, text: string): number {
  let depth = 0;
  let quote: string | null = null;
  let rest = text;
  for (let index = first; ; index += 1) {
    for (let at = 0; at < rest.length; at += 1) {
      const char = rest[at] as string;
      if (quote !== null) {
        if (char === '\\') at += 1;
        else if (rest.startsWith(quote, at)) {
          at += quote.length - 1;
          quote = null;
        }
      } else if (char === '#') break;
      else if (char === '"' || char === "'") {
        quote = rest.startsWith(char.repeat(3), at) ? char.repeat(3) : char;
        at += quote.length - 1;
      } else if ('([{'.includes(char)) depth += 1;
      else if (')]}'.includes(char)) depth -= 1;
    }
    if (quote?.length === 1) quote = null;
    const continued = rest.trimEnd().endsWith('\\');
    if ((depth <= 0 && quote === null && !continued) || index + 1 >= lines.length) return index;
    rest = lines[index + 1] as string;
  }
}

/** The names and text values of the cell tagged `parameters`; the last assignment to a name counts. */
export function textParameters(cells: readonly INotebookCell[]): { name: string; value: JsonValue | undefined }[] {
  const at = findParametersCell(cells);
  const cell = at === null ? undefined : cells[at.index];
  if (cell === undefined) return [];
  const byName = new Map(findAssignments(sourceOf(cell)).map(({ name, value }) => [name, value]));
  return [...byName].map(([name, value]) => ({ name, value }));
}

/**
 * Variables that could become parameters: names with exactly one top-level assignment in the code cells, to a literal,
 * and outside the cell that is tagged already. A name that is assigned again would overwrite what a run puts in.
 */
export function candidateVariables(cells: readonly INotebookCell[]): { name: string; value: JsonValue }[] {
  const tagged = findParametersCell(cells)?.index ?? -1;
  const seen = new Map<string, { count: number; value: JsonValue | undefined }>();
  cells.forEach((cell, index) => {
    if (cell.cell_type !== 'code' || hasTag(cell, injectedTag)) return;
    const source = sourceOf(cell);
    for (const { name, value } of findAssignments(source)) {
      const before = seen.get(name)?.count ?? 0;
      seen.set(name, { count: before + (index === tagged ? 2 : 1), value });
    }
    for (const match of source.matchAll(
      /^\s*(?:for\s+)?([A-Za-z_]\w*)\s*(?:[-+*/%&|^@]|\*\*|\/\/|<<|>>)=|\bfor\s+(\w+)\s+in\b/gm
    )) {
      const name = match[1] ?? match[2];
      if (name !== undefined) seen.set(name, { count: 2, value: undefined });
    }
  });
  return [...seen].flatMap(([name, { count, value }]) =>
    count === 1 && value !== undefined && !name.startsWith('_') ? [{ name, value }] : []
  );
}

const binding =
  /^[ \t]*([A-Za-z_][\w \t,()*[\].]*?)[ \t]*(?::[^=\n]+)?(?:=(?!=)|<-)|\bfor[ \t]+([^:\n]+?)[ \t]+in\b|\bas[ \t]+\(?([\w, \t]+)|([A-Za-z_]\w*)[ \t]*:=/gm;

/** All names that the code cells set in any way that can be told from the text: what a run would overwrite. */
export function boundNames(cells: readonly INotebookCell[]): Set<string> {
  const names = new Set<string>();
  for (const cell of cells) {
    if (cell.cell_type !== 'code') continue;
    for (const match of sourceOf(cell).matchAll(binding)) {
      const targets = match[1] ?? match[2] ?? match[3] ?? match[4] ?? '';
      for (const name of targets.match(/[A-Za-z_]\w*/g) ?? []) names.add(name);
    }
  }
  return names;
}

/** What to do to the notebook so that `chosen` are parameters. */
export interface IParametersEdit {
  /** New sources of code cells that are there, by index. */
  sources: Map<number, string>;
  /** Tag to add to a cell that is there, or a new cell with this source put in before this index. */
  tagCell: number | null;
  insert: { index: number; source: string } | null;
}

/**
 * Puts variables into the cell tagged `parameters`, making one where there is none.
 *
 * A literal assignment elsewhere moves there with its lines, else it would overwrite the values that a run puts in
 * after that cell; an assignment that is not a literal stays where it is.
 */
export function planParametersEdit(
  cells: readonly INotebookCell[],
  chosen: readonly { name: string; value: JsonValue }[],
  language: string
): IParametersEdit {
  const sources = new Map<number, string>();
  const tagged = findParametersCell(cells);
  const wanted = new Map(chosen.map(({ name, value }) => [name, formatAssignment(name, value, language)]));
  const lines: string[] = [];
  let firstOrigin: number | null = null;

  const holders = cells.flatMap((cell, index) => {
    if (cell.cell_type !== 'code' || index === tagged?.index) return [];
    const moved = findAssignments(sourceOf(cell)).filter(({ name, value }) => wanted.has(name) && value !== undefined);
    return moved.length > 0 ? [{ index, moved }] : [];
  });
  const holder = holders[0];
  if (tagged === null && holder && holders.length === 1 && holder.moved.length === wanted.size) {
    const source = sourceOf(cells[holder.index] as INotebookCell);
    const all = findAssignments(source);
    if (onlyAssignments(source, all) && all.length === holder.moved.length) {
      return { sources, tagCell: holder.index, insert: null };
    }
  }
  for (const { index, moved } of holders) {
    const source = sourceOf(cells[index] as INotebookCell).split('\n');
    const gone = new Set<number>();
    for (const { name, firstLine, lastLine } of moved) {
      lines.push(source.slice(firstLine, lastLine + 1).join('\n'));
      wanted.delete(name);
      for (let line = firstLine; line <= lastLine; line += 1) gone.add(line);
    }
    sources.set(index, source.filter((_, line) => !gone.has(line)).join('\n'));
    firstOrigin ??= index;
  }
  lines.push(...wanted.values());
  if (tagged !== null) {
    const source = sourceOf(cells[tagged.index] as INotebookCell);
    sources.set(tagged.index, [source.trimEnd(), ...lines].filter((text) => text !== '').join('\n'));
    return { sources, tagCell: null, insert: null };
  }
  const firstCode = cells.findIndex((cell) => cell.cell_type === 'code');
  const index = firstOrigin ?? (firstCode < 0 ? cells.length : firstCode);
  return { sources, tagCell: null, insert: { index, source: lines.join('\n') } };
}

function onlyAssignments(source: string, found: readonly IAssignment[]): boolean {
  const inside = new Set<number>();
  for (const { firstLine, lastLine } of found) {
    for (let line = firstLine; line <= lastLine; line += 1) inside.add(line);
  }
  return source.split('\n').every((line, index) => inside.has(index) || /^\s*(#.*)?$/.test(line));
}

export function formatAssignment(name: string, value: JsonValue, language: string): string {
  return `${name} ${language.toLowerCase() === 'r' ? '<-' : '='} ${formatLiteral(value, language)}`;
}

/**
 * Papermill's convention: a cell tagged `injected-parameters` right after the tagged one, in place of an older one.
 * `floats` names the parameters of type `number`: JSON has made 2 of their 2.0.
 */
export function injectParameters<T extends INotebookCell>(
  cells: readonly T[],
  values: Readonly<Record<string, JsonValue>>,
  floats: ReadonlySet<string>,
  language: string,
  title: string,
  newCell: (source: string) => T
): T[] {
  const source = [
    `# ${title}`,
    ...Object.entries(values).map(([name, value]) => {
      const assignment = formatAssignment(name, value, language);
      const isWhole = typeof value === 'number' && /^-?\d+$/.test(String(value));
      return isWhole && floats.has(name) ? `${assignment}.0` : assignment;
    })
  ];
  const kept = cells.filter((cell) => !hasTag(cell, injectedTag));
  const index = (findParametersCell(kept)?.index ?? -1) + 1;
  return [...kept.slice(0, index), newCell(source.join('\n')), ...kept.slice(index)];
}

/** The notebook without outputs and counts: what is run on a shard, without megabytes of pictures. */
export function withoutOutputs<T extends { cells: unknown[] }>(notebook: T): T {
  return {
    ...notebook,
    cells: notebook.cells.map((cell) =>
      (cell as INotebookCell).cell_type === 'code'
        ? { ...(cell as INotebookCell), outputs: [], execution_count: null }
        : cell
    )
  };
}

/** Modules that the code cells import, first part of the name, for finding those that lie beside the notebook. */
export function importedModules(source: string): string[] {
  const found = new Set<string>();
  for (const match of source.matchAll(/^[ \t]*(?:from[ \t]+([A-Za-z_]\w*)[\w.]*[ \t]+import\b|import[ \t]+(.+)$)/gm)) {
    if (match[1] !== undefined) found.add(match[1]);
    for (const part of match[2]?.split(',') ?? []) {
      const name = /^\s*([A-Za-z_]\w*)/.exec(part)?.[1];
      if (name !== undefined) found.add(name);
    }
  }
  return [...found];
}
