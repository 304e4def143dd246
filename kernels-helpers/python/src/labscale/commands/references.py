"""What users write for a thing: its name or id, or the path of a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from labscale.bundle import notebook_body
from labscale.client import call, pages
from labscale.errors import LabscaleError


def find_dataset(written: str) -> dict[str, Any]:
    if written.startswith("ds-"):
        return call("getDataset", params={"datasetId": written})
    return _only(written, "dataset", pages("listDatasets", query={"search": written}))


def find_dataset_version(written: str) -> dict[str, Any]:
    """A version by its id, or the latest of a dataset."""
    if written.startswith("dv-"):
        return call("getDatasetVersion", params={"versionId": written})
    return find_dataset(written)["latestVersion"]


def find_analysis_version(written: str) -> dict[str, Any]:
    """A version by its id, the latest of an analysis, or that of a notebook as its file is now."""
    if written.startswith("av-"):
        return call("getAnalysisVersion", params={"versionId": written})
    if written.endswith(".ipynb"):
        return register_notebook(Path(written))["latestVersion"]
    return find_analysis(written)["latestVersion"]


def find_analysis(written: str) -> dict[str, Any]:
    if written.startswith("an-"):
        return call("getAnalysis", params={"analysisId": written})
    return _only(written, "analysis", pages("listAnalyses", query={"search": written}))


def register_notebook(path: Path, **fields: Any) -> dict[str, Any]:
    """Register a notebook file with the modules that lie beside it; the same content is the same version."""
    project = call("getServer")["projectFolder"]
    body = notebook_body(path, Path(project) if project else None)
    return call("createAnalysis", body={**body, **fields})


def find_parameter_set(written: str) -> dict[str, Any]:
    if written.startswith("ps-"):
        return call("getParameterSet", params={"parameterSetId": written})
    return _only(written, "parameter set", pages("listParameterSets", query={"search": written}))


def find_parameter_set_version(written: str) -> dict[str, Any]:
    """A version by its id, or the latest of a set."""
    if written.startswith("pv-"):
        return call("getParameterSetVersion", params={"versionId": written})
    return find_parameter_set(written)["latestVersion"]


def find_snippet(written: str) -> dict[str, Any]:
    if written.startswith("sn-"):
        return call("getSnippet", params={"snippetId": written})
    return _only(written, "snippet", pages("listSnippets"))


def find_run(written: str) -> dict[str, Any]:
    """A run by its id or name; `latest` is the newest."""
    if written.startswith("run-"):
        return call("getRun", params={"runId": written})
    if written == "latest":
        newest = call("listRuns", query={"limit": 1})["items"]
        if not newest:
            raise LabscaleError("There is no run yet.", code="NOT_FOUND")
        return newest[0]
    return _only(written, "run", pages("listRuns", query={"search": written}))


def _only(written: str, noun: str, candidates: Any) -> dict[str, Any]:
    # A search also finds names that only hold the words.
    named = [item for item in candidates if item["name"] == written]
    if len(named) == 1:
        return named[0]
    if not named:
        raise LabscaleError(
            f"There is no {noun} named {written!r}.", "List them, and give a name or id.", code="NOT_FOUND"
        )
    raise LabscaleError(
        f"There are {len(named)} of the name {written!r}: {', '.join(item['id'] for item in named[:5])}.",
        "Give the id.",
        code="NAME_AMBIGUOUS",
    )
