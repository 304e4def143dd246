"""Who may pass to the labscale server, what passes, and what does not."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from conftest import JUPYTER_TOKEN, OPENAPI, Jupyter, until

OPERATIONS = [
    (method.upper(), path)
    for path, methods in OPENAPI["paths"].items()
    for method in methods
    if method != "parameters"
]


def test_every_operation_needs_jupyters_login(start: Callable[..., Jupyter]) -> None:
    jupyter = start()
    assert len(OPERATIONS) > 50
    for method, path in OPERATIONS:
        url = jupyter.url + "/labscale" + path.replace("{", "").replace("}", "")
        answer = requests.request(method, url, json={} if method != "GET" else None, timeout=10)
        assert answer.status_code == 403, (method, path)
    # Nobody who is not signed in gets so far as to have a server started.
    assert not (jupyter.project / ".labscale").exists()


def test_a_cookie_without_the_xsrf_token_changes_nothing(start: Callable[..., Jupyter]) -> None:
    jupyter = start()
    session = jupyter.session()
    assert session.post(f"{jupyter.api}/plans", json={}, timeout=60).json()["code"] == "BODY_INVALID"
    for headers in ({"X-XSRFToken": None}, {"X-XSRFToken": "guessed"}):
        answer = session.post(f"{jupyter.api}/plans", json={}, headers=headers, timeout=60)
        assert answer.status_code == 403
        assert "code" not in answer.json()


def test_a_refusal_leaves_the_connection_usable(start: Callable[..., Jupyter]) -> None:
    jupyter = start()
    connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=60)
    connection.connect()
    # One that the server has closed shall fail and not be opened again.
    connection.auto_open = 0
    try:
        for path in ("plans", "plans/.."):
            for _ in range(2):
                connection.request("POST", f"/labscale/api/v1/{path}", body=b"{}")
                answer = connection.getresponse()
                assert answer.status in (403, 404)
                answer.read()
    finally:
        connection.close()
    assert not (jupyter.project / ".labscale").exists()


def test_jupyters_authorizer_is_asked(start: Callable[..., Jupyter]) -> None:
    folder = str(Path(__file__).parent)
    jupyter = start({"PYTHONPATH": folder}, "--ServerApp.authorizer_class=reading_only.ReadingOnly")
    session = jupyter.session()
    assert session.get(f"{jupyter.api}/server", timeout=60).ok
    answer = session.post(f"{jupyter.api}/plans", json={}, timeout=60)
    assert answer.status_code == 403
    assert "not authorized to write on resource: labscale" in answer.json()["message"]


def test_the_token_is_in_no_answer(start: Callable[..., Jupyter]) -> None:
    jupyter = start()
    session = jupyter.session()
    assert session.get(f"{jupyter.api}/server", timeout=60).ok
    token = jupyter.connection()["token"]
    seen = ""
    for method, path in OPERATIONS:
        if path.endswith("/events"):
            continue
        url = jupyter.url + "/labscale" + path.replace("{", "").replace("}", "")
        answer = session.request(method, url, json={} if method != "GET" else None, timeout=60)
        seen += f"{answer.headers} {answer.text}"
    assert "urn:labscale:problem" in seen
    assert token not in seen
    assert token not in jupyter.log.read_text()
    assert JUPYTER_TOKEN not in (jupyter.project / ".labscale" / "server.log").read_text()


def test_events_arrive_while_the_stream_is_open(start: Callable[..., Jupyter]) -> None:
    jupyter = start()
    session = jupyter.session()
    with session.get(f"{jupyter.api}/events", stream=True, timeout=60) as stream:
        assert stream.headers["Content-Type"].startswith("text/event-stream")
        assert "Content-Encoding" not in stream.headers
        lines = stream.iter_lines(chunk_size=1, decode_unicode=True)
        assert next(lines).startswith("id: ")
        body = {"name": "items", "source": {"kind": "folder", "path": "data", "layout": "file-per-shard"}}
        made = session.post(f"{jupyter.api}/datasets", json=body, timeout=60)
        assert made.status_code == 201, made.text
        assert next(line for line in lines if line.startswith("event: ")) in (
            "event: changed",
            "event: indexing",
        )
    pid = jupyter.connection()["pid"]
    port = int(jupyter.connection()["url"].rsplit(":", 1)[1])
    # A stream that the browser has left is closed towards the server too: else each reload would leave one behind.
    until(lambda: open_connections(pid, port) == 0)
    jupyter.stop()
    assert "Traceback" not in jupyter.log.read_text()


def open_connections(pid: int, port: int) -> int:
    """Count the connections to a port that a process holds open."""
    with open(f"/proc/{pid}/net/tcp") as table:
        rows = [line.split() for line in table.readlines()[1:]]
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01")


@pytest.mark.parametrize(
    "path",
    [
        "../metrics",
        "x/../../metrics",
        "%2e%2e/metrics",
        "..%2fmetrics",
        "a//b",
        "a/./b",
        "..%5cmetrics",
        "server%00",
        "server%0d%0aX:%20y",
    ],
)
def test_no_path_leads_out_of_the_api(start: Callable[..., Jupyter], path: str) -> None:
    jupyter = start()
    connection = http.client.HTTPConnection("127.0.0.1", jupyter.port, timeout=30)
    connection.putrequest("GET", f"/labscale/api/v1/{path}", skip_accept_encoding=True)
    connection.putheader("Authorization", f"token {JUPYTER_TOKEN}")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 404
    # Refused here, and not by the server behind.
    assert b"urn:labscale" not in answer.read()
    connection.close()


def test_node_that_is_missing_is_told_in_plain_words(start: Callable[..., Jupyter]) -> None:
    jupyter = start({"LABSCALE_NODE": "/nonexistent/node"})
    answer = jupyter.session().get(f"{jupyter.api}/server", timeout=60)
    assert answer.status_code == 503
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["code"] == "SERVER_UNAVAILABLE"
    assert "/nonexistent/node" in problem["detail"]
    assert "LABSCALE_NODE" in problem["mend"]


class Upstream:
    """An HTTP server in the place of labscale's, to see what reaches it and to answer what labscale never would."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                upstream.requests.append((self.path, dict(self.headers), body))
                name = self.path.rsplit("/", 1)[1].split("?")[0]
                if name == "killed" and len(upstream.requests) == 1:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if name == "cut":
                    self.send_response(200)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", "100")
                    self.end_headers()
                    self.wfile.write(b'{"half":')
                    self.wfile.flush()
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                content = b"<script>alert(1)</script>" * 100
                ranged = self.headers.get("Range") == "bytes=0-7"
                self.send_response(206 if ranged else 200)
                self.send_header("Content-Type", "text/html")
                self.send_header("Set-Cookie", "upstream=1")
                self.send_header("X-Secret", self.headers.get("Authorization", ""))
                self.send_header("ETag", '"e"')
                if ranged:
                    self.send_header("Content-Range", f"bytes 0-7/{len(content)}")
                    content = content[:8]
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.server.shutdown()
    server.server.server_close()


