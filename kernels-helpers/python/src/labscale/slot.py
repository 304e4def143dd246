"""A slot: takes one attempt after another from the dispatcher, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections import deque
from typing import Any

from labscale import processes
from labscale.attempt import Attempt
from labscale.places import Places
from labscale.programs import Program


class Lines:
    """JSON lines over a stream socket."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self._rest = b""

    def send(self, message: dict[str, Any]) -> None:
        self.channel.sendall(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def receive(self) -> list[dict[str, Any]] | None:
        """What has come; waits for something. None at the end of the stream."""
        try:
            data = self.channel.recv(1024 * 1024)
        except ConnectionResetError:
            return None
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines if line]


def serve(channel: socket.socket, places: Places, plan: dict[str, Any], program: Program) -> None:
    """Work until the dispatcher closes the channel; where it dies, end the tree of the running attempt."""
    lines = Lines(channel)
    processes.adopt_orphans()
    signal.signal(signal.SIGTERM, lambda *_: _leave())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    processes.die_with_parent(os.getppid(), signal.SIGTERM)
    running: Attempt | None = None
    inbox: deque[dict[str, Any]] = deque()

    def on_channel() -> None:
        messages = lines.receive()
        if messages is None:
            _leave()
        inbox.extend(messages or [])
        if running is not None and any(_stops(message, running) for message in inbox):
            running.stop()

    while True:
        if not inbox:
            on_channel()
            continue
        order = inbox.popleft()
        if order["do"] != "run":
            continue
        running = Attempt(places, plan, program, order, lines.send)
        if any(_stops(message, running) for message in inbox):
            running.stop()
        report = running.run(channel.fileno(), on_channel)
        running = None
        lines.send({"event": "ended", "index": order["index"], "attempt": order["attempt"], "report": report})


def _stops(message: dict[str, Any], attempt: Attempt) -> bool:
    return message["do"] == "stop" and attempt.is_named(message["index"], message["attempt"])


def _leave() -> None:
    processes.end_children()
    os._exit(0)
