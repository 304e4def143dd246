"""Parameters of the notebook at hand: described for the extension, saved as a set, loaded from one."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import FunctionType, ModuleType
from typing import Any

from labscale import tuning
from labscale.contract import as_typed
from labscale.errors import LabscaleError
from labscale.shards import in_run
from labscale.values import UnusableValueError, as_json
from labscale.widgets import widget_values

VARIABLES = 200
VARIABLE_CHARACTERS = 20_000
_HIDDEN = frozenset({"In", "Out", "exit", "quit", "open", "get_ipython"})


class Parameters(Mapping[str, Any]):
    """Typed values of a parameter set; `values["sigma"]` and `values.sigma` are the same.

    Attributes
    ----------
    set_id, version_id, name, number
        Of the set and its version; None in a run.
    """

    def __init__(
        self, values: Mapping[str, Any], version: Mapping[str, Any] | None = None, name: str | None = None
    ):
        self._values = dict(values)
        self.set_id = version["parameterSetId"] if version else None
        self.version_id = version["id"] if version else None
        self.number = version["number"] if version else None
        self.name = name

    def __getitem__(self, name: str) -> Any:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name not in self.__dict__.get("_values", {}):
            raise AttributeError(f"there is no parameter {name}")
        return self._values[name]

    def __repr__(self) -> str:
        of = f" of {self.name}, version {self.number}" if self.name else ""
        return f"<Parameters{of}: {', '.join(f'{name}={value!r}' for name, value in self.items())}>"


def describe_kernel(names: list[str] | None = None) -> dict[str, Any]:
    """What the kernel knows that may go into a parameter set; JSON throughout, asks no server.

    Parameters
    ----------
    names
        Of the cell tagged `parameters`; None or empty where there is no such cell.

    Returns
    -------
    dict
        `values` by name; `problems`: why a name that is there has no value that can be kept; `variables`:
        other simple ones as `{"name", "type", "value"}`; `widgets` as `{"name", "value"}`; `metrics` of this
        tuning; and the fields of `labscale.provenance.describe_provenance`.
    """
    from labscale.provenance import describe_provenance

    namespace = _namespace()
    values, problems = _values_of(names or [], namespace)
    return {
        "values": values,
        "problems": problems,
        "variables": _variables(namespace, frozenset(names or ())),
        "widgets": widget_values(namespace),
        "metrics": dict(tuning.metrics),
        **describe_provenance(),
    }


def save(name: str, values: Mapping[str, Any] | None, *, note: str, tags: Iterable[str]) -> Parameters | None:
    """As `labscale.save_parameters`."""
    if in_run():
        print("labscale: in a run no parameters are saved", file=sys.stderr)
        return None
    from labscale.bundle import notebook_body
    from labscale.client import call
    from labscale.connection import find_connection
    from labscale.provenance import describe_provenance

    path = tuning.notebook_path()
    if path is None:
        raise LabscaleError(
            "The kernel does not know the file of this notebook.",
            "Save it in JupyterLab, or use `labscale params save`.",
        )
    data = find_connection().data_folder
    body = notebook_body(path, data.parent if data is not None else None)
    analysis = call("createAnalysis", body=body)["latestVersion"]
    parameters = analysis["contract"]["parameters"]
    known = [item["name"] for item in parameters]
    if values is None:
        kept, problems = _values_of(known, _namespace())
        if problems:
            at_fault = next(iter(problems))
            raise LabscaleError(
                f"The parameter {at_fault} {problems[at_fault]}.", "Give it another value.", field=at_fault
            )
        captured = ["kernel"]
    else:
        kept = {}
        for parameter, value in values.items():
            try:
                kept[parameter] = as_json(value)
            except UnusableValueError as error:
                raise LabscaleError(f"The parameter {parameter} {error}.", field=parameter) from None
        captured = ["call"]
    provenance = {
        **describe_provenance(),
        "notebookPath": body["path"],
        "notebookDigest": "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
        "capturedFrom": captured,
    }
    saved = {
        "analysisVersionId": analysis["id"],
        "values": kept,
        "metrics": dict(tuning.metrics),
        "provenance": provenance,
    }
    own = _named_sets(name, analysis["analysisId"])
    if own:
        answer = call("createParameterSetVersion", params={"parameterSetId": own[0]["id"]}, body=saved)
    else:
        answer = call("createParameterSet", body={"name": name, "note": note, "tags": list(tags), **saved})
    version = answer["latestVersion"]
    return Parameters(as_typed(version["values"], parameters), version, answer["name"])


def load(which: str | None) -> Parameters:
    """As `labscale.load_parameters`."""
    if in_run():
        with open(os.environ["LABSCALE_PARAMETERS"], encoding="utf-8") as file:
            return Parameters(json.load(file))
    if which is None:
        raise LabscaleError("No parameter set is named.", "Give its name or id.", field="which")
    from labscale.client import call

    if which.startswith("pv-"):
        return _loaded(call("getParameterSetVersion", params={"versionId": which}))
    if which.startswith("ps-"):
        found = call("getParameterSet", params={"parameterSetId": which})
    else:
        named = _named_sets(which, None)
        if len(named) != 1:
            raise LabscaleError(
                f"There {'are several parameter sets' if named else 'is no parameter set'} named {which}.",
                "Give the id: `labscale params list` shows it.",
                code="NOT_FOUND",
            )
        found = named[0]
    return _loaded(found["latestVersion"], found["name"])


def _loaded(version: dict[str, Any], name: str | None = None) -> Parameters:
    from labscale.client import call

    analysis = call("getAnalysisVersion", params={"versionId": version["analysisVersionId"]})
    return Parameters(as_typed(version["values"], analysis["contract"]["parameters"]), version, name)


def _named_sets(name: str, analysis_id: str | None) -> list[dict[str, Any]]:
    from labscale.client import pages

    found = pages("listParameterSets", query={"search": name, "analysisId": analysis_id})
    return [item for item in found if item["name"] == name]


def _namespace() -> dict[str, Any]:
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module is not None else None
    return shell.user_ns if shell is not None else vars(sys.modules["__main__"])


def _values_of(names: Iterable[str], namespace: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in names:
        if name in namespace:
            try:
                values[name] = as_json(namespace[name])
            except UnusableValueError as error:
                problems[name] = str(error)
    return values, problems


def _variables(namespace: Mapping[str, Any], leave_out: frozenset[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name, value in list(namespace.items()):
        if name.startswith("_") or name in _HIDDEN or name in leave_out or len(found) == VARIABLES:
            continue
        if isinstance(value, ModuleType | FunctionType | type):
            continue
        try:
            kept = as_json(value)
        except UnusableValueError:
            continue
        if len(json.dumps(kept)) <= VARIABLE_CHARACTERS:
            found.append({"name": name, "type": type_of(kept), "value": kept})
    return found


def type_of(value: Any) -> str:
    """The name of the type in a parameter contract."""
    names: list[tuple[Any, str]] = [(bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")]
    names += [(list, "array"), (dict, "object")]
    return next((name for kind, name in names if isinstance(value, kind)), "any")
