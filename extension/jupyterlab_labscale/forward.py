"""Forwards `/labscale/api/v1/` to the labscale server: Jupyter's login and XSRF in front, the bearer token behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote, urlsplit

from jupyter_core.utils import ensure_async
from jupyter_server.auth.utils import HTTP_METHOD_TO_AUTH_ACTION
from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient
from tornado.util import TimeoutError as ConnectTimeout

from .connection import Connection
from .programs import ServerUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

_REQUEST_HEADERS = (
    "Accept",
    "Content-Type",
    "Content-Length",
    "Range",
    "If-Range",
    "If-None-Match",
    "Last-Event-ID",
    "Idempotency-Key",
)
# Only these come back: no cookie, no server's name, and no header that a later version might put a secret in.
_RESPONSE_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Content-Disposition",
    "Accept-Ranges",
    "ETag",
    "Last-Modified",
    "Cache-Control",
    "Retry-After",
    "Location",
    "Allow",
)
# Jupyter's own, which stand in a query where a header cannot be set.
_JUPYTER_QUERY_NAMES = ("token", "_xsrf")
_SHOWN_AS_THEY_ARE = (
    "application/json",
    "application/problem+json",
    "text/event-stream",
)


# Bytes.
_LARGEST_READ_OF_A_REFUSED = 65_536


class _Server(Protocol):
    async def connection(self) -> Connection: ...

    def suspect(self, connection: Connection) -> None: ...


class FixedServer:
    """A labscale server that others run."""

    def __init__(self, url: str, token: str) -> None:
        self._connection = Connection(url.rstrip("/"), token, 0)

    async def connection(self) -> Connection:
        """Give the server; whether it answers is seen when it is spoken with."""
        return self._connection

    def suspect(self, connection: Connection) -> None:
        """Do nothing: there is no other to turn to."""


@web.stream_request_body
class ForwardHandler(APIHandler):
    """One request to the labscale server; bodies pass through in both directions as they come."""

    auth_resource = "labscale"

    _upstream: _Upstream | None = None
    _problem: ServerUnavailable | None = None
    _refusal: web.HTTPError | None = None
    _browser_gone = False

    async def prepare(self) -> None:  # type: ignore[override]
        """Check who asks and what for, then open the way to the server before the body arrives."""
        try:
            target = await self._admit()
        except web.HTTPError as refusal:
            # tornado closes a connection whose body it has not read, and a close with bytes unread resets it: the answer
            # may then never be seen. A small body is let in, and goes nowhere.
            size = self.request.headers.get("Content-Length", "")
            if not size.isdecimal() or int(size) > _LARGEST_READ_OF_A_REFUSED:
                raise
            self._refusal = refusal
            return
        try:
            self._upstream = await self._open(target)
        except ServerUnavailable as problem:
            self._problem = problem

    async def _admit(self) -> str:
        """Give what is asked for of the server, as a path, where that may be asked."""
        await super().prepare()
        user = self.current_user
        # super().prepare() refuses already unless Jupyter is set to allow unauthenticated access by default.
        if user is None:
            raise web.HTTPError(403)
        # Not the decorator `authorized`: it would ask only after the whole body has come in.
        action = HTTP_METHOD_TO_AUTH_ACTION[self.request.method or "GET"]
        if not await ensure_async(self.authorizer.is_authorized(self, user, action, self.auth_resource)):
            raise web.HTTPError(
                403,
                f"User is not authorized to {action} on resource: {self.auth_resource}.",
            )
        return self._target()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a piece of the request's body on."""
        return self._upstream.send(chunk) if self._upstream else None

    async def _answer(self, path: str) -> None:
        if self._refusal is not None:
            raise self._refusal
        await self._forward(path)

    get = post = put = patch = delete = _answer  # type: ignore[assignment]

    @web.authenticated
    async def _forward(self, _path: str) -> None:
        if self._upstream is None:
            self._refuse(self._problem or ServerUnavailable("The labscale server has gone.", "Try again."))
            return
        complete = await self._upstream.finish()
        if self.request.method == "GET" and not self._browser_gone and self._is_unanswered(complete):
            # The server was killed or restarted just now, and a read may be asked twice.
            try:
                complete = await self._ask_again(self._upstream.connection)
            except ServerUnavailable as problem:
                self._refuse(problem)
                return
        if self._browser_gone:
            return
        if self._upstream.token_refused:
            # The token of a server before this one at the same port.
            self.settings["labscale_server"].suspect(self._upstream.connection)
            self._refuse(ServerUnavailable("The labscale server was restarted just now.", "Try again."))
        elif complete:
            await self.finish(set_content_type=self._headers.get("Content-Type", "application/json"))
        elif not self._headers_written:
            self._refuse(
                ServerUnavailable(
                    "The labscale server ended while it answered.",
                    "Try again in a few seconds.",
                )
            )
        else:
            # Cut off, so that half an answer is not taken for a whole one.
            self.detach().close()

    def _is_unanswered(self, complete: bool) -> bool:
        assert self._upstream is not None
        return self._upstream.token_refused or not (complete or self._headers_written)

    async def _ask_again(self, refused_by: Connection) -> bool:
        self.settings["labscale_server"].suspect(refused_by)
        self._upstream = await self._open(self._target())
        if self._browser_gone:
            self._upstream.close()
        return await self._upstream.finish()

    def on_connection_close(self) -> None:
        """Close the way to the server: an event stream that nobody reads must not stay open there."""
        super().on_connection_close()
        self._browser_gone = True
        if self._upstream is not None:
            self._upstream.close()

    def on_finish(self) -> None:
        """Close the way to the server, whatever came of the request."""
        super().on_finish()
        if self._upstream is not None:
            self._upstream.close()

    def begin_answer(self, start: ResponseStartLine, headers: HTTPHeaders) -> Awaitable[None]:
        """Send the first line and the headers of the answer, those that may be seen."""
        self.set_status(start.code, start.reason)
        self.clear_header("Content-Type")
        for name in _RESPONSE_HEADERS:
            if name in headers:
                self.set_header(name, headers[name])
        media_type = headers.get("Content-Type", "").split(";")[0].strip().lower()
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header(
            "Content-Security-Policy",
            "default-src 'none'; sandbox; frame-ancestors 'self'",
        )
        if media_type == "text/event-stream":
            # For a proxy in front (nginx) that would collect it.
            self.set_header("X-Accel-Buffering", "no")
        elif media_type not in _SHOWN_AS_THEY_ARE and start.code < 300 and start.code != 204:
            # Objects are the users' files: a page among them must not run as a page of Jupyter.
            disposition = headers.get("Content-Disposition", "")
            if not disposition.lower().startswith("attachment"):
                self.set_header("Content-Disposition", "attachment")
        if media_type not in _SHOWN_AS_THEY_ARE[:2]:
            # Jupyter's compression (a transform of tornado) collects events and breaks ranges; tornado has no other switch.
            self._transforms = []
        return self.flush()

    def _target(self) -> str:
        """Give path and query for the server, checked not to lead out of its API."""
        raw_path, _, raw_query = (self.request.uri or "").partition("?")
        _, _, rest = raw_path.partition("/labscale/api/v1/")
        for segment in rest.split("/"):
            plain = unquote(segment)
            if segment == "" or plain in (".", "..") or any(c in plain for c in "/\\\0\r\n"):
                raise web.HTTPError(404)
        kept = "&".join(
            part
            for part in raw_query.split("&")
            if part and unquote(part.split("=")[0]) not in _JUPYTER_QUERY_NAMES
        )
        return f"/api/v1/{rest}" + (f"?{kept}" if kept else "")

    async def _open(self, target: str) -> _Upstream:
        server: _Server = self.settings["labscale_server"]
        headers = HTTPHeaders(
            {name: self.request.headers[name] for name in _REQUEST_HEADERS if name in self.request.headers}
        )
        if "Transfer-Encoding" not in self.request.headers and self.request.method != "GET":
            headers.setdefault("Content-Length", "0")
            if headers["Content-Length"] == "0":
                # JupyterLab's makeRequest names a type even where there is no body, which the server then misses.
                headers.pop("Content-Type", None)
        for last in (False, True):
            connection = await server.connection()
            try:
                return await _Upstream.open(self, connection, target, headers)
            except (OSError, StreamClosedError, ConnectTimeout):
                # It may have been restarted just now: once more with what is found after a look.
                server.suspect(connection)
                if last:
                    break
        raise ServerUnavailable("The labscale server does not answer.", "Try again in a few seconds.")

    def _refuse(self, problem: ServerUnavailable) -> None:
        self.clear()
        self.set_status(503)
        self.set_header("Retry-After", "2")
        body = {
            "type": "urn:labscale:problem:SERVER_UNAVAILABLE",
            "code": "SERVER_UNAVAILABLE",
            "title": "The labscale server does not run",
            "status": 503,
            "detail": str(problem),
            "mend": problem.mend,
        }
        self.finish(json.dumps(body), set_content_type="application/problem+json")


