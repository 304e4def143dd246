import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { benchFolder, python } from './repository.mjs';

const sources = join(benchFolder, 'analyses');

export const smoothingSource = join(sources, 'smoothing.py');
export const tallySource = join(sources, 'tally.py');
export const pauseSource = join(sources, 'pause.py');

/**
 * The notebook of the bench: imports, parameters by papermill's convention, work. It finds its shard by the
 * environment variables of a task, so that papermill runs the very same file. `smoothing.py` must lie beside it.
 */
export function smoothingNotebook(passes = 1) {
  const code = (id, source, tags = []) => ({
    cell_type: 'code',
    id,
    execution_count: null,
    metadata: tags.length > 0 ? { tags } : {},
    outputs: [],
    source
  });
  return {
    cells: [
      code('imports', 'import os\n\nimport numpy as np\n\nfrom smoothing import smooth'),
      code('parameters', `sigma = 1.0\npasses = ${passes}`, ['parameters']),
      code('smooth', "snr = smooth(os.environ['LABSCALE_INPUT'], os.environ['LABSCALE_OUTPUT'], sigma, passes)"),
      code('show', "print(f'snr {snr:.3f} with sigma {sigma}, numpy {np.__version__}')")
    ],
    metadata: {
      kernelspec: { display_name: 'Python 3', language: 'python', name: 'python3' },
      language_info: { name: 'python' }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
}

const resources = { cpus: 1, memoryBytes: 1_073_741_824, timeLimitSeconds: 600, retries: 0, backoffSeconds: 0 };

/** Body of createAnalysis for the notebook above. */
export async function smoothingAnalysis(passes = 1) {
  return {
    kind: 'notebook',
    path: 'smoothing.ipynb',
    name: 'Smoothing',
    notebook: smoothingNotebook(passes),
    files: [{ path: 'smoothing.py', text: await readFile(smoothingSource, 'utf8') }],
    contract: { resources }
  };
}

/** Body of createAnalysis for the tiny program; on a cluster `interpreter` is that of an image. */
export async function tallyAnalysis(interpreter = python) {
  return {
    kind: 'command',
    name: 'Tally',
    command: [interpreter, '-I', 'tally.py'],
    files: [{ path: 'tally.py', text: await readFile(tallySource, 'utf8') }],
    contract: { resources }
  };
}

/** Body of createAnalysis for the program that lasts a second. */
export async function pauseAnalysis(interpreter) {
  return {
    kind: 'command',
    name: 'Pause',
    command: [interpreter, '-I', 'pause.py'],
    files: [{ path: 'pause.py', text: await readFile(pauseSource, 'utf8') }],
    contract: { resources: { ...resources, memoryBytes: 134_217_728 } }
  };
}
