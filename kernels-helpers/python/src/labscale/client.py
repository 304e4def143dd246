"""The one file that speaks HTTP: calls an operation of the contract by its name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from labscale.connection import START, find_connection
from labscale.errors import LabscaleError, RefusedError, ServerAwayError

if TYPE_CHECKING:
    from http.client import HTTPConnection

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 60.0
BLOCK_BYTES = 1024 * 1024


@cache
def operations() -> dict[str, dict[str, Any]]:
    """Method and path of every operation, from the contract."""
    return json.loads(files("labscale").joinpath("operations.json").read_text(encoding="utf-8"))


def call(
    operation: str,
    *,
    params: Mapping[str, object] | None = None,
    query: Mapping[str, object] | None = None,
    body: object = None,
    key: str | None = None,
    answer_seconds: float = ANSWER_SECONDS,
) -> Any:
    """Do an operation and give its answer; None where it answers with nothing.

    Parameters
    ----------
    operation
        Its name in the contract, as `listDatasets`.
    params, query
        Values of the path and of the query; those of the query that are None are left out.
    body
        JSON; NaN and infinity are refused.
    key
        Idempotency key; operations that take one get a new one where it is left out.

    Raises
    ------
    ServerAwayError
        Where nobody answers; after at most half a second where nobody listens.
    RefusedError
        With the problem that the server answered with.
    """
    with _answer(operation, params, query, body, key, answer_seconds) as read:
        data = read(None)
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError:
        raise LabscaleError(
            f"The server answered {operation} with something that is not JSON.",
            "Is LABSCALE_URL that of labscale?",
        ) from None


def download(
    operation: str, target: IO[bytes], *, params: Mapping[str, object], query: Mapping[str, object]
) -> None:
    """Write the bytes that an operation answers with to a file. Raises as `call`."""
    with _answer(operation, params, query, None, None, ANSWER_SECONDS) as read:
        while block := read(BLOCK_BYTES):
            target.write(block)


def pages(
    operation: str,
    *,
    params: Mapping[str, object] | None = None,
    query: Mapping[str, object] | None = None,
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Items of a list, page after page; all of them where `limit` is None."""
    given = 0
    cursor: str | None = None
    while limit is None or given < limit:
        size = 1000 if limit is None else min(1000, limit - given)
        page = call(operation, params=params, query={**(query or {}), "limit": size, "cursor": cursor})
        yield from page["items"]
        given += len(page["items"])
        cursor = page["nextCursor"]
        if cursor is None:
            return


@contextmanager
def _answer(
    operation: str,
    params: Mapping[str, object] | None,
    query: Mapping[str, object] | None,
    body: object,
    key: str | None,
    answer_seconds: float,
) -> Iterator[Callable[[int | None], bytes]]:
    from http.client import HTTPException

    entry = operations()[operation]
    connection = find_connection()
    path = entry["path"].format(
        **{name: quote(str(value), safe="") for name, value in (params or {}).items()}
    )
    pairs = {name: value for name, value in (query or {}).items() if value is not None}
    address = urlsplit(connection.url)
    target = address.path + path + (f"?{urlencode(pairs)}" if pairs else "")
    headers = {"Authorization": f"Bearer {connection.token}", "Accept": "application/json"}
    data = None
    if body is not None:
        try:
            data = json.dumps(body, allow_nan=False, ensure_ascii=False).encode("utf-8")
        except ValueError:
            raise LabscaleError(
                "A value is NaN or infinite, or has text that is not Unicode.",
                "Use finite numbers.",
                code="BODY_INVALID",
            ) from None
        headers["Content-Type"] = "application/json"
    if entry.get("idempotent"):
        headers["Idempotency-Key"] = key or str(uuid.uuid4())
    http = _open(address.scheme, address.hostname or "", address.port)

    def guarded(step: Callable[[], Any]) -> Any:
        # Only around the connection's own calls: what the caller does with the bytes has errors of its own.
        try:
            return step()
        except TimeoutError:
            raise ServerAwayError(
                f"The labscale server at {connection.url} does not answer.", START
            ) from None
        except (OSError, HTTPException) as error:
            raise ServerAwayError(
                f"The labscale server at {connection.url} is away ({error}).", START
            ) from None

    try:
        guarded(http.connect)
        http.sock.settimeout(answer_seconds)
        guarded(lambda: http.request(entry["method"], target, body=data, headers=headers))
        response = guarded(http.getresponse)
        if response.status >= 300:
            raise _refusal(response.status, guarded(lambda: response.read(BLOCK_BYTES)))
        yield lambda size: guarded(lambda: response.read(size))
    finally:
        http.close()


def _open(scheme: str, host: str, port: int | None) -> HTTPConnection:
    from http.client import HTTPConnection, HTTPSConnection

    return (HTTPSConnection if scheme == "https" else HTTPConnection)(host, port, timeout=CONNECT_SECONDS)


def _refusal(status: int, data: bytes) -> LabscaleError:
    try:
        problem = json.loads(data)
        assert isinstance(problem, dict)
    except (ValueError, AssertionError):
        problem = {}
    if "code" not in problem:
        return LabscaleError(
            f"Something answered with HTTP status {status} that is not labscale.", "Is LABSCALE_URL right?"
        )
    return RefusedError({"status": status, **problem})
