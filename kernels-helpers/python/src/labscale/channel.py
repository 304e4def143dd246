"""The worker's end of a channel: the socket of whoever carries its shards and outputs."""

from __future__ import annotations

import os
import socket
import sys
import time

from labscale.alive import has_died

WAIT_SECONDS = 600.0
LOOK_SECONDS = 0.02


def connect(path: str) -> int:
    """A descriptor of the connection; waits until the socket is there, as both are started together.

    Ends the process where that takes longer than ten minutes, or where the other side has ended.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            channel.connect(path)
            return channel.detach()
        except OSError as error:
            channel.close()
            late = time.monotonic() > deadline
            if late or has_died(f"{path}.alive"):
                why = os.strerror(error.errno or 0) if late else "what was to listen there has ended"
                print(f"no connection to {path}: {why}", file=sys.stderr)
                sys.exit(75)
        time.sleep(LOOK_SECONDS)
