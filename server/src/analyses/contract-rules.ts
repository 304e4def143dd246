import type { AnalysisKind, Contract, Resources } from '@labscale/schema';
import { canonicalJson } from '../metadata/canonical-json.js';
import { faultOfValue, largestValueBytes } from '../parameters/parameter-values.js';
import { ProblemError } from '../problem-error.js';
import { unusableNames, type Parameter } from './parameters-cell.js';
import { pythonKeywords } from './python-parameters.js';

/** For an analysis that says nothing of its own: one core, 1 GiB, an hour, one more try after a second. */
export const defaultResources: Resources = {
  cpus: 1,
  memoryBytes: 1_073_741_824,
  timeLimitSeconds: 3_600,
  retries: 1,
  backoffSeconds: 1
};

/** What `{...}` of a command line stands for besides its parameters. */
export const commandPlaces: Readonly<Record<AnalysisKind, ReadonlySet<string>>> = {
  notebook: new Set(),
  command: new Set(['input', 'output', 'shard']),
  container: new Set(['input', 'output', 'params'])
};

/**
 * Checks what the shape of a contract cannot say. `language` is the kernel's, undefined where there is none. Raises
 * CONTRACT_INVALID with a pointer below `body/contract`.
 */
export function checkContract(contract: Contract, kind: AnalysisKind, language: string | undefined): void {
  const seen = new Set<string>();
  contract.parameters.forEach((parameter, index) => {
    const { name } = parameter;
    const at = `parameters/${index}`;
    if (seen.has(name)) throw invalid(`${at}/name`, `Two parameters are named "${name}".`, 'Rename one of them.');
    seen.add(name);
    const taken =
      unusableNames.has(name) || commandPlaces[kind].has(name) || (language === 'python' && pythonKeywords.has(name));
    if (taken) throw invalid(`${at}/name`, `"${name}" cannot be the name of a parameter.`, 'Give it another name.');
    checkParameter(parameter, at);
  });
  const paths = new Set<string>();
  contract.outputs.forEach(({ path }, index) => {
    const at = `outputs/${index}/path`;
    const fault = faultOfPath(path);
    if (fault !== undefined)
      throw invalid(at, `The output "${path}" ${fault}.`, 'Name it relative to the output folder.');
    if (paths.has(path)) throw invalid(at, `The output "${path}" is there twice.`, 'Leave one of them out.');
    paths.add(path);
  });
}

function checkParameter(parameter: Parameter, at: string): void {
  const { name, type, minimum, maximum } = parameter;
  const numeric = type === 'number' || type === 'integer';
  for (const bound of ['minimum', 'maximum'] as const) {
    if (parameter[bound] !== undefined && !numeric) {
      throw invalid(`${at}/${bound}`, `"${name}" is not a number, so it has no ${bound}.`, `Leave the ${bound} out.`);
    }
  }
  if (minimum !== undefined && maximum !== undefined && minimum > maximum) {
    throw invalid(`${at}/minimum`, `The minimum of "${name}" is above its maximum.`, 'Exchange them.');
  }
  const { enum: choices, ...withoutChoices } = parameter;
  choices?.forEach((choice, place) => {
    const fault = faultOfValue(withoutChoices, choice);
    if (fault !== undefined) throw invalid(`${at}/enum/${place}`, `A choice of "${name}" ${fault}.`, 'Correct it.');
  });
  if (parameter.default === undefined) return;
  const fault = faultOfValue(parameter, parameter.default);
  if (fault !== undefined) {
    throw invalid(
      `${at}/default`,
      `The default of "${name}" ${fault}.`,
      'Correct the default, or the rest of its entry.'
    );
  }
  if (Buffer.byteLength(JSON.stringify(parameter.default)) > largestValueBytes) {
    throw invalid(
      `${at}/default`,
      `The default of "${name}" is larger than ${largestValueBytes} bytes.`,
      'Read it from a file.'
    );
  }
}

/** Why a path may not be used below a folder; undefined where it may. */
export function faultOfPath(path: string): string | undefined {
  if (path.startsWith('/') || /^[A-Za-z]:[\\/]/.test(path)) return 'is absolute';
  if (path.includes('\\')) return 'has a backslash';
  if (/[\u0000-\u001f\u007f]/.test(path)) return 'has a control character';
  const segments = path.split('/');
  if (segments.includes('..')) return 'leads out of its folder by ".."';
  if (segments.some((segment) => segment === '' || segment === '.')) return 'has an empty or "." part';
  return undefined;
}

/**
 * The contract of a newly registered source. What the caller gives counts; then what was edited by hand since the version
 * before, which shows as a difference between its contract and what its own source says (`base`); then what the source
 * says (`inferred`).
 */
export function mergeContract(
  inferred: readonly Parameter[],
  warm: boolean,
  given: Partial<Contract>,
  before: { contract: Contract; base: readonly Parameter[] } | undefined
): Contract {
  return {
    parameters: given.parameters ?? (before === undefined ? [...inferred] : withEdits(inferred, before)),
    outputs: given.outputs ?? before?.contract.outputs ?? [],
    resources: given.resources ?? before?.contract.resources ?? defaultResources,
    warm: given.warm ?? before?.contract.warm ?? warm
  };
}

function withEdits(
  inferred: readonly Parameter[],
  { contract, base }: { contract: Contract; base: readonly Parameter[] }
): Parameter[] {
  const edited = new Map(contract.parameters.map((parameter) => [parameter.name, parameter]));
  const said = new Map(base.map((parameter) => [parameter.name, parameter]));
  const names = new Set(inferred.map(({ name }) => name));
  const kept = inferred
    .filter(({ name }) => edited.has(name) || !said.has(name))
    .map((parameter) => {
      const [edit, source] = [edited.get(parameter.name), said.get(parameter.name)];
      if (edit === undefined || source === undefined) return parameter;
      const merged = { ...parameter } as Record<string, unknown>;
      for (const key of new Set([...Object.keys(edit), ...Object.keys(source)]) as Set<keyof Parameter>) {
        if (canonicalJson(edit[key]) === canonicalJson(source[key])) continue;
        if (edit[key] === undefined) delete merged[key];
        else merged[key] = edit[key];
      }
      return merged as Parameter;
    });
  const added = contract.parameters.filter(({ name }) => !said.has(name) && !names.has(name));
  return [...kept, ...added];
}

function invalid(at: string, detail: string, mend: string): ProblemError {
  return new ProblemError('CONTRACT_INVALID', detail, { field: `body/contract/${at}`, mend });
}
