"""Run a notebook on a snippet once for each set of values, in one kernel, as a person who tunes does.

Prints one JSON line for each: `{"values": {...}, "metrics": {...}, "seconds": 0.1}`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    """Read the arguments, run the notebook, print what came out."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", type=Path)
    parser.add_argument("snippet", help="its id")
    parser.add_argument("values", type=json.loads, nargs="+", help="values by parameter, as JSON")
    arguments = parser.parse_args()
    os.environ["LABSCALE_SNIPPET"] = arguments.snippet

    cells = [
        cell for cell in nbformat.read(arguments.notebook, as_version=4).cells if cell.cell_type == "code"
    ]
    after = 1 + next(i for i, cell in enumerate(cells) if "parameters" in cell.metadata.get("tags", []))
    read_back = nbformat.v4.new_code_cell("import json; print(json.dumps(labscale.tuning.metrics))")
    client = NotebookClient(
        nbformat.v4.new_notebook(),
        timeout=120,
        resources={"metadata": {"path": str(arguments.notebook.parent)}},
    )
    with client.setup_kernel():
        for values in arguments.values:
            source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
            client.nb.cells = [*cells[:after], nbformat.v4.new_code_cell(source), *cells[after:], read_back]
            start = time.perf_counter()
            for index, cell in enumerate(client.nb.cells):
                client.execute_cell(cell, index)
            seconds = time.perf_counter() - start
            metrics = json.loads(read_back.outputs[0].text)
            print(json.dumps({"values": values, "metrics": metrics, "seconds": seconds}), flush=True)


if __name__ == "__main__":
    main()
