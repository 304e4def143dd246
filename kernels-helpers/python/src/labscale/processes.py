"""Processes as the worker sees them: their tree, memory, end, and whose attempt they belong to.

Linux gives all of it without privileges. Elsewhere a tree is its process group, and memory is not watched.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from contextlib import suppress

LINUX = sys.platform == "linux"
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MARKS = ("LABSCALE_RUN", "LABSCALE_TASK", "LABSCALE_ATTEMPT")

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True) if LINUX else None


def adopt_orphans() -> None:
    """Make processes whose parent has gone our children, so that none leaves the tree by forking twice."""
    if _libc is not None:
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(parent: int, number: int = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the parent goes; ends this process where it has gone already."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks after boot: with the pid it names a process for good."""
    fields = _stat_fields(pid)
    return int(fields[19]) if fields else None


def descendants(pid: int) -> list[int]:
    """Every living process below `pid`, parents before children; zombies are left out."""
    found: list[int] = []
    waiting = [pid]
    while waiting:
        for child in _children(waiting.pop()):
            found.append(child)
            waiting.append(child)
    return found


def resident_bytes(pids: list[int]) -> int:
    """Memory held by processes together; pages that several of them share count once."""
    if len(pids) < 2:
        return sum(map(_resident, pids))
    # What forked processes share would be counted for each; the proportional size splits it among them.
    return max(sum(_proportional(pid) for pid in pids), max(map(_resident, pids)))


def end_children(keep: frozenset[int] = frozenset(), patience_seconds: float = 10.0) -> None:
    """Kill every descendant of this process but those below `keep`, and reap them.

    Stopping all of them first keeps a program that forks faster than we kill from staying ahead. This
    process must have called `adopt_orphans`: it is done when no child is left, dead ones included, since a
    process that dies while we look hands its children to us after we have read who ours are.
    """
    me = os.getpid()
    deadline = time.monotonic() + patience_seconds
    pause = 0.0005
    while (children := _direct_children(me, keep)) and time.monotonic() < deadline:
        tree = [pid for child in children for pid in (child, *descendants(child))]
        for number in (signal.SIGSTOP, signal.SIGKILL) if len(tree) > 1 else (signal.SIGKILL,):
            for pid in tree:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, number)
        if not all(map(_reap, children)):
            time.sleep(pause)
            pause = min(pause * 2, 0.05)


def mark(run: str, task: str, attempt: str) -> bool:
    """Write whose attempt this process works at where /proc/<pid>/environ shows it; children inherit it.

    That file shows the memory that the program was started with; os.environ never changes it.
    False where that memory is too small or cannot be found.
    """
    if not LINUX:
        return False
    fields = _stat_fields(os.getpid())
    if not fields:
        return False
    start, end = int(fields[47]), int(fields[48])
    text = b"".join(
        f"{name}={value}\0".encode() for name, value in zip(MARKS, (run, task, attempt), strict=True)
    )
    if start == 0 or end - start < len(text):
        return False
    if not _environment_moved:
        # The C library still points into that memory for what it was started with.
        for name, value in os.environ.items():
            os.putenv(name, value)
        _environment_moved.append(True)
    ctypes.memmove(start, text.ljust(end - start, b"\0"), end - start)
    return True


_environment_moved: list[bool] = []


def _stat_fields(pid: int) -> list[str] | None:
    """Fields of /proc/<pid>/stat from the state on: index 0 is field 3, the state."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def _children(pid: int) -> list[int]:
    return [child for child in _direct_children(pid) if not _is_zombie(child)]


def _direct_children(pid: int, leave_out: frozenset[int] = frozenset()) -> list[int]:
    found: list[int] = []
    try:
        # A child is listed under the thread that started it.
        for thread in os.listdir(f"/proc/{pid}/task"):
            with suppress(OSError), open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as file:
                found.extend(int(child) for child in file.read().split())
    except OSError:
        return []
    return [child for child in found if child not in leave_out]


def _reap(pid: int) -> bool:
    """Take leave of a child that has ended; False while it has not."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _is_zombie(pid: int) -> bool:
    fields = _stat_fields(pid)
    return fields is None or fields[0] in "ZX"


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * PAGE_BYTES
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _resident(pid)
