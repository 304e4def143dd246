import { ProblemError } from '../problem-error.js';
import { juliaParameters, rParameters } from './line-parameters.js';
import type { Parameter } from './parameters-cell.js';
import { pythonParameters } from './python-parameters.js';

const readers: Record<string, (source: string) => Parameter[]> = {
  python: pythonParameters,
  r: rParameters,
  julia: juliaParameters
};

const largestCell = 262_144;

/**
 * The parameters that a tagged cell declares, in its order; nothing is run. `language` is the kernel's, in lower case.
 * Raises PARAMETERS_CELL_INVALID where the cell cannot be read, or is in a language that is not read here.
 */
export function inferParameters(source: string, language: string): Parameter[] {
  const reader = Object.hasOwn(readers, language) ? readers[language] : undefined;
  if (reader === undefined) {
    throw new ProblemError(
      'PARAMETERS_CELL_INVALID',
      `Parameters of a notebook in ${language} cannot be read from its cell.`,
      {
        field: 'notebook',
        mend: 'Give them as contract.parameters.'
      }
    );
  }
  if (source.length > largestCell) {
    throw new ProblemError(
      'PARAMETERS_CELL_INVALID',
      `The parameters cell has ${source.length} characters; ${largestCell} are read.`,
      {
        field: 'notebook',
        mend: 'Load large values from a file in another cell.'
      }
    );
  }
  return reader(source.replaceAll('\r\n', '\n'));
}
