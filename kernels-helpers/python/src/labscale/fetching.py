"""Brings objects through the server to files, each whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

from labscale.client import download
from labscale.errors import LabscaleError
from labscale.outputs import file_digest


def fetch_object(version_id: str, key: str, item: dict[str, Any], target: Path) -> None:
    """Write an object of a shard to `target`, under its name only once it is whole.

    Parameters
    ----------
    item
        As the contract's `DataObject`: `path`, `sizeBytes`, `digest`.

    Raises
    ------
    LabscaleError
        `INCOMPLETE` where what arrived is not what the digest says; as `labscale.client.call`.
    OSError
        Where the file cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    # A name of its own, as another process may fetch the same.
    descriptor, part = tempfile.mkstemp(prefix=".part-", dir=target.parent)
    try:
        with open(descriptor, "wb") as file:
            download(
                "getObject",
                file,
                params={"versionId": version_id},
                query={"shard": key, "path": item["path"]},
            )
        if not is_whole(Path(part), item):
            raise LabscaleError(
                f"{item['path']} of {key} did not arrive whole.", "Try again.", code="INCOMPLETE"
            )
        os.replace(part, target)
    finally:
        Path(part).unlink(missing_ok=True)


def is_whole(path: Path, item: dict[str, Any]) -> bool:
    """Whether a file has the size and digest of an object."""
    try:
        if path.stat().st_size != item["sizeBytes"]:
            return False
        return file_digest(str(path)) == item["digest"]
    except OSError:
        return False


def place_below(folder: Path, *names: str) -> Path:
    """Where an object goes; names come from a server and must not lead out of the folder.

    Raises
    ------
    LabscaleError
        `PATH_INVALID`.
    """
    parts = [part for name in names for part in PurePosixPath(name).parts]
    if any(part in ("..", "/", "") or "\0" in part for part in parts):
        raise LabscaleError(f"The name {'/'.join(names)} leads out of the folder.", code="PATH_INVALID")
    return folder.joinpath(*parts)
