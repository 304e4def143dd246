"""Objects of a store by key: small ones as a whole, large ones as streams."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote_plus

from labscale.s3.answer import Answer, refusal
from labscale.s3.connections import Connections
from labscale.s3.credentials import CredentialsFile
from labscale.s3.errors import CredentialsRefused, ObjectChanged, ObjectMissing, StoreAway
from labscale.s3.patience import Patience
from labscale.s3.place import StorePlace
from labscale.s3.request import ANSWER_BYTES, Broken, Request, Stale, exchange, read_block

KEY_BYTES = 1024
BLOCK_BYTES = 1024 * 1024
ANY = "application/octet-stream"

T = TypeVar("T")


@dataclass(frozen=True)
class Head:
    """What a store says of an object."""

    size_bytes: int
    etag: str


class ObjectStore:
    """One store with its credentials; may be used by many threads.

    Every method tries again while the store is away, and raises `StoreAway` when the patience ends,
    `CredentialsRefused` or `StoreRefused` where the store says no.
    """

    def __init__(self, place: StorePlace, credentials: CredentialsFile, patience: Patience) -> None:
        self.place = place
        self.patience = patience
        self._credentials = credentials
        self._connections = Connections(place)

    def put(self, key: str, body: bytes | memoryview, content_type: str = ANY) -> None:
        self.ask("PUT", key, body=body, headers={"content-type": content_type})

    def put_if_absent(self, key: str, body: bytes) -> bool:
        """Create an object; False where the key is taken. Of many that try at once one gets True.

        `body` must be different for each who tries: an answer may be lost, and then the object itself
        says whose it is.
        """
        headers = {"if-none-match": "*", "content-type": "application/json"}
        request = Request("PUT", self.place.bucket, key, body, headers=headers)
        answer, tries = self._ask(request, accepted=(412,))
        if answer.status != 412:
            return True
        return tries > 1 and self.get(key, missing=b"") == body

    def get(
        self,
        key: str,
        limit: int = ANSWER_BYTES,
        *,
        span: tuple[int, int] | None = None,
        missing: bytes | None = None,
    ) -> bytes:
        """The bytes of a small object, or of it from `span[0]` to `span[1]`, both included.

        Raises
        ------
        ObjectMissing
            Where there is none and `missing`, which then stands for it, is left out.
        StoreRefused
            Where it is larger than `limit`.
        """
        headers = {} if span is None else {"range": f"bytes={span[0]}-{span[1]}"}
        try:
            return self.ask("GET", key, headers=headers, limit=limit).body
        except ObjectMissing:
            if missing is None:
                raise
            return missing

    def head(self, key: str) -> Head | None:
        answer, _ = self._ask(Request("HEAD", self.place.bucket, key), accepted=(404,))
        if answer.status == 404:
            return None
        return Head(int(answer.headers.get("content-length", "0")), answer.headers.get("etag", ""))

    def delete(self, key: str) -> None:
        self.ask("DELETE", key)

    def list(self, prefix: str, limit: int = 1000, after: str = "") -> list[tuple[str, int]]:
        """Keys with that prefix in the order of their bytes, with their sizes; those that follow `after`."""
        import xml.etree.ElementTree as tree

        query = {"list-type": "2", "prefix": prefix, "max-keys": str(limit), "encoding-type": "url"}
        if after:
            query["start-after"] = after
        root = tree.fromstring(self.ask("GET", "", query=query).body)
        space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
        return [
            (unquote_plus(item.findtext(f"{space}Key", "")), int(item.findtext(f"{space}Size", "0")))
            for item in root.iter(f"{space}Contents")
        ]

    def download(
        self, key: str, size_bytes: int, sink: Callable[[bytes], object], bucket: str | None = None
    ) -> None:
        """Stream an object into `sink`; a cut connection is taken up where it was cut.

        Raises
        ------
        ObjectMissing
        ObjectChanged
            Where it has another size, or is replaced while it is read.
        OSError
            That of the sink.
        """
        done = 0
        etag = ""

        def take(response: http.client.HTTPResponse) -> None:
            nonlocal done, etag
            stated = int(response.headers.get("content-length") or -1)
            if stated < 0:
                raise Broken("its answer does not say how long it is")
            if stated != size_bytes - done or (done and response.status != 206):
                raise ObjectChanged(f"{key}: it has {done + stated} bytes instead of {size_bytes}")
            etag = response.headers.get("etag", "")
            while done < size_bytes:
                block = read_block(response, min(BLOCK_BYTES, size_bytes - done))
                try:
                    sink(block)
                except OSError as error:
                    # A full disk is no broken connection.
                    raise _SinkFailed(error) from None
                done += len(block)

        def attempt() -> None:
            headers = {"range": f"bytes={done}-", "if-match": etag} if done else {}
            request = Request("GET", bucket or self.place.bucket, key, headers=headers, limit=64 * 1024)
            answer = self._exchange(request, take)
            if answer.status in (412, 416):
                raise ObjectChanged(f"{key}: it was replaced while it was read")
            _judge(answer, key, ())

        try:
            self._persist(attempt, key, lambda: done)
        except _SinkFailed as failed:
            raise failed.error from None

    def ask(
        self,
        method: str,
        key: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: bytes | memoryview = b"",
        limit: int = ANSWER_BYTES,
    ) -> Answer:
        """One request to the own bucket that must succeed."""
        return self._ask(Request(method, self.place.bucket, key, body, query or {}, headers or {}, limit))[0]

    def close(self) -> None:
        self._connections.close()

    def _ask(self, request: Request, accepted: tuple[int, ...] = ()) -> tuple[Answer, int]:
        """The answer and the number of tries that may have reached the store."""
        tries = 0

        def attempt() -> Answer:
            nonlocal tries
            tries += 1
            answer = self._exchange(request)
            _judge(answer, request.key or request.bucket, accepted)
            return answer

        return self._persist(attempt, request.key or request.bucket), tries

    def _exchange(
        self, request: Request, take: Callable[[http.client.HTTPResponse], None] | None = None
    ) -> Answer:
        return exchange(request, self.place, self._credentials.current(), self._connections, take)

    def _persist(self, attempt: Callable[[], T], what: str, progress: Callable[[], int] = lambda: 0) -> T:
        tries = self.patience.start()
        reached = progress()
        while True:
            try:
                return attempt()
            except Stale:
                continue
            except Broken as error:
                if progress() > reached:
                    # A bad line, and no store that is away.
                    tries, reached = self.patience.start(), progress()
                if not tries.may_go_on():
                    raise StoreAway(f"{what}: the object store cannot be reached ({error})") from None
            except CredentialsRefused:
                # Whoever keeps them fresh may be about to write them.
                if not self._credentials.look() and not tries.may_go_on():
                    raise


class _SinkFailed(Exception):
    def __init__(self, error: OSError) -> None:
        self.error = error


def _judge(answer: Answer, what: str, accepted: tuple[int, ...]) -> None:
    if answer.status < 300 or answer.status in accepted:
        return
    if answer.is_retried():
        raise Broken(f"it answered {answer.describe()}")
    raise refusal(answer, what)
