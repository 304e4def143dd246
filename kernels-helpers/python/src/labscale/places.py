"""Where a worker finds and leaves things; the layout is in ARCHITECTURE.md, "The data folder"."""

from __future__ import annotations

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class Places:
    """Folders that a worker was started with."""

    data: str
    objects: str
    helpers: str
    """Folder that holds the package `labscale` and nothing else, so that it shadows nothing on a path."""

    def scratch(self, run: str, index: int, attempt: int) -> str:
        return os.path.join(self.data, "scratch", run, f"{index}-{attempt}")

    def attempt(self, run: str, index: int, attempt: int) -> str:
        return os.path.join(self.objects, "runs", run, "attempts", str(index), str(attempt))

    def claim(self, run: str, index: int) -> str:
        return os.path.join(self.objects, "runs", run, "claims", f"{index}.json")
