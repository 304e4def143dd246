"""The credentials of the store, in a file that somebody else keeps fresh."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone

from labscale.s3.errors import StoreMisconfigured

LOOK_SECONDS = 5.0
NEAR_SECONDS = 120.0


@dataclass(frozen=True)
class Credentials:
    access_key: str
    secret_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None
    """Seconds since 1970."""


class CredentialsFile:
    """`{"accessKey","secretKey","sessionToken","expiresAt"}`, read again when the file changes.

    Raises
    ------
    StoreMisconfigured
        From the constructor: where the file cannot be used. Later the last good ones stay.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen: tuple[int, int, int] | None = None
        self._looked_at = 0.0
        self._current = self._read()

    def current(self) -> Credentials:
        now = time.monotonic()
        expires = self._current.expires_at
        near = expires is not None and expires - time.time() < NEAR_SECONDS
        if now - self._looked_at > (0.5 if near else LOOK_SECONDS):
            self.look()
        return self._current

    def look(self) -> bool:
        """Read the file where it has changed; whether it has."""
        with self._lock:
            self._looked_at = time.monotonic()
            try:
                if self._stamp() == self._seen:
                    return False
                before, self._current = self._current, self._read()
            except (StoreMisconfigured, OSError):
                # Between two contents of the file; the next look finds the new one.
                return False
            return self._current != before

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return (found.st_ino, found.st_mtime_ns, found.st_size)

    def _read(self) -> Credentials:
        try:
            stamp = self._stamp()
            with open(self._path, encoding="utf-8") as file:
                content = json.load(file)
            found = _credentials_of(content)
        except (OSError, ValueError, KeyError, TypeError) as error:
            # The error of a parser may quote the file.
            why = error.strerror if isinstance(error, OSError) else "its content is not what it should be"
            raise StoreMisconfigured(f"the credentials file {self._path} cannot be used: {why}") from None
        self._seen = stamp
        return found


def _credentials_of(content: Mapping[str, str | None]) -> Credentials:
    access_key, secret_key = content["accessKey"], content["secretKey"]
    if not (isinstance(access_key, str) and isinstance(secret_key, str) and access_key and secret_key):
        raise ValueError
    expires = content.get("expiresAt")
    expires_at = None
    if expires:
        # Python 3.10 reads no Z.
        moment = datetime.fromisoformat(expires.replace("Z", "+00:00"))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        expires_at = moment.timestamp()
    return Credentials(access_key, secret_key, content.get("sessionToken") or None, expires_at)
