"""Before the containers of a pod start: what the one without our image needs is put where it finds it."""

from __future__ import annotations

import os
import shutil
import sys

from labscale.transfer import turn
from labscale.transfer.folder import Folder

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "run-tasks.sh")


def bring(root: str, kind: str) -> int:
    """For a worker the package, for an image a shell and the script that it reads; an exit code."""
    if kind != "container":
        target = os.path.join(root, "helpers", "labscale")
        shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        return 0
    busybox = shutil.which("busybox")
    if busybox is None:
        print("this image has no busybox, which runs the programs of other images", file=sys.stderr)
        return 1
    programs = os.path.join(root, "bin")
    os.makedirs(programs, exist_ok=True)
    shutil.copy(busybox, os.path.join(programs, "busybox"))
    shutil.copy(SCRIPT, os.path.join(programs, "run-tasks"))
    with Folder.at(root) as folder:
        turn.prepare(folder)
    return 0
