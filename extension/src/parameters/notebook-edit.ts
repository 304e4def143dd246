import type { NotebookPanel } from '@jupyterlab/notebook';
import type { JsonValue } from '@labscale/schema';
import { findParametersCell, planParametersEdit } from './notebook-parameters';
import { languageOf, notebookOf } from './save-draft';

/** Puts the chosen variables into the cell tagged `parameters`, as one step that undo takes back. */
export function addToParametersCell(panel: NotebookPanel, chosen: readonly { name: string; value: JsonValue }[]): void {
  const model = panel.content.model;
  if (model === null || chosen.length === 0) return;
  const notebook = notebookOf(panel);
  const edit = planParametersEdit(notebook.cells, chosen, languageOf(notebook));
  const shared = model.sharedModel;
  shared.transact(() => {
    if (edit.tagCell !== null) tagCell(panel, edit.tagCell);
    for (const [index, source] of edit.sources) shared.cells[index]?.setSource(source);
    if (edit.insert !== null) {
      shared.insertCell(edit.insert.index, {
        cell_type: 'code',
        source: edit.insert.source,
        metadata: { tags: ['parameters'], trusted: true },
        execution_count: null,
        outputs: []
      });
    }
    const moved = edit.insert === null ? 0 : 1;
    const emptied = [...edit.sources].filter(([, source]) => source.trim() === '').map(([index]) => index);
    for (const index of emptied.sort((a, b) => b - a)) {
      shared.deleteCell(index + (edit.insert !== null && index >= edit.insert.index ? moved : 0));
    }
  });
}

/** Gives the cell that Kale's tag marks papermill's tag too, so that every tool finds it. */
export function ensureParametersTag(panel: NotebookPanel): void {
  const found = findParametersCell(notebookOf(panel).cells);
  if (found !== null && found.tag !== 'parameters') tagCell(panel, found.index);
}

function tagCell(panel: NotebookPanel, index: number): void {
  const cell = panel.content.model?.cells.get(index);
  const tags: unknown = cell?.getMetadata('tags');
  cell?.setMetadata('tags', ['parameters', ...(Array.isArray(tags) ? tags : [])]);
}
