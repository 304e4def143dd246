"""What a pod tells of its tasks while it works: one object, written anew at most once a second."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from labscale.claim import now
from labscale.s3.store import ObjectStore

EVERY_SECONDS = 1.0
BYTES_PER_SECOND = 1024 * 1024


class Journal:
    """Entries by task; every method may be called by any thread.

    Parameters
    ----------
    heading
        `runId`, `wave`, `pack` and `pod`.
    """

    def __init__(self, store: ObjectStore, key: str, heading: dict[str, Any]) -> None:
        self._store = store
        self._key = key
        self._heading = heading
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._tasks: dict[int, dict[str, Any]] = {}
        self._encoded: dict[int, bytes] = {}
        self._changed = True
        self._closed = False
        self._next = 0.0

    def started(self, index: int, attempt: int, ordered: int, at: str) -> None:
        entry = {"index": index, "attempt": attempt, "orderedAttempt": ordered}
        self._set(index, {**entry, "state": "running", "startedAt": at, "progress": None})

    def progress(self, index: int, progress: float) -> None:
        with self._lock:
            entry = self._tasks.get(index)
        if entry is not None and "report" not in entry:
            self._set(index, {**entry, "progress": progress})

    def ended(self, report: dict[str, Any], ordered: int) -> None:
        entry = {"index": report["index"], "attempt": report["attempt"], "orderedAttempt": ordered}
        self._set(report["index"], {**entry, "report": report})

    def running(self) -> list[int]:
        with self._lock:
            return [index for index, entry in self._tasks.items() if "report" not in entry]

    def write_if_changed(self) -> None:
        if self._changed and time.monotonic() >= self._next:
            self.write()

    def write(self, detail: str | None = None, ended: bool = False) -> None:
        """Raises StoreError."""
        with self._writing:
            if self._closed:
                return
            self._closed = ended
            with self._lock:
                self._changed = False
                tasks = b",".join(self._encoded.values())
            heading = {"version": 1, **self._heading, "at": now(), "ended": ended, "detail": detail}
            body = json.dumps(heading, ensure_ascii=False).encode("utf-8", "replace")[:-1]
            body += b',"tasks":[' + tasks + b"]}"
            self._store.put(self._key, body, "application/json")
            # A journal of many tasks with many outputs is large, and is not to fill the line.
            self._next = time.monotonic() + max(EVERY_SECONDS, len(body) / BYTES_PER_SECOND)

    def _set(self, index: int, entry: dict[str, Any]) -> None:
        encoded = json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace")
        with self._lock:
            self._tasks[index] = entry
            self._encoded[index] = encoded
            self._changed = True
