"""The folder over which tasks are handed to `run-tasks.sh` in a container of somebody else's image.

`task/{in,out,params.json}` are what the program sees as /in, /out and /params.json. `turn/` has
`orders` (a pipe: `hello` once, then `number seconds`, at last `finish`), `log` (a pipe of what the program
prints), `life` (a pipe that the script holds open while it lives), `begun` (a file: the script takes orders),
`result` (a file that says how the program ended) and `over` (a file: nothing will be ordered any more).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from dataclasses import dataclass
from typing import Any

from labscale.transfer.folder import Folder, write_all

RESULT_BYTES = 1000


@dataclass(frozen=True)
class Result:
    """How a program ended; of CPU, in microseconds, and kills for want of memory: before and after."""

    number: int
    code: int
    cpu_before: int
    kills_before: int
    cpu: int
    kills: int
    peak_bytes: int


def prepare(root: Folder) -> None:
    """Before a container is started: what is mounted into it must be there."""
    for name in ("task/in", "task/out", "turn"):
        root.folder(*name.split("/"), create=True)
    with root.folder("task") as task:
        task.write("params.json", b"{}\n")
    with root.folder("turn") as turn:
        for name in ("orders", "log", "life"):
            turn.remove(name)
            os.mkfifo(name, 0o600, dir_fd=turn.fd)


def put_task(root: Folder, shelf: Folder, order: dict[str, Any], values: dict[str, Any]) -> None:
    """Put a task in its place; its files are those of the shelf that the order names. Raises OSError."""
    with root.folder("task") as task:
        task.empty("out")
        task.empty("in")
        with task.folder("in") as folder:
            for item in order["shard"]["objects"]:
                *above, name = item["path"].split("/")
                with folder.folder(*above, create=True) as parent:
                    kept = os.path.basename(item["file"])
                    os.link(kept, name, src_dir_fd=shelf.fd, dst_dir_fd=parent.fd, follow_symlinks=False)
        # In its place and not by a rename: the mount is of this very file.
        fd = os.open("params.json", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=task.fd)
        try:
            write_all(fd, json.dumps(values, ensure_ascii=False).encode() + b"\n")
        finally:
            os.close(fd)
    with root.folder("turn") as turn:
        turn.remove("result")


def take_outputs(root: Folder, attempt: Folder) -> None:
    """Move what the program wrote below `out` of the attempt. Raises OSError."""
    with root.folder("task", "out") as source, attempt.folder("out", create=True) as target:
        for name in source.names():
            os.rename(name, name, src_dir_fd=source.fd, dst_dir_fd=target.fd)


def end_turns(root: Folder) -> None:
    """For a script that has not heard of us yet."""
    with contextlib.suppress(OSError), root.folder("turn") as turn:
        turn.write("over", b"")


def read_result(root: Folder) -> Result | None:
    """None while there is none that can be read."""
    with contextlib.suppress(OSError), root.folder("turn") as turn:
        fd, _ = turn.open_file("result")
        try:
            said = os.read(fd, RESULT_BYTES)
        finally:
            os.close(fd)
        if re.fullmatch(rb"\d{1,18}( \d{1,18}){6}\n", said):
            return Result(*map(int, said.split()))
    return None
