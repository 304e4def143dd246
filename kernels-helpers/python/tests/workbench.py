"""Drives the worker as the server does: a data folder, a plan, and messages over real pipes."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

WORKER = Path(__file__).parents[1] / "src" / "labscale" / "worker.py"
RUN = "run-0000000000000000000a"
RESOURCES = {"cpus": 1, "memoryBytes": 2 * 1024**3, "timeLimitSeconds": 60, "retries": 0, "backoffSeconds": 0}
CONTRACT = {"parameters": [], "outputs": [], "resources": RESOURCES, "warm": True}


def notebook(*sources: str, parameters: str | None = None, minor: int = 5) -> dict[str, Any]:
    """A notebook of code cells; the first one tagged `parameters` where `parameters` is given."""
    cells = [
        {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": source}
        for source in sources
    ]
    if parameters is not None:
        tagged = {"cell_type": "code", "execution_count": None, "outputs": [], "source": parameters}
        cells.insert(0, {**tagged, "metadata": {"tags": ["parameters"]}})
    if minor >= 5:
        for at, cell in enumerate(cells):
            cell["id"] = f"cell-{at}"
    return {
        "cells": cells,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": minor,
    }


class Workbench:
    """A project's data folder with one run, without a server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "project" / ".labscale"
        self.objects = self.data / "objects"
        self.shards = folder / "project" / "shards"
        self.objects.mkdir(parents=True)
        self.shards.mkdir()
        self.plan: dict[str, Any] = {}
        self.workers: list[Worker] = []

    def plan_notebook(
        self, document: dict, values: dict | None = None, files: dict[str, str] | None = None, **changes
    ):
        base = "analyses/" + "a" * 64
        self._store(f"{base}/notebook.ipynb", json.dumps(document))
        for path, text in (files or {}).items():
            self._store(f"{base}/files/{path}", text)
        analysis = {
            "versionId": "av-0000000000000000000a",
            "digest": "sha256:" + "a" * 64,
            "kind": "notebook",
            "notebook": f"{base}/notebook.ipynb",
            "files": [{"path": path, "key": f"{base}/files/{path}"} for path in files or {}],
            "command": None,
            "kernel": changes.pop("kernel", {"name": "python3", "language": "python"}),
            "contract": {
                **CONTRACT,
                "parameters": changes.pop("parameters", []),
                "outputs": changes.pop("outputs", []),
            },
        }
        self._write_plan(analysis, values, changes.pop("warm", True))
        assert not changes

    def plan_command(self, command: list[str], values: dict | None = None, **changes):
        analysis = {
            "versionId": "av-0000000000000000000a",
            "digest": "sha256:" + "a" * 64,
            "kind": "command",
            "notebook": None,
            "files": [],
            "command": command,
            "kernel": None,
            "contract": {**CONTRACT, **changes},
        }
        self._write_plan(analysis, values, False)

    def _write_plan(self, analysis: dict, values: dict | None, warm: bool) -> None:
        self.plan = {
            "version": 1,
            "runId": RUN,
            "analysis": analysis,
            "parameterSets": {"pv-0000000000000000000a": {"values": values or {}}},
            "environmentDigest": "sha256:" + "e" * 64,
            "warm": warm,
        }
        self._store(f"runs/{RUN}/plan.json", json.dumps(self.plan))

    def _store(self, key: str, text: str) -> None:
        path = self.objects / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def shard(self, name: str = "a.txt", content: bytes = b"one shard") -> dict[str, Any]:
        path = self.shards / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return {
            "key": name.rsplit(".", 1)[0],
            "entities": {"sub": "01"},
            "metadata": {"age": 30},
            "digest": digest,
            "objects": [
                {
                    "path": path.name,
                    "sizeBytes": len(content),
                    "digest": digest,
                    "file": str(path),
                    "modifiedNs": str(path.stat().st_mtime_ns),
                }
            ],
        }

    def order(
        self, index: int = 0, attempt: int = 1, shard: dict | None = None, **resources
    ) -> dict[str, Any]:
        return {
            "do": "run",
            "index": index,
            "attempt": attempt,
            "parameterSetVersionId": "pv-0000000000000000000a",
            "resources": {**RESOURCES, **resources},
            "shard": shard or self.shard(f"shard-{index:03}.txt"),
        }

    def worker(
        self, slots: int = 1, python: str = sys.executable, name: str = "worker-1", **options
    ) -> Worker:
        worker = Worker(self, slots, python, name, **options)
        self.workers.append(worker)
        return worker

    def run_one(self, **resources) -> dict[str, Any]:
        """One attempt by a worker of its own; its report."""
        worker = self.worker()
        worker.send(self.order(**resources))
        report = worker.report()
        worker.finish()
        return report

    def out(self, index: int = 0, attempt: int = 1) -> Path:
        return self.attempt(index, attempt) / "out"

    def attempt(self, index: int = 0, attempt: int = 1) -> Path:
        return self.objects / "runs" / RUN / "attempts" / str(index) / str(attempt)

    def log(self, index: int = 0, attempt: int = 1) -> str:
        return (self.attempt(index, attempt) / "log").read_text(errors="replace")

    def executed(self, index: int = 0, attempt: int = 1) -> dict[str, Any]:
        return json.loads((self.out(index, attempt) / "executed.ipynb").read_text())

    def claims(self) -> list[str]:
        folder = self.objects / "runs" / RUN / "claims"
        return sorted(entry.name for entry in folder.iterdir()) if folder.exists() else []

    def claim(self, index: int = 0) -> dict[str, Any]:
        return json.loads((self.objects / "runs" / RUN / "claims" / f"{index}.json").read_text())

    def close(self) -> None:
        for worker in self.workers:
            worker.close()
        shutil.rmtree(self.folder, ignore_errors=True)


