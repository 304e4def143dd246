import type { IDocumentManager } from '@jupyterlab/docmanager';
import { PathExt } from '@jupyterlab/coreutils';
import type { Contents } from '@jupyterlab/services';
import type { ParameterSet, ParameterSetVersion } from '@labscale/schema';
import { UUID } from '@lumino/coreutils';
import type { ILabscale } from '../tokens';
import { injectedTag, injectParameters } from './notebook-parameters';
import { languageOf, type INotebookContent } from './save-draft';

/** Writes the notebook that a set was saved from, with the values of the set in it, beside the original, and opens it. */
export async function openInNotebook(
  set: ParameterSet,
  version: ParameterSetVersion,
  labscale: ILabscale,
  docManager: IDocumentManager
): Promise<void> {
  const params = { versionId: version.analysisVersionId };
  const [analysis, source] = await Promise.all([
    labscale.client.call('getAnalysisVersion', { params }),
    labscale.client.call('getAnalysisSource', { params })
  ]);
  const notebook = source as INotebookContent;
  const title = labscale.trans.__('%1, version %2', set.name, version.number);
  const floats = new Set(analysis.contract.parameters.filter(({ type }) => type === 'number').map(({ name }) => name));
  const cells = injectParameters(notebook.cells, version.values, floats, languageOf(notebook), title, (text) => ({
    id: UUID.uuid4().slice(0, 8),
    cell_type: 'code',
    source: text,
    metadata: { tags: [injectedTag] },
    execution_count: null,
    outputs: []
  }));
  const { contents } = docManager.services;
  const folder = PathExt.dirname(analysis.path ?? '');
  const stem = PathExt.basename(analysis.path ?? set.analysisName, '.ipynb');
  // A name of a set may hold what no file name may.
  const part = `${set.name} v${version.number}`.replace(/[\\/:*?"<>|]+/g, '-');
  const path = await freePath(contents, folder, `${stem} (${part})`);
  await contents.save(path, { type: 'notebook', format: 'json', content: { ...notebook, cells } });
  docManager.openOrReveal(path);
}

async function freePath(contents: Contents.IManager, folder: string, stem: string): Promise<string> {
  // The folder of the original may be gone; the root always is there.
  const listing = await contents.get(folder, { content: true }).catch(() => contents.get('', { content: true }));
  const taken = new Set(((listing.content ?? []) as Contents.IModel[]).map(({ name }) => name));
  let name = `${stem}.ipynb`;
  for (let number = 2; taken.has(name); number += 1) name = `${stem} ${number}.ipynb`;
  return PathExt.join(listing.path, name);
}
