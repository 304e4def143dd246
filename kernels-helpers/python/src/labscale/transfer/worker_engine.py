"""Runs attempts in a worker of another container, over a socket in the folder that both have."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import Any

from labscale.transfer.hearing import Hearing, Name
from labscale.transfer.talk import Talk


class WorkerEngine:
    """Listens; the first who connects is the worker, and nobody after it."""

    def __init__(self, root: str, run: str, hearing: Hearing) -> None:
        self._run = run
        self._hearing = hearing
        self._path = os.path.join(root, "channel.sock")
        self._lock = threading.Lock()
        self._talk: Talk | None = None
        self._waiting: list[dict[str, Any]] = []
        self._is_finished = False

    def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        new = f"{self._path}.new"
        for path in (new, self._path):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        listener.bind(new)
        listener.listen(1)
        # The worker sees it only when it can be connected to.
        os.rename(new, self._path)
        threading.Thread(target=self._serve, args=(listener,), daemon=True).start()

    def _serve(self, listener: socket.socket) -> None:
        channel, _ = listener.accept()
        with contextlib.suppress(OSError):
            os.unlink(self._path)
        listener.close()
        fd = channel.detach()
        talk = Talk(self._run, fd, fd, self._hearing)
        with self._lock:
            self._talk = talk
            for order in self._waiting:
                talk.run(order)
            if self._is_finished:
                talk.finish()
        talk.listen()

    def run(self, order: dict[str, Any]) -> None:
        with self._lock:
            if self._talk is None:
                self._waiting.append(order)
            else:
                self._talk.run(order)

    def stop(self, name: Name) -> None:
        if self._talk is not None:
            self._talk.stop(name)

    def finish(self) -> None:
        with self._lock:
            self._is_finished = True
            if self._talk is not None:
                self._talk.finish()
