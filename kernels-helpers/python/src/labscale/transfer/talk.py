"""Our end of the worker protocol, with a worker that is not trusted: only what was ordered is heard."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

from labscale.claim import now
from labscale.transfer.hearing import Hearing, Name
from labscale.transfer.said import take_apart

LINE_BYTES = 64 * 1024 * 1024
SEND_SECONDS = 600.0
COMPLAINTS = 5
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


class Talk:
    """Over two descriptors, which may be of one socket."""

    def __init__(self, run: str, input: int, output: int, hearing: Hearing) -> None:
        self._run = run
        self._input = input
        self._output = output
        self._hearing = hearing
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._ordered: dict[Name, bool] = {}
        self._complaints = 0
        for fd in (input, output):
            os.set_blocking(fd, False)

    def run(self, order: dict[str, Any]) -> None:
        with self._lock:
            self._ordered[order["index"], order["attempt"]] = False
        self._send({"do": "run", **order})

    def stop(self, name: Name) -> None:
        self._send({"do": "stop", "index": name[0], "attempt": name[1]})

    def finish(self) -> None:
        self._send({"do": "finish"})

    def listen(self) -> None:
        """Until the worker closes its end or says what nobody could mean; then `gone` is told."""
        detail = "it closed the connection"
        try:
            for line in self._lines():
                self._hear(line)
        except ValueError as error:
            detail = str(error)
        except OSError as error:
            detail = f"the connection broke ({error.strerror})"
        self._hearing.gone(detail)

    def _hear(self, line: bytes) -> None:
        try:
            event = json.loads(line, parse_int=_whole)
            kind, name = event["event"], (event.get("index"), event.get("attempt"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            self._complain(line)
            return
        if kind == "ready":
            self._hearing.ready()
            return
        with self._lock:
            started = self._ordered.get(name) if all(type(part) is int for part in name) else None
            if started is not None:
                if kind == "started":
                    self._ordered[name] = True
                elif kind == "ended":
                    del self._ordered[name]
        if started is None or (kind == "started" and started):
            self._complain(line)
        elif kind == "started":
            at = event.get("at")
            self._hearing.started(name, at if isinstance(at, str) and _MOMENT.fullmatch(at) else now())
        elif kind == "progress":
            progress = event.get("progress")
            if isinstance(progress, int | float) and 0 <= progress <= 1:
                self._hearing.progress(name, float(progress))
        elif kind == "ended":
            self._hearing.ended(name, take_apart(event.get("report"), self._run, *name))
        else:
            self._complain(line)

    def _complain(self, line: bytes) -> None:
        self._complaints += 1
        if self._complaints <= COMPLAINTS:
            print(f"the worker said what was not asked for: {line[:200]!r}", file=sys.stderr, flush=True)

    def _lines(self) -> Iterator[bytes]:
        parts: list[bytes] = []
        size = 0
        while True:
            select.select([self._input], [], [])
            try:
                data = os.read(self._input, 1024 * 1024)
            except BlockingIOError:
                continue
            if not data:
                return
            *lines, rest = data.split(b"\n")
            for line in lines:
                yield b"".join([*parts, line])
                parts, size = [], 0
            parts.append(rest)
            size += len(rest)
            if size > LINE_BYTES:
                raise ValueError(f"it said a line of more than {LINE_BYTES} bytes")

    def _send(self, message: dict[str, Any]) -> None:
        """A worker that has gone is told by `listen`."""
        content = memoryview(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        deadline = time.monotonic() + SEND_SECONDS
        with self._sending, contextlib.suppress(OSError):
            while content and (left := deadline - time.monotonic()) > 0:
                if select.select([], [self._output], [], left)[1]:
                    with contextlib.suppress(BlockingIOError):
                        content = content[os.write(self._output, content) :]


def _whole(digits: str) -> int | float:
    # Python before 3.11 takes hours for a number of a million digits.
    return int(digits) if len(digits) < 30 else float(digits)
