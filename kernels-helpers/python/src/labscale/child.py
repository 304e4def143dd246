"""The process of a program: how it begins in a fork, how it is ended, and what it said of its end."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import traceback
from collections.abc import Callable
from typing import Any

from labscale import processes
from labscale.failure import FULL, AttemptFailure, from_os_error

RESULT_BYTES = 60 * 1024


def become_program(run: Callable[[int], None], slot: int, log: int, result: int, work: str) -> None:
    """In the fork: a session of its own, the log as output, then the program; never returns."""
    said: dict[str, Any] = {"exitKind": "succeeded"}
    try:
        os.setsid()
        processes.die_with_parent(slot)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            # Where the machine runs out of memory, the program is to go and not the worker.
            os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC), b"500")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(work)
        run(result)
    except AttemptFailure as failure:
        said = failure.said()
    except OSError as error:
        failure = (
            from_os_error(error)
            if error.errno in FULL
            else AttemptFailure("exit-code", str(error), None, 127)
        )
        said = failure.said()
    except BaseException:
        text = traceback.format_exc()
        said = AttemptFailure("kernel-died", text.strip().splitlines()[-1], text).said()
    with contextlib.suppress(OSError):
        os.write(result, json.dumps(said).encode()[:RESULT_BYTES])
    os._exit(0 if said["exitKind"] == "succeeded" else 1)


def read_result(fd: int) -> dict[str, Any] | None:
    try:
        said = json.loads(os.read(fd, RESULT_BYTES + 4096))
    except (BlockingIOError, ValueError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("exitKind"), str) else None


def open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def end(pid: int) -> tuple[int, resource.struct_rusage | None]:
    """End the program where it still runs, and reap it."""
    with contextlib.suppress(ChildProcessError):
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage
        for kill in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                kill(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        return status, usage
    return 0, None


def ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"it was ended by {signal_name(os.WTERMSIG(status))}"
    return f"it left with exit code {os.WEXITSTATUS(status)}"


def signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    if number == signal.SIGKILL:
        return "SIGKILL (ended from outside, or the machine had no memory left)"
    return f"{name} ({(signal.strsignal(number) or '').lower()})"
