import type { Operations, Snippet } from '@labscale/schema';

type Notebook = Operations['getSnippetNotebook']['result'];

interface Cell {
  cell_type: 'markdown' | 'code';
  id: string;
  metadata: Record<string, unknown>;
  source: string;
  outputs?: unknown[];
  execution_count?: null;
}

const code = (id: string, source: string, tags: string[] = []): Cell => ({
  cell_type: 'code',
  id,
  metadata: tags.length > 0 ? { tags } : {},
  source,
  outputs: [],
  execution_count: null
});

/** How to look at the first file of a shard, by what it is. */
function lookAt(path: string): string {
  const name = path.toLowerCase();
  if (name.endsWith('.npy')) return 'import numpy as np\n\ndata = np.load(shard.files[0])\ndata.shape, data.dtype';
  if (name.endsWith('.csv')) return 'import pandas as pd\n\ndata = pd.read_csv(shard.files[0])\ndata.head()';
  if (name.endsWith('.tsv')) return "import pandas as pd\n\ndata = pd.read_csv(shard.files[0], sep='\\t')\ndata.head()";
  if (name.endsWith('.json')) return 'import json\n\ndata = json.loads(shard.files[0].read_text())\ndata';
  if (name.endsWith('.nii') || name.endsWith('.nii.gz'))
    return 'import nibabel\n\nimage = nibabel.load(shard.files[0])\nimage.shape';
  if (/\.(png|jpe?g|gif)$/.test(name))
    return 'from IPython.display import Image\n\nImage(filename=str(shard.files[0]))';
  return 'data = shard.files[0].read_bytes()\nlen(data)';
}

/** A new notebook that loads a snippet and has a cell for what is to be tuned. */
export function snippetNotebook(snippet: Snippet, datasetName: string): Notebook {
  const first = snippet.shards[0]?.objects[0]?.path ?? '';
  return {
    cells: [
      {
        cell_type: 'markdown',
        id: 'about',
        metadata: {},
        source: `# ${datasetName}\n${snippet.shards.length} shards, cut with seed ${snippet.selection.seed}. Tune here; **Promote** runs it on every shard.`
      },
      code(
        'snippet',
        `import labscale\n\nsnippet = labscale.snippet("${snippet.id}")  # in a run: the shard of the task`
      ),
      code(
        'parameters',
        '# What you tune, one assignment a line; the comment is its help.\nthreshold = 0.5  # min 0, max 1',
        ['parameters']
      ),
      code('look', `shard = labscale.shard()\n${lookAt(first)}`),
      code(
        'result',
        'out = labscale.output()  # a folder; what is written there in a run gets published\n(out / "result.txt").write_text(f"{shard.key} {threshold}\\n")\nlabscale.metric(threshold=threshold)'
      )
    ],
    metadata: {
      kernelspec: { name: 'python3', display_name: 'Python 3 (ipykernel)', language: 'python' },
      language_info: { name: 'python' },
      labscale: { snippetId: snippet.id, datasetVersionId: snippet.datasetVersionId }
    },
    nbformat: 4,
    nbformat_minor: 5
  };
}

/** A notebook of an analysis, made to open on a snippet. */
export function notebookOnSnippet(notebook: Notebook, snippet: Snippet): Notebook {
  return {
    ...notebook,
    metadata: { ...notebook.metadata, labscale: { snippetId: snippet.id, datasetVersionId: snippet.datasetVersionId } }
  };
}
