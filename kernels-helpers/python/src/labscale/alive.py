"""How processes that share only a folder learn of each other's death: a file that a life keeps locked."""

from __future__ import annotations

import fcntl
import os


def hold(path: str) -> int:
    """Make a file that is locked until this process ends; the descriptor must stay open."""
    new = f"{path}.{os.getpid()}"
    fd = os.open(new, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    fcntl.flock(fd, fcntl.LOCK_EX)
    # Nobody sees it without its lock.
    os.rename(new, path)
    return fd


def has_died(path: str) -> bool:
    """Whether whoever made the file has ended; False where it is not there yet."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
