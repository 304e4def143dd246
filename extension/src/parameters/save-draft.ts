import { PathExt } from '@jupyterlab/coreutils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Analysis, JsonValue, ParameterSet, ParameterSpec } from '@labscale/schema';
import type { ILabscale } from '../tokens';
import { findImageOutputs, type IImageOutput } from './image-outputs';
import { captureKernel, type IKernelCapture } from './kernel-capture';
import {
  boundNames,
  candidateVariables,
  findParametersCell,
  textParameters,
  withoutOutputs,
  type INotebookCell
} from './notebook-parameters';
import { typeOfValue } from './value-text';

type Origin = 'kernel' | 'tagged-cell' | 'widgets';

export interface IDraftParameter {
  name: string;
  spec: Omit<ParameterSpec, 'default'>;
  /** undefined where neither kernel nor text has a value. */
  value: JsonValue | undefined;
  origin: Origin;
  /** What the cell says, where the kernel says something else. */
  textValue: JsonValue | undefined;
  /** Why the kernel's value cannot be kept. */
  problem: string | null;
}

/** A variable or widget that is no parameter yet. */
export interface IDraftVariable {
  name: string;
  value: JsonValue;
  origin: Origin;
}

/** Everything that the save dialog begins with. */
export interface ISaveDraft {
  path: string;
  language: string;
  kernelName: string | null;
  /** False where the notebook has no tagged cell yet. */
  hasCell: boolean;
  parameters: IDraftParameter[];
  variables: IDraftVariable[];
  capture: IKernelCapture;
  images: IImageOutput[];
  analysis: Analysis | null;
  /** Sets of this analysis, last saved first. */
  sets: ParameterSet[];
  user: string;
  name: string;
}

export function notebookOf(panel: NotebookPanel): INotebookContent {
  return panel.context.model.toJSON() as unknown as INotebookContent;
}
export interface INotebookContent {
  cells: INotebookCell[];
  metadata: Record<string, unknown>;
  nbformat: number;
  nbformat_minor: number;
}

export function languageOf(notebook: INotebookContent): string {
  const info = notebook.metadata['language_info'] as { name?: string } | undefined;
  const spec = notebook.metadata['kernelspec'] as { language?: string } | undefined;
  return info?.name ?? spec?.language ?? 'python';
}

/** `labscale` of the notebook's metadata: what the snippet's notebook was made with. */
export function labscaleMetadata(notebook: INotebookContent): { snippetId?: string; datasetVersionId?: string } {
  const found = notebook.metadata['labscale'] as Record<string, unknown> | undefined;
  const text = (key: string) => (typeof found?.[key] === 'string' ? { [key]: found[key] } : {});
  return { ...text('snippetId'), ...text('datasetVersionId') };
}

/** The sources with papermill's tag on the parameters cell, which the server goes by, whatever tag it has here. */
export function analysisSource(notebook: INotebookContent): INotebookContent {
  const sources = withoutOutputs(notebook);
  const found = findParametersCell(sources.cells);
  if (found === null || found.tag === 'parameters') return sources;
  const cells = sources.cells.map((cell, index) => {
    if (index !== found.index) return cell;
    const tags = Array.isArray(cell.metadata?.tags) ? cell.metadata.tags : [];
    return { ...cell, metadata: { ...cell.metadata, tags: ['parameters', ...tags] } };
  });
  return { ...sources, cells };
}

