import type { Contract } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';
import type { NotebookContent } from './notebook-content.js';
import { inferParameters } from './parameter-inference.js';

/** What a cell of assignments does besides them. */
const importLine = /^\s*(import|from|library|require|using)\b/;

/**
 * The cells of a notebook that decide what it makes of a shard and values. A person tunes by editing the tagged cell, and
 * a task gets the values of its set in place of what stands there: so of that cell only what it imports counts, and a
 * notebook tuned back to earlier values finds their derivatives again. Where the cell does more than assign parameters of
 * the contract, it counts as it is.
 */
export function decidingCells(
  { cells, parametersCell, language }: NotebookContent,
  contract: Contract
): NotebookContent['cells'] {
  if (parametersCell === null) return cells;
  let assigned: string[];
  try {
    assigned = inferParameters(parametersCell.source, language).map(({ name }) => name);
  } catch (error) {
    if (error instanceof ProblemError) return cells;
    throw error;
  }
  const known = new Set(contract.parameters.map(({ name }) => name));
  if (!assigned.every((name) => known.has(name))) return cells;
  const imports = parametersCell.source.split('\n').filter((line) => importLine.test(line));
  const source = imports.map((line) => line.trim()).join('\n');
  return cells.map((cell) =>
    cell.source === parametersCell.source && cell.type === 'code' ? { ...cell, source } : cell
  );
}
