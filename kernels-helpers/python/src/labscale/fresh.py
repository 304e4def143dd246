"""Runs a notebook in a kernel started for it: for other languages, and where forking does not fit.

A program of its own, in Jupyter's interpreter, which has nbclient and the kernelspecs.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from labscale.document import prepare, read_notebook, write_executed
from labscale.failure import FULL, AttemptFailure, readable_bytes

STREAM_BYTES = 1024 * 1024
TEXT_BYTES = 16 * 1024


def main() -> None:
    result = int(os.environ.pop("LABSCALE_RESULT_FD"))
    os.set_inheritable(result, False)
    with open(sys.argv[1], encoding="utf-8") as file:
        settings = json.load(file)
    said: dict[str, Any] = {"exitKind": "succeeded"}
    try:
        run_fresh(settings)
    except AttemptFailure as failure:
        said = failure.said()
    except OSError as error:
        kind = "disk-full" if error.errno in FULL else "kernel-missing"
        said = AttemptFailure(kind, str(error)).said()
    os.write(result, json.dumps(said).encode())


def run_fresh(settings: dict[str, Any]) -> None:
    """Run the notebook of `settings` and write `executed.ipynb`.

    Raises
    ------
    AttemptFailure
        `kernel-missing`, `kernel-died`, `exception`, `disk-full` or `parameters-unusable`.
    """
    try:
        import nbformat
        from jupyter_client.kernelspec import NoSuchKernel
        from nbclient.exceptions import CellExecutionError, DeadKernelError
    except ImportError as error:
        raise AttemptFailure(
            "kernel-missing",
            f"the interpreter {sys.executable} of Jupyter cannot start kernels: {error}; install nbclient",
        ) from error
    notebook = read_notebook(settings["notebook"])
    kernel = settings["kernel"]
    cells = prepare(notebook, kernel["language"], settings["values"])
    document = nbformat.from_dict(
        {"cells": cells, "metadata": notebook.get("metadata", {}), "nbformat": 4, "nbformat_minor": 5}
    )
    client = _client(document, kernel["name"], settings)
    try:
        client.execute()
    except NoSuchKernel:
        raise AttemptFailure("kernel-missing", f"the kernel {kernel['name']} is not installed here") from None
    except DeadKernelError:
        raise AttemptFailure("kernel-died", "the kernel died in the middle of the notebook") from None
    except CellExecutionError as error:
        raise _failure_of(error, document) from None
    finally:
        cells = json.loads(nbformat.writes(document))["cells"]
        write_executed(os.path.join(settings["output"], "executed.ipynb"), notebook, cells)


def _client(document: Any, kernel_name: str, settings: dict[str, Any]) -> Any:
    from nbclient import NotebookClient

    count = sum(1 for cell in document["cells"] if cell["cell_type"] == "code")

    class CappedClient(NotebookClient):
        """Passes streams on to the log and keeps no more of them than a notebook should hold."""

        streamed: dict[tuple[int, str], int]
        done = 0

        def output(self, outs, msg, display_id, cell_index):
            if msg["header"]["msg_type"] == "stream":
                name, text = msg["content"]["name"], msg["content"]["text"]
                os.write(2 if name == "stderr" else 1, text.encode("utf-8", "replace"))
                before = self.streamed.get((cell_index, name), 0)
                self.streamed[cell_index, name] = before + len(text)
                if before >= STREAM_BYTES:
                    return None
                msg["content"]["text"] = text[: STREAM_BYTES - before]
                if before + len(text) >= STREAM_BYTES:
                    limit = readable_bytes(STREAM_BYTES)
                    msg["content"]["text"] += (
                        f"\n[labscale: {name} beyond {limit} is left out; the log has its head and tail]\n"
                    )
            return super().output(outs, msg, display_id, cell_index)

    client = CappedClient(
        document,
        kernel_name=kernel_name,
        timeout=None,
        record_timing=False,
        resources={"metadata": {"path": settings["work"]}},
    )
    client.streamed = {}

    def executed(cell=None, cell_index=None, **_: Any) -> None:
        client.done += 1
        print(f"[labscale: cell {client.done} of {count}]", file=sys.stderr, flush=True)
        with open(settings["report"], "a", encoding="utf-8") as report:
            report.write(json.dumps({"cells": [client.done, count]}) + "\n")

    client.on_cell_executed = executed
    return client


def _failure_of(error: Any, document: Any) -> AttemptFailure:
    from labscale.ansi import without_ansi

    # The error's own text repeats the cell and all that it printed; the traceback stands in its outputs.
    outputs = [output for cell in document["cells"] for output in cell.get("outputs", [])]
    lines = [line for output in outputs if output["output_type"] == "error" for line in output["traceback"]]
    text = without_ansi("\n".join(lines) or error.traceback).strip()
    print(text, file=sys.stderr, flush=True)
    last = f"{error.ename}: {without_ansi(error.evalue)}".strip()
    kind = "exception"
    if error.ename == "MemoryError":
        kind = "out-of-memory"
    elif error.ename == "OSError" and any(f"[Errno {number}]" in error.evalue for number in FULL):
        kind = "disk-full"
    return AttemptFailure(kind, last.splitlines()[-1][:2000] if last else "a cell failed", text[-TEXT_BYTES:])
