import type { IDocumentManager } from '@jupyterlab/docmanager';
import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { Snippet } from '@labscale/schema';
import type { LabscaleClient } from '../api/client';

/** Puts the notebook of a snippet into a folder and opens it; gives its path. Throws what Contents or the server say. */
export async function openSnippetNotebook(
  client: LabscaleClient,
  docManager: IDocumentManager,
  snippet: Snippet,
  analysisId: string | null,
  folder: string
): Promise<string> {
  const content = await client.call('getSnippetNotebook', {
    params: { snippetId: snippet.id },
    query: analysisId === null ? {} : { analysisId }
  });
  const { contents } = docManager.services;
  const path = await freePath(contents, folder, fileName(snippet.name));
  await contents.save(path, { type: 'notebook', format: 'json', content });
  docManager.openOrReveal(path);
  return path;
}

/** Makes the notebook that is open be tuned on a snippet: the kernel reads it from the notebook's file. */
export async function setSnippet(panel: NotebookPanel, snippet: Snippet): Promise<void> {
  panel.model?.setMetadata('labscale', { snippetId: snippet.id, datasetVersionId: snippet.datasetVersionId });
  await panel.context.save();
}

function fileName(name: string): string {
  return name.replace(/[/\\:*?"<>|\s]+/g, '-').replace(/^[-.]+|[-.]+$/g, '') || 'snippet';
}

/** A path that no file has, as `name.ipynb` or `name-2.ipynb`. */
async function freePath(contents: Contents.IManager, folder: string, name: string): Promise<string> {
  const listing = await contents.get(folder, { content: true, type: 'directory' });
  const taken = new Set((listing.content as Contents.IModel[]).map((one) => one.name));
  let candidate = `${name}.ipynb`;
  for (let number = 2; taken.has(candidate); number += 1) candidate = `${name}-${number}.ipynb`;
  return PathExt.join(folder, candidate);
}
