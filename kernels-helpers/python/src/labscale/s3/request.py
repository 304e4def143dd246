"""One signed request over a kept connection, and what can break on the way."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
from collections.abc import Callable
from dataclasses import dataclass, field

from labscale.s3.answer import Answer
from labscale.s3.connections import Connections
from labscale.s3.credentials import Credentials
from labscale.s3.errors import StoreMisconfigured, StoreRefused
from labscale.s3.place import StorePlace, encoded_query
from labscale.s3.signature import EMPTY_SHA256, signed_headers

ANSWER_BYTES = 64 * 1024 * 1024
_PIECE_BYTES = 1024 * 1024


class Broken(Exception):
    """The connection or the answer was cut off, or the error passes: the same may work a moment later."""


class Stale(Broken):
    """A connection that had lain idle was closed by the store: the same works on another one at once."""


@dataclass(frozen=True)
class Request:
    """What is asked; `limit` bounds the body of the answer that is kept in memory."""

    method: str
    bucket: str
    key: str
    body: bytes | memoryview = b""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    limit: int = ANSWER_BYTES


def exchange(
    request: Request,
    place: StorePlace,
    credentials: Credentials,
    connections: Connections,
    take: Callable[[http.client.HTTPResponse], None] | None = None,
) -> Answer:
    """Send a request and read its answer.

    Parameters
    ----------
    take
        Is given the response of a success, instead of its body being read into memory.

    Raises
    ------
    Broken
    StoreMisconfigured
        Where the certificate of the store is not trusted.
    StoreRefused
        Where the body is larger than the limit.
    """
    path = place.path(request.bucket, request.key)
    digest = hashlib.sha256(request.body).hexdigest() if request.body else EMPTY_SHA256
    headers = {"host": place.authority(request.bucket), **request.headers}
    if request.method in ("PUT", "POST"):
        headers["content-length"] = str(len(request.body))
    headers = signed_headers(request.method, path, request.query, headers, digest, credentials, place.region)
    target = f"{path}?{encoded_query(request.query)}" if request.query else path
    whole = False
    connection = None
    try:
        connection, used = connections.take(request.bucket)
        try:
            response = _send(connection, request, target, headers)
        except ConnectionError as error:
            raise (Stale if used else Broken)(_why(error)) from None
        content = b""
        if response.status < 300 and take is not None:
            take(response)
        elif request.method != "HEAD":
            content = read_small(response, request.limit, request.key)
        response.close()
        whole = not response.will_close and not response.length
        return Answer(
            response.status, {name.lower(): value for name, value in response.getheaders()}, content
        )
    except (OSError, http.client.HTTPException) as error:
        if type(error).__name__ == "SSLCertVerificationError":
            raise StoreMisconfigured(
                f"the certificate of the store {place.host} is not trusted ({error.args[-1]}); "
                "LABSCALE_S3_CA_FILE must name the file with the certificate of its authority"
            ) from None
        raise Broken(_why(error)) from None
    finally:
        if connection is not None:
            if whole:
                connections.give_back(request.bucket, connection)
            else:
                connection.close()


def read_block(response: http.client.HTTPResponse, size: int) -> bytes:
    """At most `size` bytes, which must come."""
    block = response.read(size)
    if not block:
        raise Broken("its answer was cut off")
    return block


def read_small(response: http.client.HTTPResponse, limit: int, what: str) -> bytes:
    parts: list[bytes] = []
    size = 0
    while block := response.read(_PIECE_BYTES):
        parts.append(block)
        size += len(block)
        if size > limit:
            raise StoreRefused(f"{what}: it is larger than {limit} bytes", response.status, "TooLarge")
    if response.length:
        raise Broken("its answer was cut off")
    return b"".join(parts)


def _send(
    connection: http.client.HTTPConnection, request: Request, target: str, headers: dict[str, str]
) -> http.client.HTTPResponse:
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name, value)
    # A store that refuses a large body closes its end before all of it is sent: its answer says why.
    early = (
        contextlib.suppress(BrokenPipeError) if len(request.body) > _PIECE_BYTES else contextlib.nullcontext()
    )
    with early:
        connection.endheaders(request.body or None)
    return connection.getresponse()


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ConnectionRefusedError):
        return "the connection is refused"
    return str(error) or type(error).__name__
