"""A process that stands for an attempt, for as long as this one works at it.

A server that comes after a crash finds attempts in hand by the environment of their processes, and ends one
by ending these; while an attempt is published, no program of it runs any more.
"""

from __future__ import annotations

import contextlib
import os
import subprocess

from labscale.processes import MARKS
from labscale.transfer.hearing import Name


class Mark:
    def __init__(self, run: str, name: Name) -> None:
        marks = zip(MARKS, (run, str(name[0]), str(name[1])), strict=True)
        read, self._write = os.pipe()
        try:
            # It reads what nobody writes, and ends when our end of the pipe is closed, however we end.
            self._process = subprocess.Popen(
                ["cat"],
                stdin=read,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", os.defpath), **dict(marks)},
            )
        finally:
            os.close(read)

    def stands(self) -> bool:
        """False where somebody has ended it."""
        return self._process.poll() is None

    def end(self) -> None:
        os.close(self._write)
        with contextlib.suppress(OSError):
            self._process.wait()
