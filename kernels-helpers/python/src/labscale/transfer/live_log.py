"""The growing log of a running attempt, put into the store now and then."""

from __future__ import annotations

import os
import threading
import time

from labscale.s3.errors import StoreError
from labscale.s3.store import ObjectStore
from labscale.transfer.folder import Folder
from labscale.transfer.publication import put_log

EVERY_SECONDS = 2.0
BYTES_PER_SECOND = 1024 * 1024


class LiveLog:
    """Of one attempt; the log is put again as a whole, so a large one less often."""

    def __init__(self, store: ObjectStore, key: str, attempts: Folder, names: tuple[str, str]) -> None:
        self._store = store
        self._key = key
        self._attempts = attempts
        self._names = names
        self._lock = threading.Lock()
        self._ended = False
        self._size = 0
        self._next = time.monotonic() + EVERY_SECONDS

    def look(self) -> None:
        """Put it where it is time and it has grown; what fails is for the end of the attempt to say."""
        if time.monotonic() < self._next:
            return
        with self._lock:
            if self._ended:
                return
            try:
                with self._attempts.folder(*self._names) as folder:
                    fd, size = folder.open_file("log")
                    os.close(fd)
                    if size > self._size:
                        self._size = put_log(self._store, self._key, folder)
            except (OSError, StoreError):
                pass
            self._next = time.monotonic() + max(EVERY_SECONDS, self._size / BYTES_PER_SECOND)

    def end(self) -> None:
        """After this nothing is put any more: what the attempt publishes stays."""
        with self._lock:
            self._ended = True
