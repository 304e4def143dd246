"""How to reach the server: looked up anew for each call, so that a restarted server is found again."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from labscale.errors import LabscaleError, ServerAwayError

START = (
    "Start it with `labscale serve` in the project folder, or open the project in JupyterLab with Labscale."
)


@dataclass(frozen=True)
class Connection:
    url: str
    token: str = field(repr=False)
    data_folder: Path | None
    """The project's `.labscale`, where the server is one of this machine's."""


def find_connection() -> Connection:
    """Where the server listens, in the order of ARCHITECTURE.md, "Starting the server".

    Raises
    ------
    ServerAwayError
        Where nothing says so.
    LabscaleError
        Where what says so cannot be used.
    """
    url = os.environ.get("LABSCALE_URL")
    if url:
        token = os.environ.get("LABSCALE_TOKEN")
        if not token:
            raise LabscaleError(
                "LABSCALE_URL is set and LABSCALE_TOKEN is not.", "Set both.", code="NOT_SIGNED_IN"
            )
        if urlsplit(url).scheme not in ("http", "https"):
            raise LabscaleError(
                f"LABSCALE_URL is {url!r}, which is no http or https address.", "Set it right."
            )
        return Connection(url.rstrip("/"), token, None)
    named = os.environ.get("LABSCALE_CONNECTION_FILE")
    if named:
        return _read(Path(named))
    folder = find_data_folder()
    if folder is None or not (folder / "server.json").exists():
        where = f"in {folder}" if folder else f"in {Path.cwd()} or a folder above it"
        raise ServerAwayError(f"The labscale server is away: there is no connection file {where}.", START)
    return _read(folder / "server.json")


def find_data_folder() -> Path | None:
    """The nearest `.labscale`, from the current folder up; None where there is none."""
    here = Path.cwd()
    return next(
        (place / ".labscale" for place in (here, *here.parents) if (place / ".labscale").is_dir()), None
    )


def _read(file: Path) -> Connection:
    try:
        with open(file, encoding="utf-8") as opened:
            status = os.fstat(opened.fileno())
            said = json.load(opened)
        url, token = said["url"], said["token"]
    except FileNotFoundError:
        raise ServerAwayError(f"The labscale server is away: {file} is not there.", START) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise LabscaleError(f"The connection file {file} cannot be read: {error}.", START) from None
    # Whoever can write this file could have every request, and the data in it, sent to a server of theirs.
    if status.st_uid != os.getuid() or stat.S_IMODE(status.st_mode) & 0o077:
        raise LabscaleError(
            f"The connection file {file} is not yours alone, so it is not trusted.", f"Remove it. {START}"
        )
    if urlsplit(url).hostname not in ("127.0.0.1", "localhost", "::1"):
        raise LabscaleError(
            f"The connection file {file} names an address of another machine.", f"Remove it. {START}"
        )
    return Connection(url.rstrip("/"), token, file.parent)
