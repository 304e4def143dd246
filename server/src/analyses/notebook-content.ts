import type { Operations } from '@labscale/schema';
import { ProblemError } from '../problem-error.js';

export type Notebook = Operations['getAnalysisSource']['result'];
export type Kernel = { name: string; language: string };

export interface NotebookContent {
  /** As it is kept: without outputs, counts and what viewers left in it. */
  stripped: Notebook;
  /** What decides what it does: type, source and tags of the cells that have any. */
  cells: { type: string; source: string; tags: string[] }[];
  kernel: Kernel | null;
  /** In lower case; of the kernel, else of the notebook, else Python. */
  language: string;
  parametersCell: { index: number; source: string } | null;
}

const parameterTags = ['parameters', 'pipeline-parameters'];
/** Metadata that running or looking at a notebook leaves behind. */
const cellNoise = ['execution', 'papermill', 'ExecuteTime', 'collapsed', 'scrolled', 'trusted'];
const notebookNoise = ['widgets', 'papermill', 'signature', 'toc-autonumbering'];

/** Reads a notebook of format 4. Raises NOTEBOOK_INVALID with a pointer to what cannot be read. */
export function readNotebook(notebook: Notebook): NotebookContent {
  if (notebook.nbformat !== 4) {
    throw invalid(
      'nbformat',
      `It is a notebook of format ${notebook.nbformat}; only format 4 is read.`,
      'Open and save it in JupyterLab.'
    );
  }
  const cells: NotebookContent['cells'] = [];
  let parametersCell: NotebookContent['parametersCell'] = null;
  const strippedCells = notebook.cells.map((given, index) => {
    const cell = object(given);
    const type = cell?.['cell_type'];
    if (cell === undefined || typeof type !== 'string' || !['code', 'markdown', 'raw'].includes(type)) {
      throw invalid(`cells/${index}`, 'A cell has a cell_type of code, markdown or raw.', 'Save the notebook anew.');
    }
    const source = sourceOf(cell['source']);
    if (source === undefined) {
      throw invalid(
        `cells/${index}/source`,
        'The source of a cell is a text or a list of texts.',
        'Save the notebook anew.'
      );
    }
    const metadata = object(cell['metadata']) ?? {};
    const tags = Array.isArray(metadata['tags']) ? metadata['tags'].filter((tag) => typeof tag === 'string') : [];
    if (source.trim() !== '' || tags.length > 0) cells.push({ type, source, tags: [...tags].sort() });
    if (parametersCell === null && type === 'code' && tags.some((tag) => parameterTags.includes(tag))) {
      parametersCell = { index, source };
    }
    return {
      ...cell,
      metadata: without(metadata, cellNoise),
      source,
      ...(type === 'code' ? { outputs: [], execution_count: null } : {})
    };
  });
  const kernelspec = object(notebook.metadata['kernelspec']);
  const said = [kernelspec?.['language'], object(notebook.metadata['language_info'])?.['name']];
  const language = (said.find((name) => typeof name === 'string' && name !== '') as string | undefined)?.toLowerCase();
  const name = kernelspec?.['name'];
  const kernel =
    typeof name === 'string' && name !== ''
      ? { name: name.slice(0, 200), language: (language ?? 'python').slice(0, 80) }
      : null;
  return {
    stripped: { ...notebook, cells: strippedCells, metadata: without(notebook.metadata, notebookNoise) },
    cells,
    kernel,
    language: kernel?.language ?? language ?? 'python',
    parametersCell
  };
}

function sourceOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((line) => typeof line === 'string')) return value.join('');
  return undefined;
}

function object(value: unknown): Record<string, unknown> | undefined {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : undefined;
}

function without(from: Record<string, unknown>, names: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).filter(([name]) => !names.includes(name)));
}

function invalid(at: string, detail: string, mend: string): ProblemError {
  return new ProblemError('NOTEBOOK_INVALID', detail, { field: `body/notebook/${at}`, mend });
}
