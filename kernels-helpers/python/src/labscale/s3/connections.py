"""Connections to a store that are kept open between requests, shared by threads."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from typing import Any

from labscale.s3.place import StorePlace

CONNECT_SECONDS = 10.0
SILENCE_SECONDS = 60.0
IDLE_SECONDS = 20.0
KEPT = 8


class Connections:
    """Hands each connection to one thread at a time, to the same host and port only."""

    def __init__(self, place: StorePlace) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._idle: dict[tuple[str, int], list[tuple[float, http.client.HTTPConnection]]] = {}
        self._tls = None

    def take(self, bucket: str) -> tuple[http.client.HTTPConnection, bool]:
        """A connection and whether it was used before: the store may have closed it since."""
        address = self._place.address(bucket)
        with self._lock:
            kept = self._idle.get(address, [])
            while kept:
                since, connection = kept.pop()
                if time.monotonic() - since < IDLE_SECONDS:
                    return connection, True
                connection.close()
        return self._connect(address), False

    def give_back(self, bucket: str, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            kept = self._idle.setdefault(self._place.address(bucket), [])
            if len(kept) < KEPT:
                kept.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        with self._lock:
            for kept in self._idle.values():
                for _, connection in kept:
                    connection.close()
            self._idle.clear()

    def _connect(self, address: tuple[str, int]) -> http.client.HTTPConnection:
        host, port = address
        connection: http.client.HTTPConnection
        if self._place.secure:
            connection = http.client.HTTPSConnection(
                host, port, timeout=CONNECT_SECONDS, context=self._context()
            )
        else:
            connection = http.client.HTTPConnection(host, port, timeout=CONNECT_SECONDS)
        connection.response_class = _WholeResponse
        connection.connect()
        assert isinstance(connection.sock, socket.socket)
        connection.sock.settimeout(SILENCE_SECONDS)
        return connection

    def _context(self):
        with self._lock:
            if self._tls is None:
                import ssl

                self._tls = ssl.create_default_context(cafile=self._place.ca_file)
                self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
            return self._tls


class _WholeResponse(http.client.HTTPResponse):
    """Refuses headers that were cut off, which the standard library takes for all that there are."""

    def begin(self) -> None:
        lines = _Lines(self.fp)
        self.fp = lines  # type: ignore[assignment]
        super().begin()
        if self.fp is lines:
            self.fp = lines.source
        if lines.last == b"":
            raise http.client.RemoteDisconnected("its answer was cut off")


class _Lines:
    def __init__(self, source: Any) -> None:
        self.source = source
        self.last: bytes | None = None

    def readline(self, limit: int) -> bytes:
        self.last = self.source.readline(limit)
        return self.last

    def __getattr__(self, name: str) -> Any:
        return getattr(self.source, name)
