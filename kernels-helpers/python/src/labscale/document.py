"""A notebook as a document: its cells, the injected parameters, and the executed notebook as it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from labscale.failure import AttemptFailure
from labscale.injection import render

Cell = dict[str, Any]


def read_notebook(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def source_of(cell: Cell) -> str:
    source = cell.get("source", "")
    return "".join(source) if isinstance(source, list) else str(source)


def tags_of(cell: Cell) -> list[str]:
    tags = cell.get("metadata", {}).get("tags", [])
    return tags if isinstance(tags, list) else []


def prepare(notebook: dict[str, Any], language: str, values: Mapping[str, object]) -> list[Cell]:
    """Cells as they are to be run: outputs cleared, ids given, the values injected by papermill's convention.

    Raises
    ------
    AttemptFailure
        `parameters-unusable`, as `labscale.injection.render`.
    """
    if not isinstance(notebook.get("cells"), list):
        raise AttemptFailure("parameters-unusable", "the notebook has no list of cells; save it as format 4")
    cells = [_cleared(cell) for cell in notebook["cells"] if "injected-parameters" not in tags_of(cell)]
    if values:
        place = next((at + 1 for at, cell in enumerate(cells) if "parameters" in tags_of(cell)), 0)
        cells.insert(
            place,
            {
                "cell_type": "code",
                "execution_count": None,
                "metadata": {"tags": ["injected-parameters"]},
                "outputs": [],
                "source": render(language, values),
            },
        )
    used: set[str] = set()
    for at, cell in enumerate(cells):
        # Format 4.5 wants ids, unique ones; those made here depend on the content alone, so that a second
        # run gives the same file.
        name = cell.get("id")
        while not isinstance(name, str) or name in used:
            name = hashlib.sha256(f"{at}\0{len(used)}\0{name}\0{source_of(cell)}".encode()).hexdigest()[:8]
        used.add(name)
        cell["id"] = name
    return cells


def write_executed(path: str, notebook: Mapping[str, Any], cells: list[Cell]) -> None:
    """Write the executed notebook in format 4.5, without anything that depends on when it ran."""
    document = {
        "cells": cells,
        "metadata": notebook.get("metadata", {}),
        "nbformat": 4,
        "nbformat_minor": max(5, int(notebook.get("nbformat_minor", 5))),
    }
    text = json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True)
    with open(path, "wb") as file:
        file.write(text.encode("utf-8", "replace"))
        file.write(b"\n")


def _cleared(cell: Cell) -> Cell:
    cleared = dict(cell)
    cleared["metadata"] = {
        key: value for key, value in cell.get("metadata", {}).items() if key not in ("execution", "papermill")
    }
    if cell.get("cell_type") == "code":
        cleared.update(execution_count=None, outputs=[])
    return cleared
