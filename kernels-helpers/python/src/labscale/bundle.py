"""A notebook as it is registered: with the modules of its own folder that it imports."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labscale.document import source_of
from labscale.errors import LabscaleError
from labscale.warm import imported_modules

FILES = 200
FILE_BYTES = 4 * 1024 * 1024
_MAGIC = re.compile(r"^(\s*)[%!].*$", re.MULTILINE)


def notebook_body(path: Path, project_folder: Path | None = None) -> dict[str, Any]:
    """What `createAnalysis` takes for a notebook file, without name and contract.

    Raises
    ------
    LabscaleError
        Where it is no notebook, or its own modules are too many or too large.
    """
    notebook = read_notebook_file(path)
    shown = path.resolve()
    if project_folder is not None and shown.is_relative_to(project_folder.resolve()):
        shown = shown.relative_to(project_folder.resolve())
    return {
        "kind": "notebook",
        "path": str(shown),
        "notebook": notebook,
        "files": bundled_files(path, notebook),
    }


def read_notebook_file(path: Path) -> dict[str, Any]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabscaleError(
            f"The notebook {path} is not there.", "Give the path of a saved notebook."
        ) from None
    except (OSError, ValueError) as error:
        raise LabscaleError(
            f"The notebook {path} cannot be read: {error}.", "Save it in Jupyter.", code="NOTEBOOK_INVALID"
        ) from None
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise LabscaleError(
            f"{path} is no notebook of format 4.",
            "Open and save it in a newer Jupyter.",
            code="NOTEBOOK_INVALID",
        )
    return notebook


def bundled_files(path: Path, notebook: dict[str, Any]) -> list[dict[str, str]]:
    """Modules beside the notebook that it imports, and those that they import, as `{"path", "text"}`."""
    folder = path.resolve().parent
    sources = [
        _MAGIC.sub(r"\1pass", source_of(cell))
        for cell in notebook["cells"]
        if cell.get("cell_type") == "code"
    ]
    found: dict[str, str] = {}
    waiting = list(sources)
    while waiting:
        for name in imported_modules([waiting.pop()], frozenset()):
            for file in _files_of(folder, name.partition(":")[0].partition(".")[0]):
                relative = file.relative_to(folder).as_posix()
                if relative in found:
                    continue
                if len(found) == FILES:
                    raise LabscaleError(
                        f"The notebook imports more than {FILES} modules of its own folder.",
                        "Install them as a package.",
                    )
                if file.stat().st_size > FILE_BYTES:
                    raise LabscaleError(
                        f"The module {relative} is larger than 4 MiB.", "Keep data out of modules."
                    )
                found[relative] = file.read_text(encoding="utf-8", errors="replace")
                waiting.append(found[relative])
    return [{"path": name, "text": text} for name, text in sorted(found.items())]


def _files_of(folder: Path, name: str) -> Iterator[Path]:
    module = folder / f"{name}.py"
    package = folder / name
    if (package / "__init__.py").is_file():
        for parent, folders, names in os.walk(package):
            folders[:] = sorted(inner for inner in folders if not inner.startswith((".", "__pycache__")))
            yield from (Path(parent) / inner for inner in sorted(names) if inner.endswith(".py"))
    elif module.is_file():
        yield module
