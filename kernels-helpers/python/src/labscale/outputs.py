"""What a program left in its output folder: checked against the contract, digested, listed."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import stat
from collections.abc import Iterator

from labscale.failure import AttemptFailure

mimetypes.add_type("application/x-ipynb+json", ".ipynb")
mimetypes.add_type("application/vnd.apache.parquet", ".parquet")

PATH_BYTES = 1024
_BLOCK_BYTES = 1024 * 1024


def collect_outputs(folder: str, expected: list[dict], command: bool) -> list[dict]:
    """List and digest the files below `folder`, in the order of their paths; the rest as `list_outputs`."""
    return [
        {
            "path": path,
            "sizeBytes": size,
            "digest": file_digest(os.path.join(folder, path)),
            "mediaType": media_type(path),
        }
        for path, size in list_outputs(folder, expected, command).items()
    ]


def list_outputs(folder: str, expected: list[dict], command: bool) -> dict[str, int]:
    """Sizes of the files below `folder` by their paths, in order.

    Parameters
    ----------
    folder
        The output folder of the attempt.
    expected
        `outputs` of the contract: `{"path", "required"}`, `*` standing for any part of one name.
    command
        Whether the program was a command or a container, which must write something.

    Raises
    ------
    AttemptFailure
        `output-unusable`, `output-missing` or `output-empty`.
    """
    files = dict(sorted(_walk_output(folder)))
    check_expected(files, expected)
    if command and not files:
        raise AttemptFailure("output-missing", "the program wrote nothing to its output folder")
    return files


def media_type(path: str) -> str:
    return mimetypes.guess_type(path)[0] or "application/octet-stream"


def file_digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def _walk_output(folder: str) -> list[tuple[str, int]]:
    try:
        if not stat.S_ISDIR(os.lstat(folder).st_mode):
            raise AttemptFailure(
                "output-unusable", "the program put something else in the place of its output folder"
            )
        return list(_walk(folder, ""))
    except FileNotFoundError:
        # The program removed the folder.
        return []
    except PermissionError as error:
        raise AttemptFailure("output-unusable", f"a folder of the output may not be read: {error}") from None


def _walk(folder: str, below: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            path = below + entry.name
            _check_name(path)
            mode = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(mode.st_mode):
                yield from _walk(entry.path, path + "/")
            elif stat.S_ISREG(mode.st_mode):
                yield path, mode.st_size
            else:
                kind = "a symbolic link" if stat.S_ISLNK(mode.st_mode) else "not a regular file"
                raise AttemptFailure(
                    "output-unusable", f"the output {path} is {kind}; only files and folders are kept"
                )


def _check_name(path: str) -> None:
    try:
        size = len(path.encode("utf-8"))
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise AttemptFailure("output-unusable", f"the name of the output {shown} is not UTF-8") from None
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        raise AttemptFailure("output-unusable", f"the name of the output {path!r} has control characters")
    if size > PATH_BYTES:
        raise AttemptFailure(
            "output-unusable", f"the name of the output {path[:80]}... is longer than {PATH_BYTES} bytes"
        )


def check_expected(files: dict[str, int], expected: list[dict]) -> None:
    """Whether files by their sizes are what the contract wants.

    Raises
    ------
    AttemptFailure
        `output-missing` or `output-empty`.
    """
    for output in expected:
        if not output.get("required", False):
            continue
        pattern = str(output["path"]).strip("/")
        # A pattern may also name a folder, which stands for all that is in it.
        wanted = re.compile("[^/]*".join(map(re.escape, pattern.split("*"))) + "(/.*)?", re.DOTALL)
        sizes = {path: size for path, size in files.items() if wanted.fullmatch(path)}
        if not sizes:
            made = ", ".join(list(files)[:5]) or "nothing"
            raise AttemptFailure(
                "output-missing", f"the expected output {pattern} is missing; the program wrote {made}"
            )
        empty = [path for path, size in sizes.items() if size == 0]
        if empty:
            raise AttemptFailure("output-empty", f"the expected output {empty[0]} is empty")
