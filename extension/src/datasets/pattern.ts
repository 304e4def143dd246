import type { TranslationBundle } from '@jupyterlab/translation';

export interface IPatternReading {
  /** Entities in order of first appearance. */
  entities: string[];
  /** Why the pattern cannot be used, or null. */
  problem: string | null;
}

/** Reads a pattern of paths, as `sub-{sub}/sub-{sub}_{suffix}.nii`, as far as that needs no look at the files. */
export function readPattern(pattern: string, trans: TranslationBundle): IPatternReading {
  const entities: string[] = [];
  const wrong = (problem: string): IPatternReading => ({ entities, problem });
  if (pattern.trim() === '') return wrong(trans.__('Write a path with names in braces, as sub-{sub}_{task}.csv'));
  if (pattern.startsWith('/')) return wrong(trans.__('Write the path below the folder, without a / in front'));
  if (pattern.split('/').some((segment) => segment === '..' || segment === '.' || segment === '')) {
    return wrong(trans.__('A part between two / is missing, or is . or ..'));
  }
  let rest = pattern;
  for (;;) {
    const open = rest.search(/[{}]/);
    if (open < 0) break;
    if (rest[open] === '}') return wrong(trans.__('There is a } without a { before it'));
    const close = rest.indexOf('}', open);
    const name = close < 0 ? '' : rest.slice(open + 1, close);
    if (close < 0 || name.includes('{')) return wrong(trans.__('There is a { without a } after it'));
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
      return wrong(trans.__('{%1} is not a name: use letters, digits and _', name));
    }
    if (rest[close + 1] === '{') return wrong(trans.__('{%1} needs some text between it and the next name', name));
    if (!entities.includes(name)) entities.push(name);
    rest = rest.slice(close + 1);
  }
  if (entities.length === 0) return wrong(trans.__('Name at least one part in braces, as {sub}: it becomes an entity'));
  return { entities, problem: null };
}
