"""A tiny program of the standard library: adds up the numbers of a shard."""

import os
from pathlib import Path

total = sum(
    int(line) for path in Path(os.environ["LABSCALE_INPUT"]).iterdir() for line in path.read_text().split()
)
(Path(os.environ["LABSCALE_OUTPUT"]) / "total.txt").write_text(f"{total}\n")