@pytest.fixture
def fronted(start: Callable[..., Jupyter], upstream: Upstream) -> Jupyter:
    """Jupyter in front of a server that others run."""
    return start({"LABSCALE_URL": upstream.url, "LABSCALE_TOKEN": "token-of-labscale"})


def test_only_what_may_pass_passes(fronted: Jupyter, upstream: Upstream) -> None:
    session = fronted.session()
    headers = {
        "Range": "bytes=0-7",
        "Idempotency-Key": "k",
        "Last-Event-ID": "7",
        "If-None-Match": '"x"',
        "X-Other": "o",
    }
    answer = session.get(
        f"{fronted.api}/object?shard=a%2Fb&token={JUPYTER_TOKEN}&_xsrf=y&path=c%26d",
        headers=headers,
        timeout=30,
    )
    path, received, _ = upstream.requests[-1]
    assert path == "/api/v1/object?shard=a%2Fb&path=c%26d"
    assert received["Authorization"] == "Bearer token-of-labscale"
    # HTTP names have no case.
    lower = {name.lower(): value for name, value in received.items()}
    for name in ("Range", "Idempotency-Key", "Last-Event-ID", "If-None-Match"):
        assert lower[name.lower()] == headers[name]
    assert not {"cookie", "x-xsrftoken", "x-other", "referer", "origin"} & set(lower)

    assert answer.status_code == 206
    assert answer.content == b"<script>"
    assert answer.headers["Content-Range"].startswith("bytes 0-7/")
    assert answer.headers["ETag"] == '"e"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Disposition"] == "attachment"
    assert "Content-Encoding" not in answer.headers
    assert "X-Secret" not in answer.headers
    assert "upstream" not in answer.headers.get("Set-Cookie", "")


def test_a_body_passes_as_it_is(fronted: Jupyter, upstream: Upstream) -> None:
    body = json.dumps({"text": "ü" * 3_000_000}).encode()
    answer = fronted.session().post(
        f"{fronted.api}/thing", data=body, headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.ok
    assert upstream.requests[-1][2] == body


def test_a_request_without_a_body_has_no_type(fronted: Jupyter, upstream: Upstream) -> None:
    answer = fronted.session().post(
        f"{fronted.api}/thing", headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.ok
    assert "content-type" not in {name.lower() for name in upstream.requests[-1][1]}


def test_half_an_answer_is_not_taken_for_a_whole_one(fronted: Jupyter) -> None:
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        fronted.session().get(f"{fronted.api}/cut", timeout=30)


def test_a_read_that_nobody_answers_is_asked_again(fronted: Jupyter, upstream: Upstream) -> None:
    answer = fronted.session().get(f"{fronted.api}/killed", timeout=30)
    assert answer.ok
    assert [path for path, _, _ in upstream.requests] == ["/api/v1/killed"] * 2


def test_a_write_that_nobody_answers_is_not_asked_again(fronted: Jupyter, upstream: Upstream) -> None:
    answer = fronted.session().post(f"{fronted.api}/killed", json={}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVER_UNAVAILABLE")
    assert len(upstream.requests) == 1


def test_a_server_of_others_that_is_away_is_told(fronted: Jupyter, upstream: Upstream) -> None:
    session = fronted.session()
    upstream.server.shutdown()
    upstream.server.server_close()
    answer = session.get(f"{fronted.api}/server", timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (503, "SERVER_UNAVAILABLE")