/** The values as they are in the kernel now, beside what is saved of this notebook already. */
export async function gatherDraft(panel: NotebookPanel, labscale: ILabscale): Promise<ISaveDraft> {
  const notebook = notebookOf(panel);
  const language = languageOf(notebook);
  const path = panel.context.localPath;
  const hasCell = findParametersCell(notebook.cells) !== null;
  const texts = textParameters(notebook.cells);

  const [inspected, info, saved] = await Promise.all([
    hasCell ? labscale.client.call('inspectNotebook', { body: { notebook: analysisSource(notebook) } }) : null,
    labscale.serverInfo(),
    findSaved(labscale, path)
  ]);
  const specs = inspected?.contract.parameters ?? [];
  const candidates = candidateVariables(notebook.cells);
  const names = [...new Set([...specs.map(({ name }) => name), ...texts.map(({ name }) => name)])];
  const capture = await captureKernel(
    panel.sessionContext.session?.kernel ?? null,
    language,
    hasCell ? names : candidates.map(({ name }) => name)
  );
  const { values, problems } = capture.description;
  const widgets = new Map(capture.description.widgets.map(({ name, value }) => [name, value]));

  const parameters = specs.map(({ name, default: text, ...spec }): IDraftParameter => {
    const problem = Object.hasOwn(problems, name) ? (problems[name] ?? null) : null;
    const fromKernel = Object.hasOwn(values, name);
    const fromWidget = !fromKernel && widgets.has(name);
    const value = fromKernel ? values[name] : fromWidget ? widgets.get(name) : problem === null ? text : undefined;
    const origin = fromKernel ? 'kernel' : fromWidget ? 'widgets' : 'tagged-cell';
    return { name, spec, value, origin, textValue: text, problem };
  });

  return {
    path,
    language,
    kernelName: panel.sessionContext.session?.kernel?.name ?? null,
    hasCell,
    parameters,
    variables: offeredVariables(notebook, names, capture, candidates),
    capture,
    images: findImageOutputs(notebook.cells),
    analysis: saved.analysis,
    sets: saved.sets,
    user: info.user,
    name: saved.sets.find((set) => set.owner === info.user)?.name ?? PathExt.basename(path, PathExt.extname(path))
  };
}

/** What is saved of the notebook at this path: its analysis, and its sets with the last saved first. */
export async function findSaved(
  labscale: ILabscale,
  path: string
): Promise<{ analysis: Analysis | null; sets: ParameterSet[] }> {
  const analyses = await labscale.client.call('listAnalyses', { query: { path, limit: 1 } });
  const analysis = analyses.items[0] ?? null;
  if (analysis === null) return { analysis, sets: [] };
  const sets = await labscale.client.call('listParameterSets', { query: { analysisId: analysis.id, limit: 200 } });
  const time = (set: ParameterSet) => Date.parse(set.latestVersion.createdAt);
  return { analysis, sets: [...sets.items].sort((a, b) => time(b) - time(a)) };
}

function offeredVariables(
  notebook: INotebookContent,
  parameterNames: readonly string[],
  capture: IKernelCapture,
  candidates: readonly { name: string; value: JsonValue }[]
): IDraftVariable[] {
  const { values, variables, widgets } = capture.description;
  const taken = new Set(findParametersCell(notebook.cells) === null ? [] : parameterNames);
  const offered = new Map<string, IDraftVariable>();
  const offer = (name: string, value: JsonValue, origin: Origin) => {
    if (!taken.has(name) && !offered.has(name)) offered.set(name, { name, value, origin });
  };
  const inKernel = new Map(variables.map(({ name, value }) => [name, value]));
  for (const { name, value } of candidates) {
    if (Object.hasOwn(values, name)) offer(name, values[name] as JsonValue, 'kernel');
    else if (inKernel.has(name)) offer(name, inKernel.get(name) as JsonValue, 'kernel');
    else offer(name, value, 'tagged-cell');
  }
  // What a cell computes would overwrite the value that a run puts in, so only names that no cell sets are left.
  const assigned = boundNames(notebook.cells);
  for (const { name, value } of widgets) if (!assigned.has(name)) offer(name, value, 'widgets');
  for (const { name, value } of variables) if (!assigned.has(name)) offer(name, value, 'kernel');
  return [...offered.values()];
}

/** A variable as a parameter that the dialog can edit. */
export function asParameter(variable: IDraftVariable): IDraftParameter {
  return {
    name: variable.name,
    spec: { type: typeOfValue(variable.value) },
    value: variable.value,
    origin: variable.origin,
    textValue: undefined,
    problem: null
  };
}
