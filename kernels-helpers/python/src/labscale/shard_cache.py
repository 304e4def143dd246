"""Shards whose files are not on this disk: fetched once for all kernels of the user, kept by digest."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labscale.errors import LabscaleError
from labscale.fetching import fetch_object, is_whole, place_below

USUAL_BYTES = 10 * 1024**3
# The time of a file that was found whole: whoever writes to it gives it another.
WHOLE_NS = 946_684_800_000_000_000

_in_use: dict[str, int] = {}


def cached_shard(version_id: str, shard: dict[str, Any]) -> Path:
    """A folder with the files of a shard, as they were registered; they stay while this process lives.

    Parameters
    ----------
    shard
        As the contract's `Shard`: `key`, `digest`, `objects`.

    Raises
    ------
    LabscaleError
        `CACHE_FULL` or `CACHE` where they cannot be kept; as `labscale.client.call`.
    """
    root = cache_folder()
    name = shard["digest"].removeprefix("sha256:")
    if not name.isalnum():
        raise LabscaleError(f"{name!r} is no digest.", code="PATH_INVALID")
    try:
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _use(root, name)
        with _locked(root / f"{name}.fetch"):
            _fetch(root, name, version_id, shard)
    except OSError as error:
        raise LabscaleError(
            f"The shard {shard['key']} cannot be kept in {root}: {error.strerror}.",
            "Free some room there, or let XDG_CACHE_HOME name another folder.",
            code="CACHE",
        ) from None
    return root / name


def cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labscale" / "shards"


def _fetch(root: Path, name: str, version_id: str, shard: dict[str, Any]) -> None:
    missing = [
        item for item in shard["objects"] if not _is_there(place_below(root / name, item["path"]), item)
    ]
    if not missing:
        return
    _make_room(root, name, sum(item["sizeBytes"] for item in missing))
    for item in missing:
        target = place_below(root / name, item["path"])
        fetch_object(version_id, shard["key"], item, target)
        _mark_whole(target)


def _is_there(path: Path, item: dict[str, Any]) -> bool:
    try:
        status = path.stat()
    except OSError:
        return False
    if status.st_size == item["sizeBytes"] and status.st_mtime_ns == WHOLE_NS:
        return True
    if not is_whole(path, item):
        return False
    _mark_whole(path)
    return True


def _mark_whole(path: Path) -> None:
    # A notebook gets the path: what it writes there by mistake would be every other notebook's shard.
    path.chmod(0o400)
    os.utime(path, ns=(WHOLE_NS, WHOLE_NS))


def _use(root: Path, name: str) -> None:
    """Keep a shard from being removed while this process lives, and remember when it was used."""
    path = root / f"{name}.lock"
    while name not in _in_use:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        if _is_same(descriptor, path):
            _in_use[name] = descriptor
        else:
            # Removed by another process between the two steps.
            os.close(descriptor)
    os.utime(path)


def _make_room(root: Path, wanted: str, needed: int) -> None:
    """Remove shards that no living process uses, the longest unused first, until the limit holds."""
    left = _limit() - needed
    shards = []
    for lock in root.glob("*.lock"):
        size = _size_of(root / lock.stem)
        left -= size
        if lock.stem != wanted:
            shards.append((_used_at(lock), size, lock))
    for _, size, lock in sorted(shards, key=lambda shard: shard[0]):
        if left >= 0:
            return
        if _remove(root, lock):
            left += size


def _remove(root: Path, lock: Path) -> bool:
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not _is_same(descriptor, lock):
            return False
        shutil.rmtree(root / lock.stem, ignore_errors=True)
        (root / f"{lock.stem}.fetch").unlink(missing_ok=True)
        lock.unlink()
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)


def _limit() -> int:
    text = os.environ.get("LABSCALE_CACHE_BYTES") or str(USUAL_BYTES)
    if not (text.isascii() and text.isdigit()):
        raise LabscaleError(
            f"LABSCALE_CACHE_BYTES is {text!r}.",
            "Set it to a whole number of bytes.",
            field="LABSCALE_CACHE_BYTES",
        )
    return int(text)


def _size_of(folder: Path) -> int:
    return sum(_size(path) for path in folder.rglob("*"))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:
        return 0


def _used_at(lock: Path) -> float:
    try:
        return lock.stat().st_mtime
    except OSError:
        return 0.0


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.fstat(descriptor).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process at a time: others would bring the same shard once more."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
