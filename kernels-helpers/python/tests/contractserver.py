"""Answers with the contract's linked examples, and checks what it is sent against the contract."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jsonschema

from labscale.client import operations

SCHEMA = Path(__file__).parents[3] / "schema"
EXAMPLES = json.loads((SCHEMA / "examples" / "flow.json").read_text())
DOCUMENT = json.loads((SCHEMA / "generated" / "contract.schema.json").read_text())


def page(item: Any) -> dict[str, Any]:
    return {"items": [item], "nextCursor": None, "total": 1}


def snippet_files(folder: Path) -> dict[str, Any]:
    """The files of the example, of their sizes, on this disk."""
    shards = []
    for shard in EXAMPLES["Snippet"]["shards"]:
        objects = []
        for item in shard["objects"]:
            file = folder / item["path"]
            file.touch()
            os.truncate(file, item["sizeBytes"])
            objects.append({"path": item["path"], "file": str(file)})
        shards.append({"key": shard["key"], "objects": objects})
    return {"shards": shards}


ANSWERS: dict[str, Any] = {
    "getServer": EXAMPLES["ServerInfo"],
    "listDatasets": page(EXAMPLES["Dataset"]),
    "getDataset": EXAMPLES["Dataset"],
    "createDataset": EXAMPLES["Dataset"],
    "getDatasetVersion": EXAMPLES["DatasetVersion"],
    "listSnippets": page(EXAMPLES["Snippet"]),
    "getSnippet": EXAMPLES["Snippet"],
    "createSnippet": EXAMPLES["Snippet"],
    "createAnalysis": EXAMPLES["Analysis"],
    "getAnalysis": EXAMPLES["Analysis"],
    "getAnalysisVersion": EXAMPLES["AnalysisVersion"],
    "listAnalyses": page(EXAMPLES["Analysis"]),
    "listParameterSets": page(EXAMPLES["ParameterSet"]),
    "createParameterSet": EXAMPLES["ParameterSet"],
    "createParameterSetVersion": EXAMPLES["ParameterSet"],
    "forkParameterSet": EXAMPLES["ParameterSet"],
    "getParameterSet": EXAMPLES["ParameterSet"],
    "getParameterSetVersion": EXAMPLES["ParameterSetVersion"],
    "createPlan": EXAMPLES["Plan"],
    "createRun": EXAMPLES["Run"],
    "getRun": EXAMPLES["Run"],
    "listRuns": page(EXAMPLES["Run"]),
    "retryRun": EXAMPLES["Run"],
    "createQuery": EXAMPLES["Query"],
}


class ContractServer:
    TOKEN = "a-token"

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.keys: list[str | None] = []
        self.folder = Path(tempfile.mkdtemp(prefix="labscale-test-"))
        self.answers = {**ANSWERS, "getSnippetFiles": snippet_files(self.folder)}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                data = self.rfile.read(length)
                status, answer = outer.take(self.command, self.path, dict(self.headers), data)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def take(self, method: str, target: str, headers: dict[str, str], data: bytes) -> tuple[int, Any]:
        address = urlsplit(target)
        operation = _operation_of(method, address.path)
        if operation is None or headers.get("Authorization") != f"Bearer {self.TOKEN}":
            return 404, {"code": "NOT_FOUND", "detail": f"{method} {address.path}"}
        body = json.loads(data) if data else None
        schema = DOCUMENT["$defs"].get(f"{operation}.body")
        if schema is not None:
            try:
                jsonschema.validate(body, {**DOCUMENT, **schema})
            except jsonschema.ValidationError as error:
                return 400, {"code": "BODY_INVALID", "detail": error.message, "field": error.json_path}
        self.calls.append((operation, body if body is not None else parse_qs(address.query)))
        self.keys.append(headers.get("Idempotency-Key"))
        answer = self.answers[operation]
        return (answer["status"], answer) if isinstance(answer.get("status"), int) else (200, answer)

    def sent(self, operation: str) -> Any:
        return next(body for name, body in reversed(self.calls) if name == operation)

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        shutil.rmtree(self.folder)


def _operation_of(method: str, path: str) -> str | None:
    for name, entry in operations().items():
        pattern = re.sub(r"\{[A-Za-z]+\}", "[^/]+", entry["path"])
        if entry["method"] == method and re.fullmatch(pattern, path):
            return name
    return None
