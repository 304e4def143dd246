"""Runs a notebook in a fork of the warm worker: fresh state, one shard."""

from __future__ import annotations

import atexit
import errno
import gc
import io
import json
import os
import signal
import sys
from typing import Any

from labscale.ansi import without_ansi
from labscale.document import prepare, source_of, tags_of, write_executed
from labscale.failure import FULL, AttemptFailure
from labscale.shell import ShardShell, Stream

TEXT_BYTES = 16 * 1024


def run_notebook(
    shell: ShardShell,
    notebook: dict[str, Any],
    values: dict[str, Any],
    out: str,
    report: str,
    work: str,
) -> None:
    """Run all cells; writes `executed.ipynb` into `out` whether they succeed or not.

    Parameters
    ----------
    values
        Injected after the cell tagged `parameters`.
    report
        The report file, which gets `{"cells": [done, all]}` after each cell.
    work
        The current folder, which holds the bundled files and comes first on sys.path.

    Raises
    ------
    AttemptFailure
        What a cell raised, as `exception`, `exit-code`, `out-of-memory` or `disk-full`.
    """
    cells = prepare(notebook, "python", values)
    _start_fresh(shell, work)
    try:
        failure = _run_cells(shell, cells, report)
        failure = failure or _flush_files()
    finally:
        write_executed(os.path.join(out, "executed.ipynb"), notebook, cells)
    _release(shell)
    if failure is not None:
        raise failure


def _start_fresh(shell: ShardShell, work: str) -> None:
    # An interpreter that is killed by a signal must look so; the worker's own handlers mean nothing here.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "numpy.random" in sys.modules:
        # Python's own generator seeds itself after a fork, numpy's does not: every shard would draw the same.
        sys.modules["numpy.random"].seed()
    sys.argv = [""]
    sys.path.insert(0, work)
    sys.dont_write_bytecode = True
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = sys.__stdout__ = Stream("stdout", 1, shell.cell_outputs)
    sys.stderr = sys.__stderr__ = Stream("stderr", 2, shell.cell_outputs)
    shell.become_main()


def _run_cells(shell: ShardShell, cells: list[dict], report: str) -> AttemptFailure | None:
    code_cells = [cell for cell in cells if cell.get("cell_type") == "code" and source_of(cell).strip()]
    with open(report, "a", encoding="utf-8") as progress:
        for done, cell in enumerate(code_cells, start=1):
            shell.cell_outputs.begin_cell()
            cell["execution_count"] = shell.execution_count
            shell.error_lines = []
            result = shell.run_cell(source_of(cell), store_history=True)
            cell["outputs"] = shell.cell_outputs.finish_cell()
            error = result.error_before_exec or result.error_in_exec
            if error is not None and "raises-exception" not in tags_of(cell):
                return _failure_of(shell, error)
            if isinstance(error, SystemExit):
                return _failure_of(shell, error)
            progress.write(json.dumps({"cells": [done, len(code_cells)]}) + "\n")
            progress.flush()
    return None


def _failure_of(shell: ShardShell, error: BaseException) -> AttemptFailure | None:
    if isinstance(error, SystemExit):
        # Papermill, too, takes an exit with 0 for the end of the notebook and not for a failure.
        if error.code in (None, 0):
            return None
        code = error.code if isinstance(error.code, int) else 1
        return AttemptFailure(
            "exit-code", f"a cell ended the notebook with exit code {error.code}", None, code
        )
    text = without_ansi("\n".join(shell.error_lines)).strip()
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), type(error).__name__)
    kind = "exception"
    if isinstance(error, MemoryError):
        kind = "out-of-memory"
    elif isinstance(error, OSError) and error.errno in FULL:
        kind = "disk-full"
    return AttemptFailure(kind, last[:2000], _capped(text))


def _flush_files() -> AttemptFailure | None:
    """Write out what open files still hold: an interpreter that ends by _exit would lose it silently."""
    atexit._run_exitfuncs()
    for thing in gc.get_objects():
        if isinstance(thing, io.TextIOWrapper | io.BufferedWriter | io.BufferedRandom) and not thing.closed:
            try:
                thing.flush()
            except OSError as error:
                if error.errno in FULL:
                    return AttemptFailure("disk-full", f"the disk is full: {error}")
                if error.errno != errno.EBADF:
                    return AttemptFailure("exception", f"an open file could not be written out: {error}")
            except ValueError:
                pass
    return None


def _release(shell: ShardShell) -> None:
    """Let objects that write when they go (files of HDF5, archives, databases) do so."""
    shell.last_execution_result = None
    shell.user_ns.clear()
    sys.last_value = sys.last_traceback = None
    gc.collect()


def _capped(text: str) -> str:
    if len(text) <= TEXT_BYTES:
        return text
    return text[: TEXT_BYTES // 2] + "\n[...]\n" + text[-TEXT_BYTES // 2 :]
