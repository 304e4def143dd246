"""What a program is given: the files of its shard and of its analysis, as links."""

from __future__ import annotations

import os
from typing import Any

from labscale.failure import AttemptFailure
from labscale.outputs import file_digest


def link_shard(shard: dict[str, Any], objects: str, folder: str) -> None:
    """Link the objects of a shard below `folder`, after a look whether each still is what the manifest says.

    Raises
    ------
    AttemptFailure
        `shard-changed` or `shard-missing`.
    """
    for item in shard["objects"]:
        _link(_data_file(item, shard["key"], objects), _below(folder, item["path"]))


def link_files(files: list[dict[str, str]], objects: str, folder: str) -> None:
    """Link the files that came along with the analysis."""
    for item in files:
        _link(os.path.join(objects, item["key"]), _below(folder, item["path"]))


def _data_file(item: dict[str, Any], key: str, objects: str) -> str:
    path = item["path"]
    if "file" not in item:
        file = _below(objects, item["key"])
        try:
            if os.stat(file).st_size != item["sizeBytes"]:
                raise AttemptFailure(
                    "shard-changed", f"the object {path} of the shard {key} has another size now"
                )
        except (FileNotFoundError, NotADirectoryError):
            raise AttemptFailure("shard-missing", f"the object {path} of the shard {key} is gone") from None
        return file
    file = item["file"]
    try:
        now = os.stat(file)
        same = now.st_size == item["sizeBytes"]
        if same and str(now.st_mtime_ns) != str(item.get("modifiedNs")):
            same = file_digest(file) == item["digest"]
    except (FileNotFoundError, NotADirectoryError):
        raise AttemptFailure("shard-missing", f"the file {path} of the shard {key} is gone") from None
    except PermissionError:
        raise AttemptFailure("shard-missing", f"the file {path} of the shard {key} may not be read") from None
    if not same:
        raise AttemptFailure(
            "shard-changed",
            f"the file {path} of the shard {key} is no longer what was registered; "
            "update the dataset and plan anew",
        )
    return file


def _below(folder: str, path: str) -> str:
    """`path` joined to `folder`, which it must not leave."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise AttemptFailure("shard-missing", f"the path {path!r} of an object cannot be used")
    return os.path.join(folder, *parts)


def _link(source: str, target: str) -> None:
    try:
        os.symlink(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(source, target)
