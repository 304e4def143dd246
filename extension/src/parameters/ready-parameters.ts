import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { ILabscale } from '../tokens';
import { gatherDraft } from './save-draft';
import { showSaveDialog } from './save-dialog';
import { registerAnalysis } from './save-parameters';
import { sameValue } from './value-text';

export interface IReadyParameters {
  analysisVersionId: string;
  parameterSetVersionId: string;
}

/**
 * What of a notebook can be promoted: the set that was saved last where the values are still its own, with the notebook
 * as it is now; else what the person saves, asked for first. Null where that was cancelled.
 */
export async function readyParameters(
  panel: NotebookPanel,
  labscale: ILabscale,
  contents: Contents.IManager
): Promise<IReadyParameters | null> {
  const draft = await gatherDraft(panel, labscale);
  const last = draft.sets.find((set) => set.owner === draft.user);
  if (last && draft.parameters.length > 0) {
    const { values } = last.latestVersion;
    const same =
      Object.keys(values).length === draft.parameters.length &&
      draft.parameters.every(({ name, value }) => sameValue(values[name], value));
    if (same) {
      const analysis = await registerAnalysis(panel, labscale, contents);
      return { analysisVersionId: analysis.latestVersion.id, parameterSetVersionId: last.latestVersion.id };
    }
  }
  const saved = await showSaveDialog(panel, labscale, contents);
  if (saved === null) return null;
  return {
    analysisVersionId: saved.latestVersion.analysisVersionId,
    parameterSetVersionId: saved.latestVersion.id
  };
}
