import type { TranslationBundle } from '@jupyterlab/translation';
import type { JsonValue, ParameterSet } from '@labscale/schema';
import { valueProblem } from '../ui/value-editor';
import { asParameter, type IDraftParameter, type ISaveDraft } from './save-draft';

/** What the person has made of the draft. */
export interface ISaveForm {
  draft: ISaveDraft;
  name: string;
  note: string;
  tags: string;
  values: Map<string, JsonValue | undefined>;
  problems: Map<string, string>;
  ticked: Set<string>;
  metrics: Record<string, number>;
  /** Place in `draft.images`, or null for no picture. */
  picture: number | null;
}

export function newForm(draft: ISaveDraft): ISaveForm {
  const set = previousSet(draft, draft.name);
  return {
    draft,
    name: draft.name,
    note: set?.note ?? '',
    tags: set?.tags.join(', ') ?? '',
    values: new Map(draft.parameters.map(({ name, value }) => [name, value])),
    problems: new Map(),
    ticked: new Set(),
    metrics: { ...draft.capture.description.metrics },
    picture: draft.images.length > 0 ? draft.images.length - 1 : null
  };
}

/** One's own set of that name, of which this save makes the next version. */
export function previousSet(draft: ISaveDraft, name: string): ParameterSet | null {
  return draft.sets.find((set) => set.name === name.trim() && set.owner === draft.user) ?? null;
}

export function chosenParameters(form: ISaveForm): IDraftParameter[] {
  const added = form.draft.variables.filter(({ name }) => form.ticked.has(name)).map(asParameter);
  return [...form.draft.parameters, ...added];
}

/** Why the form cannot be saved as it is, or null where it can. */
export function formProblem(form: ISaveForm, trans: TranslationBundle): string | null {
  if (form.name.trim() === '') return trans.__('Give the set a name.');
  const parameters = chosenParameters(form);
  if (parameters.length === 0) return trans.__('Choose at least one variable.');
  for (const { name, spec } of parameters) {
    const problem = form.problems.get(name) ?? valueProblem(form.values.get(name), spec, trans);
    if (problem !== null) return trans.__('%1: %2', name, problem);
  }
  return null;
}