class Worker:
    def __init__(self, bench: Workbench, slots: int, python: str, name: str, **options) -> None:
        environment = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        self.stderr_path = bench.folder / f"{name}.log"
        program = options.pop("program", (str(WORKER), "--objects", str(bench.objects)))
        with open(self.stderr_path, "wb") as stderr:
            self.process = subprocess.Popen(
                [
                    *(python, *program, "--data", str(bench.data)),
                    *("--run", RUN, "--worker", name, "--slots", str(slots)),
                    *("--jupyter-python", sys.executable),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**environment, **options.pop("env", {})},
                start_new_session=True,
                **options,
            )
        self.events: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._passed: list[dict[str, Any]] = []
        self._gone = False
        self.seen: list[dict[str, Any]] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        rest = b""
        while not self._gone:
            if not select.select([self.process.stdout], [], [], 0.05)[0]:
                continue
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.events.put(json.loads(line))
        self.process.stdout.close()
        self.events.put(None)

    def let_go_of_output(self) -> None:
        """Close the reading end, as a server does that is killed."""
        self._gone = True
        self._reader.join()

    def send(self, *messages: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        for message in messages:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def next(self, matches: Callable[[dict[str, Any]], bool], timeout: float = 60) -> dict[str, Any]:
        """The first event that matches and was not given before; slots do not keep to the order of tasks."""
        for event in self._passed:
            if matches(event):
                self._passed.remove(event)
                return event
        while True:
            event = self.events.get(timeout=timeout)
            assert event is not None, f"the worker ended; its log: {self.stderr_path.read_text()}"
            self.seen.append(event)
            if matches(event):
                return event
            self._passed.append(event)

    def started(self, index: int = 0) -> dict[str, Any]:
        return self.next(lambda event: event["event"] == "started" and event["index"] == index)

    def report(self, index: int = 0) -> dict[str, Any]:
        return self.next(lambda event: event["event"] == "ended" and event["index"] == index)["report"]

    def finish(self, timeout: float = 30) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(timeout)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(5)


class SmallDisk:
    """A file system of a few pages in memory over a folder, where this user may mount one."""

    def __init__(self, folder: Path, size_kib: int) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        options = f"size={size_kib}k"
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True
        )
        self.mounted = mounted.returncode == 0

    def __enter__(self) -> SmallDisk:
        return self

    def __exit__(self, *_: object) -> None:
        if self.mounted:
            subprocess.run(["umount", str(self.folder)], check=True)
