import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Contents } from '@jupyterlab/services';
import type { Analysis, JsonValue, Operations, ParameterSet } from '@labscale/schema';
import type { ILabscale } from '../tokens';
import { findBundledFiles } from './bundled-files';
import { toThumbnail } from './image-outputs';
import { addToParametersCell, ensureParametersTag } from './notebook-edit';
import { analysisSource, labscaleMetadata, languageOf, notebookOf, type ISaveDraft } from './save-draft';
import { chosenParameters, previousSet, type ISaveForm } from './save-form';

type SetBody = Operations['createParameterSet']['body'];

/** Registers the notebook as it is now; the same analysis version where its content is known already. */
export async function registerAnalysis(
  panel: NotebookPanel,
  labscale: ILabscale,
  contents: Contents.IManager
): Promise<Analysis> {
  const notebook = notebookOf(panel);
  const path = panel.context.localPath;
  const files =
    languageOf(notebook).toLowerCase() === 'python'
      ? await findBundledFiles(contents, panel.context.path, notebook.cells)
      : [];
  return labscale.client.call('createAnalysis', {
    body: {
      kind: 'notebook',
      path,
      notebook: analysisSource(notebook),
      ...(files.length > 0 ? { files } : {})
    }
  });
}

/** Saves what the form says: the notebook as analysis, then a set or the next version of one's own set of that name. */
export async function saveDraft(
  form: ISaveForm,
  panel: NotebookPanel,
  labscale: ILabscale,
  contents: Contents.IManager,
  idempotencyKey: string
): Promise<ParameterSet> {
  const { client } = labscale;
  const added = form.draft.variables.filter(({ name }) => form.ticked.has(name));
  addToParametersCell(
    panel,
    added.map(({ name, value }) => ({ name, value: form.values.get(name) ?? value }))
  );
  ensureParametersTag(panel);
  // The cells hold them now: pressing Save again after a failure must not put them in twice.
  form.draft.parameters = chosenParameters(form);
  form.draft.variables = form.draft.variables.filter(({ name }) => !form.ticked.has(name));
  form.ticked = new Set();

  const analysis = await registerAnalysis(panel, labscale, contents);
  const values = Object.fromEntries(
    form.draft.parameters.map(({ name }) => [name, form.values.get(name) as JsonValue])
  );
  const image = form.picture === null ? undefined : form.draft.images[form.picture];
  const thumbnail = image ? await toThumbnail(image) : null;
  const body: Omit<SetBody, 'name'> = {
    analysisVersionId: analysis.latestVersion.id,
    values,
    ...(Object.keys(form.metrics).length > 0 ? { metrics: form.metrics } : {}),
    provenance: provenanceOf(form.draft, panel),
    ...(thumbnail === null ? {} : { thumbnail })
  };
  const tags = [
    ...new Set(
      form.tags
        .split(',')
        .map((tag) => tag.trim())
        .filter((tag) => tag !== '')
    )
  ];
  const previous = previousSet(form.draft, form.name);
  if (previous === null) {
    return client.call('createParameterSet', {
      body: { name: form.name.trim(), ...body, note: form.note, tags },
      idempotencyKey
    });
  }
  const params = { parameterSetId: previous.id };
  const saved = await client.call('createParameterSetVersion', { params, body, idempotencyKey });
  if (form.note === previous.note && tags.join('\n') === previous.tags.join('\n')) return saved;
  return client.call('updateParameterSet', { params, body: { note: form.note, tags } });
}

function provenanceOf(draft: ISaveDraft, panel: NotebookPanel): NonNullable<SetBody['provenance']> {
  const told = draft.capture.description;
  const metadata = labscaleMetadata(notebookOf(panel));
  const origins = new Set(draft.parameters.map(({ origin }) => origin));
  return {
    notebookPath: draft.path,
    kernelName: draft.kernelName,
    languageVersion: told.languageVersion,
    packages: told.packages,
    gitCommit: told.gitCommit,
    gitDirty: told.gitDirty,
    datasetVersionId: told.datasetVersionId ?? metadata.datasetVersionId ?? null,
    snippetId: told.snippetId ?? metadata.snippetId ?? null,
    capturedFrom: [...origins],
    secondsPerShard: told.secondsPerShard
  };
}
