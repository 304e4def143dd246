"""What one kernel remembers while a notebook is tuned: its snippet, its metrics, how long its cells take."""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from labscale.connection import find_connection, find_data_folder
from labscale.errors import LabscaleError
from labscale.shards import Snippet, fetch_snippet

_snippet: Snippet | None = None
_fetched: dict[str, Snippet] = {}
_cell_seconds: dict[str, float] = {}
_cell_started = 0.0
_shards_opened = 0
_watching = False

metrics: dict[str, float] = {}


def current_snippet(snippet_id: str | None = None) -> Snippet:
    """The snippet that this notebook is tuned on.

    It is the one named here or before in this kernel, else that the notebook was opened on, else the newest.

    Raises
    ------
    LabscaleError
        Where there is none, or the server is away.
    """
    global _snippet
    _watch_cells()
    if snippet_id is None and _snippet is not None:
        return _snippet
    wanted = snippet_id or os.environ.get("LABSCALE_SNIPPET") or _snippet_of_notebook() or _newest_snippet()
    # A snippet never changes, so what was read once serves where the server is away.
    if wanted not in _fetched:
        _fetched[wanted] = fetch_snippet(wanted)
    _snippet = _fetched[wanted]
    return _snippet


def known_snippet() -> Snippet | None:
    """The snippet of this kernel where one was opened; asks nobody."""
    return _snippet


def count_shard() -> None:
    global _shards_opened
    _watch_cells()
    _shards_opened = max(1, _shards_opened)


def seconds_per_shard() -> float | None:
    """What the cells took when each last ran, from the first shard opened on; None where unknown."""
    total = sum(_cell_seconds.values())
    if total <= 0:
        return None
    shards = 1 if _shards_opened or _snippet is None else len(_snippet)
    return round(total / max(1, shards), 6)


def notebook_path() -> Path | None:
    """The notebook of this kernel, as the Jupyter server says it; None where it does not."""
    named = os.environ.get("JPY_SESSION_NAME", "")
    path = Path(named)
    return path if named.endswith(".ipynb") and path.is_absolute() and path.is_file() else None


def scratch_folder() -> Path:
    """Where outputs of tuning go: a folder of the snippet, or notebook, below the project's `.labscale`."""
    data: Path | None = None
    with suppress(LabscaleError):
        data = find_connection().data_folder
    data = data or find_data_folder() or Path.cwd() / ".labscale"
    notebook = notebook_path()
    name = _snippet.id if _snippet is not None else notebook.stem if notebook is not None else None
    folder = data / "tuning" / (name or "scratch")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _snippet_of_notebook() -> str | None:
    """The snippet that the notebook's file says it was opened on."""
    path = notebook_path()
    if path is None:
        return None
    try:
        named = json.loads(path.read_text(encoding="utf-8"))["metadata"]["labscale"]["snippetId"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) else None


def _newest_snippet() -> str:
    from labscale.client import call

    newest = call("listSnippets", query={"limit": 1}, answer_seconds=5)["items"]
    if not newest:
        raise LabscaleError(
            "There is no snippet yet.",
            "Cut one: `labscale snippets create DATASET`, or Open snippet in notebook in the sidebar.",
            code="NOT_FOUND",
        )
    # A notebook paints standard error as if something had gone wrong; a script keeps its output for itself.
    said_to = sys.stderr if _shell() is None else sys.stdout
    print(f"labscale: tuning on the newest snippet, {newest[0]['name']} ({newest[0]['id']})", file=said_to)
    return newest[0]["id"]


def _watch_cells() -> None:
    """Time cells from now on, the running one included; it can only be told that it began by now."""
    global _watching, _cell_started
    shell = _shell()
    if _watching or shell is None:
        return
    _watching = True
    _cell_started = time.perf_counter()
    shell.events.register("pre_run_cell", _begin_cell)
    shell.events.register("post_run_cell", _end_cell)


def _begin_cell(info: Any) -> None:
    global _cell_started
    _cell_started = time.perf_counter()


def _end_cell(result: Any) -> None:
    info = getattr(result, "info", None)
    # A front end names the cell; without a name its text stands for it.
    name = getattr(info, "cell_id", None) or str(getattr(info, "raw_cell", ""))
    if getattr(result, "success", False):
        _cell_seconds[name] = time.perf_counter() - _cell_started


def _shell() -> Any:
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None
