import type { JsonValue } from '@labscale/schema';

/** What a kernel says about its variables; the same from the `labscale` package and from the fallback below. */
export interface IKernelDescription {
  /** Of the names asked for, those that are there and have a value that can be kept. */
  values: Record<string, JsonValue>;
  /** Why a name that is there has no value that can be kept. */
  problems: Record<string, string>;
  /** Other simple variables of the user. */
  variables: { name: string; value: JsonValue }[];
  /** Values of ipywidgets, by description or the variable that holds them. */
  widgets: { name: string; value: JsonValue }[];
  /** What `labscale.metric` was given while tuning. */
  metrics: Record<string, number>;
  languageVersion: string | null;
  packages: Record<string, string> | null;
  gitCommit: string | null;
  gitDirty: boolean | null;
  snippetId: string | null;
  datasetVersionId: string | null;
  secondsPerShard: number | null;
}

/**
 * For kernels without the `labscale` package: standard library only, and nothing is left in the user's namespace. It
 * reads `names` and `namespace` and leaves its answer in `answer`.
 */
export const fallbackSource = `
import json, math, sys, types

LARGEST = 20_000

def plain(value, depth=0):
    if depth > 20:
        raise ValueError("is nested too deeply")
    if value is None or isinstance(value, (bool, str)):
        return str(value) if isinstance(value, str) else value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"is {float(value)}, which cannot be kept")
        return float(value)
    if isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in value]
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("has keys that are no text")
        return {key: plain(item, depth + 1) for key, item in value.items()}
    if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "tolist"):
        if getattr(value, "size", 1) > 1000:
            raise ValueError("is an array of more than 1,000 numbers")
        return plain(value.tolist(), depth + 1)
    raise ValueError(f"is of type {type(value).__name__}, which cannot be kept")

def simple(value):
    kept = plain(value)
    if len(json.dumps(kept)) > LARGEST:
        raise ValueError("is too large to offer")
    return kept

values, problems, variables, widgets = {}, {}, [], []
for name in names:
    if name in namespace:
        try:
            values[name] = plain(namespace[name])
        except (ValueError, RecursionError) as error:
            problems[name] = str(error)

hidden = {"In", "Out", "exit", "quit", "open", "get_ipython"}
library = sys.modules.get("ipywidgets")
base = getattr(library, "Widget", None)

def look(name, widget):
    for child in getattr(widget, "children", ()) if hasattr(widget, "kwargs_widgets") else ():
        look(None, child)
    if hasattr(widget, "value"):
        label = (getattr(widget, "description", "") or name or "").strip()
        if label.isidentifier():
            try:
                widgets.append({"name": label, "value": simple(widget.value)})
            except (ValueError, RecursionError):
                pass

for name, value in list(namespace.items()):
    if name.startswith("_") or name in hidden or name in names:
        continue
    if base is not None and isinstance(value, base):
        look(name, value)
    elif not isinstance(value, (types.ModuleType, types.FunctionType, type)) and len(variables) < 200:
        try:
            variables.append({"name": name, "value": simple(value)})
        except (ValueError, RecursionError):
            pass

packages = {}
for name, module in list(sys.modules.items()):
    version = getattr(module, "__version__", None)
    if "." not in name and name not in sys.stdlib_module_names and isinstance(version, str):
        packages[name] = version

answer = {
    "values": values, "problems": problems, "variables": variables, "widgets": widgets, "metrics": {},
    "languageVersion": sys.version.split()[0], "packages": packages, "gitCommit": None, "gitDirty": None,
    "snippetId": None, "datasetVersionId": None, "secondsPerShard": None,
}
`;

const source = `
def describe(names, namespace):
    try:
        from labscale.parameters import describe_kernel
    except ImportError:
        scope = {"names": names, "namespace": namespace}
        exec(fallback, scope)
        return scope["answer"]
    return describe_kernel(names)

class Answer:
    def __init__(self, value):
        self.value = value
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"application/json": self.value, "text/plain": ""}

answer = Answer(describe(names, namespace))
`;

/**
 * A Python expression whose value shows as `application/json`. An expression and not code: as a user expression of an
 * empty execution it leaves no name behind, no number in the history and no output.
 */
export function describeExpression(names: readonly string[]): string {
  // JSON of ASCII text is a Python literal too.
  const scope = `{"names": ${JSON.stringify(names)}, "namespace": globals(), "fallback": ${JSON.stringify(fallbackSource)}}`;
  return `(lambda scope: exec(${JSON.stringify(source)}, scope) or scope["answer"])(${scope})`;
}

const empty: IKernelDescription = {
  values: {},
  problems: {},
  variables: [],
  widgets: [],
  metrics: {},
  languageVersion: null,
  packages: null,
  gitCommit: null,
  gitDirty: null,
  snippetId: null,
  datasetVersionId: null,
  secondsPerShard: null
};

/** Takes what a kernel answered; a part it does not know (an older package) is empty, never undefined. */
export function readDescription(answer: unknown): IKernelDescription {
  if (typeof answer !== 'object' || answer === null) return empty;
  const given = Object.entries(answer).filter(([key, value]) => {
    if (!(key in empty) || value === undefined || value === null) return false;
    const like = empty[key as keyof IKernelDescription];
    if (like === null) return true;
    return typeof value === 'object' && Array.isArray(like) === Array.isArray(value);
  });
  return { ...empty, ...Object.fromEntries(given) };
}
