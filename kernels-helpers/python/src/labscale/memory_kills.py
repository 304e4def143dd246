"""How often the kernel has ended a process of our control group because there was no memory left for it."""

from __future__ import annotations

import contextlib
import os
import re


def count_memory_kills(own: str = "/proc/self/cgroup", mount: str = "/sys/fs/cgroup") -> int:
    """The kernel's own count since the group was made; 0 where it keeps none that can be read.

    Parameters
    ----------
    own
        The file that names the groups of this process.
    mount
        Where the control groups are: those of version 2, or a folder `memory` with those of version 1.
    """
    for folder, counts in _places(own, mount):
        with contextlib.suppress(OSError), open(os.path.join(folder, counts), encoding="ascii") as file:
            if found := re.search(r"^oom_kill (\d+)$", file.read(), re.MULTILINE):
                return int(found[1])
    return 0


def _places(own: str, mount: str) -> list[tuple[str, str]]:
    places = []
    with contextlib.suppress(OSError), open(own, encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            is_second = controllers == ""
            if not is_second and "memory" not in controllers.split(","):
                continue
            at, counts = (mount, "memory.events") if is_second else (f"{mount}/memory", "memory.oom_control")
            # In a container the mount may begin at our own group, although its path tells it from the root.
            places += [(at + path, counts), (at, counts)]
    return places
