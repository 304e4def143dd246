"""The record of a process that may outlive its server: `workers/<worker>.json`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil

from labscale import processes


def introduce(path: str, run: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "startTicks": processes.start_ticks(os.getpid()), "runId": run}, file)
    os.replace(path + ".new", path)


def forget(path: str, own: str) -> None:
    """Remove the record and the process's own folder in the scratch of the run."""
    with contextlib.suppress(OSError):
        os.unlink(path)
    shutil.rmtree(own, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(own))
