"""What a worker pays once, before it forks: thread limits, imports, the shell."""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from labscale.document import source_of

IMPORT_SECONDS = 60.0
THREAD_LIMITS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


def limit_threads(cpus: int, environment: dict[str, str] | os._Environ[str]) -> None:
    """Libraries read these when they are loaded, so they are set before anything is imported."""
    for name in THREAD_LIMITS:
        environment[name] = str(cpus)


def imported_modules(sources: Iterable[str], own: frozenset[str]) -> list[str]:
    """Modules that Python sources import anywhere in them, in the order of their text; `own` are left out.

    `from x import y` gives `x` and `x:y`, for `y` may be a module of the package `x`.
    """
    found: dict[str, None] = {}
    for source in sources:
        with contextlib.suppress(SyntaxError, ValueError, RecursionError):
            for node in ast.walk(ast.parse(source)):
                for name in _names(node):
                    if name.partition(".")[0].partition(":")[0] not in own:
                        found[name] = None
    return list(found)


def import_all(names: Iterable[str], mark: str) -> None:
    """Import what can be imported; what fails is left to the cell that asks for it, which shows the error.

    `mark` is a file that stands while this goes on. Where it stands already, an import has ended an earlier
    worker of this run, and nothing is imported: the attempts then fail one by one, each with its reason.
    """
    try:
        os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return
    # One that never ends would keep the worker from hearing anything; in a cell, the time limit ends it.
    before = signal.signal(signal.SIGALRM, _give_up)
    for name in names:
        module, _, attribute = name.partition(":")
        # A module may raise what it likes, SystemExit included; here it must not end the worker.
        with contextlib.suppress(BaseException):
            signal.setitimer(signal.ITIMER_REAL, IMPORT_SECONDS)
            loaded = importlib.import_module(module)
            if attribute and not hasattr(loaded, attribute):
                importlib.import_module(f"{module}.{attribute}")
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)
    os.unlink(mark)


def _give_up(*_: object) -> None:
    raise TimeoutError(f"the import took longer than {IMPORT_SECONDS} s")


def settle(shell: Any) -> None:
    """Do once what each fork would do again, and hide objects from the collector: pages stay shared."""
    if "matplotlib.pyplot" in sys.modules:
        # The first drawing loads fonts and caches; this one touches none of pyplot's state.
        with contextlib.suppress(Exception):
            from matplotlib.backends.backend_agg import FigureCanvasAgg
            from matplotlib.figure import Figure

            figure = Figure(figsize=(1, 1))
            figure.add_subplot().set_title("0")
            FigureCanvasAgg(figure).draw()
    with contextlib.suppress(Exception):
        # IPython makes its formatters when it first shows a value.
        shell.display_formatter.format(0)
        shell.run_cell("None", silent=True)
    gc.collect()
    gc.freeze()


def notebook_sources(cells: list[dict], transform) -> Iterator[str]:
    """Cells as plain Python: magics and shell lines become calls."""
    for cell in cells:
        if cell.get("cell_type") == "code":
            with contextlib.suppress(Exception):
                yield transform(source_of(cell))


def _names(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.name
    elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        yield node.module
        for alias in node.names:
            if alias.name != "*":
                yield f"{node.module}:{alias.name}"
