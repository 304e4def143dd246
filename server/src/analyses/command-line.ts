import { ProblemError } from '../problem-error.js';
import { type Parameter } from './parameters-cell.js';

/**
 * Names that stand in braces in a command line, in order, without `places`, which are the task's own. Raises
 * CONTRACT_INVALID for braces that are not in pairs.
 */
export function commandParameters(command: readonly string[], places: ReadonlySet<string>): Parameter[] {
  const names = new Set<string>();
  command.forEach((part, index) => {
    const field = `body/command/${index}`;
    const rest = part.replace(/\{\{|\}\}/g, '').replace(/\{([A-Za-z_][A-Za-z0-9_]{0,127})\}/g, (_all, name: string) => {
      if (!places.has(name)) names.add(name);
      return '';
    });
    if (/[{}]/.test(rest)) {
      throw new ProblemError('CONTRACT_INVALID', `The braces in "${part.slice(0, 80)}" do not name a parameter.`, {
        field,
        mend: 'Write {name} for a value, and {{ or }} for a brace itself.'
      });
    }
  });
  return [...names].map((name) => ({ name, type: 'any' }));
}