class _Upstream:
    """One request on its way to the labscale server; its answer goes to the handler as it comes."""

    def __init__(self, handler: ForwardHandler, connection: Connection, stream: IOStream) -> None:
        self.connection = connection
        # No limit on what comes back: an object may be larger than memory, and only a piece of it is held at a time.
        parameters = HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=2**62)
        self._http = HTTP1Connection(stream, True, parameters)
        self._answer = _Answer(handler, takes_refusal=connection.pid == 0)
        self._reading: asyncio.Future[bool] | None = None

    @property
    def token_refused(self) -> bool:
        """True where a server of this machine did not know its own token."""
        return self._answer.token_refused

    @classmethod
    async def open(
        cls,
        handler: ForwardHandler,
        connection: Connection,
        target: str,
        headers: HTTPHeaders,
    ) -> _Upstream:
        """Connect and send the headers. Raises OSError or StreamClosedError where nobody listens."""
        parts = urlsplit(connection.url)
        secure = parts.scheme == "https"
        stream = await TCPClient().connect(
            parts.hostname or "",
            parts.port or (443 if secure else 80),
            ssl_options=ssl.create_default_context() if secure else None,
            timeout=10,
        )
        stream.set_nodelay(True)
        upstream = cls(handler, connection, stream)
        headers["Host"] = parts.netloc
        headers["Authorization"] = f"Bearer {connection.token}"
        headers["Connection"] = "close"
        await upstream._http.write_headers(
            RequestStartLine(
                handler.request.method or "GET",
                parts.path.rstrip("/") + target,
                "HTTP/1.1",
            ),
            headers,
        )
        # Read from now on, and not after the body: a server that refuses a body answers and closes before its end.
        upstream._reading = asyncio.ensure_future(upstream._http.read_response(upstream._answer))
        return upstream

    async def send(self, chunk: bytes) -> None:
        """Send a piece of the body."""
        try:
            await self._http.write(chunk)
        except StreamClosedError:
            # It has answered before the end of the body; the answer says why.
            pass

    async def finish(self) -> bool:
        """End the request and wait for the whole answer; False where it broke off."""
        with contextlib.suppress(StreamClosedError):
            self._http.finish()
        self._answer.may_begin.set()
        assert self._reading is not None
        # Closed by `close`, where the browser has gone, or by the server amid its answer.
        with contextlib.suppress(StreamClosedError):
            await self._reading
        return self._answer.complete

    def close(self) -> None:
        """Give up; what waits for the answer goes on at once."""
        self._answer.may_begin.set()
        self._http.close()


class _Answer(HTTPMessageDelegate):
    def __init__(self, handler: ForwardHandler, takes_refusal: bool) -> None:
        self._handler = handler
        self._takes_refusal = takes_refusal
        self.token_refused = False
        self.complete = False
        # Tornado takes no answer before it has read the whole request.
        self.may_begin = asyncio.Event()

    async def headers_received(self, start_line: Any, headers: HTTPHeaders) -> None:  # type: ignore[override]
        if start_line.code < 200:
            return
        if start_line.code == 401 and not self._takes_refusal:
            self.token_refused = True
            return
        await self.may_begin.wait()
        await self._to_browser(self._handler.begin_answer, start_line, headers)

    async def data_received(self, chunk: bytes) -> None:  # type: ignore[override]
        if self.token_refused:
            return
        self._handler.write(chunk)
        # Waited for: a slow browser slows the server down instead of filling this process.
        await self._to_browser(self._handler.flush)

    def finish(self) -> None:
        self.complete = True

    async def _to_browser(self, write: Callable[..., Awaitable[None]], *arguments: Any) -> None:
        # A browser that has gone is no fault; on_connection_close ends the rest.
        with contextlib.suppress(StreamClosedError):
            await write(*arguments)
