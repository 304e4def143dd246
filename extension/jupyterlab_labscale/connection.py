"""The connection file of a running labscale server, and whether to trust it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

PROGRAM = "labscale-server.mjs"


@dataclass(frozen=True)
class Connection:
    """Where a labscale server listens and what opens it; `pid` is 0 for one on another machine."""

    url: str
    token: str
    pid: int

    def __repr__(self) -> str:
        # The token must not get into a log by way of an exception or a debug line.
        return f"Connection(url={self.url!r}, pid={self.pid})"


def read_connection(file: Path) -> Connection | None:
    """Read `server.json`; None where it is absent, unreadable, or not one to trust.

    The file must be this user's alone and name an address of this machine: else somebody who can write to the project
    folder could have every request sent to a server of theirs.
    """
    try:
        with open(file, encoding="utf-8") as opened:
            status = os.fstat(opened.fileno())
            content = json.load(opened)
    except (OSError, ValueError):
        return None
    if sys.platform != "win32" and (status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077):
        return None
    if not isinstance(content, dict):
        return None
    url, token, pid = content.get("url"), content.get("token"), content.get("pid")
    if (
        not (isinstance(url, str) and isinstance(token, str) and isinstance(pid, int))
        or pid <= 0
        or not token
    ):
        return None
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in (
        "127.0.0.1",
        "localhost",
        "::1",
    ):
        return None
    return Connection(url.rstrip("/"), token, pid)


def is_labscale_server(pid: int) -> bool:
    """Tell whether a process is alive and runs the labscale server: a stale file may name a pid given to another."""
    try:
        return PROGRAM in Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
    except OSError:
        if sys.platform == "linux":
            return False
    if sys.platform == "win32":
        # Without a command line to look at, the token decides.
        return True
    shown = subprocess.run(
        ["/bin/ps", "-ww", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    )
    return PROGRAM in shown.stdout


async def answers(connection: Connection) -> bool:
    """Tell whether a labscale server answers there and takes the token."""
    from tornado.httpclient import AsyncHTTPClient, HTTPClientError

    client = AsyncHTTPClient(force_instance=True)
    try:
        response = await client.fetch(
            f"{connection.url}/api/v1/server",
            headers={"Authorization": f"Bearer {connection.token}"},
            request_timeout=5,
            follow_redirects=False,
        )
        content = json.loads(response.body)
        return isinstance(content, dict) and "runner" in content
    except (OSError, HTTPClientError, ValueError):
        return False
    finally:
        client.close()
