"""The log of an attempt: at most 16 MiB, its head as it comes and its tail at the end, the middle counted."""

from __future__ import annotations

import os
from collections import deque

HEAD_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 8 * 1024 * 1024 - 256
READ_BYTES = 1024 * 1024


class CappedLog:
    """Takes what comes through a pipe; never holds more than the tail in memory.

    An OSError of the log file is kept in `error` and not raised: what the program does must not depend on it.
    """

    def __init__(self, file: str | int) -> None:
        """`file` is a path, or the descriptor of an empty file that was opened for reading and writing."""
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        self._fd = file if isinstance(file, int) else os.open(file, flags, 0o644)
        self._head_bytes = 0
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._left_out = 0
        self.size_bytes = 0
        self.received_bytes = 0
        self.error: OSError | None = None

    def read_from(self, fd: int) -> bool:
        """Take what a non-blocking pipe has now, one read of it; False where it had nothing or has ended."""
        try:
            data = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return False
        self.add(data)
        return bool(data)

    def add(self, data: bytes) -> None:
        self.received_bytes += len(data)
        room = HEAD_BYTES - self._head_bytes
        if room > 0:
            self._head_bytes += len(data[:room])
            self._write(data[:room])
            data = data[room:]
        if not data:
            return
        self._tail.append(data)
        self._tail_bytes += len(data)
        while self._tail_bytes - len(self._tail[0]) >= TAIL_BYTES:
            gone = len(self._tail.popleft())
            self._tail_bytes -= gone
            self._left_out += gone

    def last_text(self, size_bytes: int) -> str:
        """The end of what came, for a failure that has no better text."""
        if self._tail:
            data = b"".join(self._tail)[-size_bytes:]
        else:
            start = max(0, self.size_bytes - size_bytes)
            data = os.pread(self._fd, self.size_bytes - start, start)
        return data.decode("utf-8", "replace")

    def close(self) -> None:
        tail = b"".join(self._tail)
        if len(tail) > TAIL_BYTES:
            self._left_out += len(tail) - TAIL_BYTES
            tail = tail[-TAIL_BYTES:]
        if self._left_out:
            self._write(f"\n[labscale: {self._left_out} bytes of this log are left out here]\n".encode())
        self._write(tail)
        self._tail.clear()
        os.close(self._fd)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view and self.error is None:
            try:
                written = os.write(self._fd, view)
            except OSError as error:
                self.error = error
                return
            self.size_bytes += written
            view = view[written:]
