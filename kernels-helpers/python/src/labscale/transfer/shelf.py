"""Shards on the disk: fetched once with their digests checked, and gone when nobody needs them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from dataclasses import dataclass, field
from typing import Any

from labscale.failure import FULL, AttemptFailure
from labscale.s3.errors import CredentialsRefused, ObjectChanged, ObjectMissing, StoreRefused
from labscale.s3.parallel import in_parallel
from labscale.s3.store import ObjectStore
from labscale.transfer.folder import Folder, write_all

AT_ONCE = 4


class NoRoom(Exception):
    """The disk is full; there may be room when another shard has gone."""


@dataclass
class _Copy:
    """One object on the disk, for as many tasks as need it."""

    users: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    modified_ns: int | None = None


class Shelf:
    """Keeps the objects of shards in one folder, under names that say nothing.

    Parameters
    ----------
    folder, path
        The folder, and how those who run the program reach it.
    """

    def __init__(self, store: ObjectStore, folder: Folder, path: str) -> None:
        self._store = store
        self._folder = folder
        self._path = path
        self._lock = threading.Lock()
        self._copies: dict[str, _Copy] = {}

    def fetch(self, order: dict[str, Any]) -> dict[str, Any]:
        """The order with files in the place of keys.

        Raises
        ------
        AttemptFailure
            `shard-missing`, `shard-changed`.
        NoRoom
        StoreError
        """
        shard = order["shard"]
        objects = [dict(item) for item in shard["objects"]]
        try:
            # A file lies on the worker's own disk and is looked at by the worker.
            in_parallel(
                lambda item: self._fetch(item, shard["key"]),
                [item for item in objects if "file" not in item],
                AT_ONCE,
            )
        except BaseException:
            self.release(order)
            raise
        return {**order, "shard": {**shard, "objects": objects}}

    def release(self, order: dict[str, Any]) -> None:
        """One task that needed the shard of this order, as it was given to `fetch`, does no longer."""
        for item in order["shard"]["objects"]:
            if "file" in item:
                continue
            name = _name_of(item)
            with self._lock:
                copy = self._copies.get(name)
                if copy is None:
                    continue
                copy.users -= 1
                if copy.users <= 0:
                    del self._copies[name]
                    with contextlib.suppress(OSError):
                        self._folder.remove(name)

    def _fetch(self, item: dict[str, Any], shard: str) -> None:
        name = _name_of(item)
        with self._lock:
            copy = self._copies.setdefault(name, _Copy())
            copy.users += 1
        with copy.lock:
            if copy.modified_ns is None or self._modified_ns(name, item) != copy.modified_ns:
                # The first user, or one of a program that has written to its input.
                self._download(name, item, shard)
                copy.modified_ns = self._modified_ns(name, item)
        item["file"] = os.path.join(self._path, name)
        item["modifiedNs"] = str(copy.modified_ns)

    def _download(self, name: str, item: dict[str, Any], shard: str) -> None:
        path = item["path"]
        digest = hashlib.sha256()
        try:
            fd = self._folder.create_file(name, 0o444)
            try:

                def take(block: bytes) -> None:
                    digest.update(block)
                    write_all(fd, block)

                self._store.download(item["key"], item["sizeBytes"], take, item.get("bucket"))
            finally:
                os.close(fd)
        except ObjectMissing:
            raise AttemptFailure("shard-missing", f"the object {path} of the shard {shard} is gone") from None
        except ObjectChanged:
            raise AttemptFailure(
                "shard-changed", f"the object {path} of the shard {shard} has another size now"
            ) from None
        except CredentialsRefused:
            raise
        except StoreRefused as error:
            why = "may not be read" if error.status == 403 else f"cannot be read: {error}"
            raise AttemptFailure("shard-missing", f"the object {path} of the shard {shard} {why}") from None
        except OSError as error:
            with contextlib.suppress(OSError):
                self._folder.remove(name)
            if error.errno in FULL or error.errno == errno.EFBIG:
                raise NoRoom(f"the disk is full: no room for {path} of the shard {shard}") from None
            raise
        if f"sha256:{digest.hexdigest()}" != item["digest"]:
            raise AttemptFailure(
                "shard-changed",
                f"the object {path} of the shard {shard} is no longer what was registered; "
                "update the dataset and plan anew",
            )

    def _modified_ns(self, name: str, item: dict[str, Any]) -> int | None:
        """None where it is not the file that was fetched."""
        try:
            found = os.stat(name, dir_fd=self._folder.fd, follow_symlinks=False)
        except OSError:
            return None
        return found.st_mtime_ns if found.st_size == item["sizeBytes"] else None


def _name_of(item: dict[str, Any]) -> str:
    # Keys may be longer than a file system takes, and one object may be expected with two digests.
    text = "\n".join((item.get("bucket") or "", item["key"], item["digest"], str(item["sizeBytes"])))
    return hashlib.sha256(text.encode()).hexdigest()[:40]
