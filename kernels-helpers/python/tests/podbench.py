"""A run in an object store, and the pods that do it: two processes over a folder each, as in a cluster."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from objectstore import Minio
from workbench import CONTRACT, RESOURCES

from labscale.s3.store import ObjectStore

SOURCES = Path(__file__).parents[1] / "src"
SCRIPT = SOURCES / "labscale" / "transfer" / "run-tasks.sh"
SET = "pv-0000000000000000000a"
_runs = itertools.count(1)


class Wave:
    """One run with one wave at a time."""

    def __init__(self, minio: Minio, folder: Path) -> None:
        self.minio = minio
        self.store: ObjectStore = minio.store()
        self.folder = folder
        self.run = f"run-{os.getpid():010d}{next(_runs):010d}"
        self.pods: list[Pod] = []

    def plan_command(self, command: list[str], values: dict | None = None, **contract: Any) -> None:
        self._plan({"kind": "command", "command": command, "kernel": None}, values, contract)

    def plan_container(self, values: dict | None = None, **contract: Any) -> None:
        self._plan({"kind": "container", "kernel": None}, values, contract)

    def plan_notebook(self, document: dict, values: dict | None = None, files: dict | None = None) -> None:
        base = f"analyses/{self.run}"
        self.store.put(f"{base}/notebook.ipynb", json.dumps(document).encode())
        for path, text in (files or {}).items():
            self.store.put(f"{base}/files/{path}", text.encode())
        analysis = {
            "kind": "notebook",
            "notebook": f"{base}/notebook.ipynb",
            "files": [{"path": path, "key": f"{base}/files/{path}"} for path in files or {}],
            "kernel": {"name": "python3", "language": "python"},
        }
        self._plan(analysis, values, {})

    def _plan(self, analysis: dict, values: dict | None, contract: dict) -> None:
        self.plan = {
            "version": 1,
            "runId": self.run,
            "analysis": {
                "versionId": "av-0000000000000000000a",
                "digest": "sha256:" + "a" * 64,
                "files": [],
                **analysis,
                "contract": {**CONTRACT, **contract},
            },
            "parameterSets": {SET: {"values": values or {}}},
            "environmentDigest": "sha256:" + "e" * 64,
            "warm": analysis["kind"] == "notebook",
        }
        self.store.put(f"runs/{self.run}/plan.json", json.dumps(self.plan).encode())

    def shard(self, name: str, content: bytes, key: str | None = None) -> dict[str, Any]:
        key = key or f"datasets/{self.run}/{name}"
        self.store.put(key, content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        item = {"path": name, "sizeBytes": len(content), "digest": digest, "key": key}
        return {"key": name, "entities": {}, "metadata": {}, "digest": digest, "objects": [item]}

    def order(
        self, index: int, attempt: int = 1, shard: dict | None = None, **resources: Any
    ) -> dict[str, Any]:
        return {
            "index": index,
            "attempt": attempt,
            "parameterSetVersionId": SET,
            "resources": {**RESOURCES, **resources},
            "shard": shard or self.shard(f"shard-{index:03}.txt", b"shard %d" % index),
        }

    def submit(self, packs: list[list[dict[str, Any]]], wave: int = 1) -> None:
        bodies = [json.dumps({"tasks": tasks}).encode() for tasks in packs]
        offsets = [16 * (len(packs) + 1)]
        for body in bodies:
            offsets.append(offsets[-1] + len(body))
        header = "".join(f"{offset:015d}\n" for offset in offsets).encode()
        self.store.put(f"runs/{self.run}/waves/{wave}/orders", header + b"".join(bodies))

    def pod(self, pack: int = 0, **options: Any) -> Pod:
        pod = Pod(self, pack, len(self.pods), **options)
        self.pods.append(pod)
        return pod

    def json(self, key: str) -> Any:
        return json.loads(self.store.get(f"runs/{self.run}/{key}"))

    def claim(self, index: int) -> dict[str, Any]:
        return self.json(f"claims/{index}.json")

    def claims(self) -> list[int]:
        prefix = f"runs/{self.run}/claims/"
        return sorted(int(key[len(prefix) : -5]) for key, _ in self.store.list(prefix))

    def journal(self, pack: int = 0, wave: int = 1) -> dict[str, Any]:
        return self.json(f"waves/{wave}/pods/{pack}.json")

    def report(self, index: int, attempt: int = 1) -> dict[str, Any]:
        return self.json(f"attempts/{index}/{attempt}/report.json")

    def log(self, index: int, attempt: int = 1) -> str:
        return self.store.get(f"runs/{self.run}/attempts/{index}/{attempt}/log").decode()

    def keys(self, below: str) -> list[str]:
        prefix = f"runs/{self.run}/{below}"
        return [key[len(prefix) :] for key, _ in self.store.list(prefix)]

    def check_outputs(self, index: int) -> dict[str, bytes]:
        """What was claimed, with the sizes and digests that the claim states."""
        claim = self.claim(index)
        assert (claim["runId"], claim["index"], claim["claimed"]) == (self.run, index, True)
        found = {}
        for item in claim["objects"]:
            key = f"runs/{self.run}/attempts/{index}/{claim['attempt']}/out/{item['path']}"
            content = self.store.get(key)
            assert len(content) == item["sizeBytes"]
            assert "sha256:" + hashlib.sha256(content).hexdigest() == item["digest"]
            found[item["path"]] = content
        return found

    def close(self) -> None:
        for pod in self.pods:
            pod.close()


class Pod:
    """Parameters: `program` is what runs beside the transfer; a worker where it is left out.

    It starts when the file `after` is there.
    """

    def __init__(
        self,
        wave: Wave,
        pack: int,
        number: int,
        program: list[str] | None = None,
        image: list[str] | None = None,
        worker: bool = True,
        port: int | None = None,
        patience: float = 60,
        environment: dict[str, str] | None = None,
        number_of_wave: int = 1,
        after: Path | None = None,
    ) -> None:
        self.wave = wave
        self.root = wave.folder / f"pod-{number}"
        self.root.mkdir(exist_ok=True)
        clean = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.log = wave.folder / f"pod-{number}.log"
        kind = "worker" if image is None else "container"
        common = {**clean, "PYTHONPATH": str(SOURCES), "LABSCALE_KIND": kind}
        subprocess.run(
            [sys.executable, "-m", "labscale.transfer", "bring", str(self.root)], env=common, check=True
        )
        settings = {
            **common,
            **wave.minio.environment_at(port or wave.minio.port),
            "LABSCALE_RUN": wave.run,
            "LABSCALE_WAVE": str(number_of_wave),
            "LABSCALE_PACK": str(pack),
            "LABSCALE_POD": f"pod-{number}",
            "LABSCALE_STORE_PATIENCE": str(patience),
            **(environment or {}),
        }
        with open(self.log, "ab") as log:
            self.transfer = subprocess.Popen(
                [sys.executable, "-m", "labscale.transfer", "pod", "--root", str(self.root)],
                env=settings,
                stdin=subprocess.DEVNULL,
                stderr=log,
            )
        self.program: subprocess.Popen[bytes] | None = None
        if image is not None:
            program = [str(self.root / "bin" / "busybox"), "sh", str(self.root / "bin" / "run-tasks"), *image]
            clean["LABSCALE_ROOT"] = str(self.root)
            clean["LABSCALE_BUSYBOX"] = str(self.root / "bin" / "busybox")
        elif program is None and worker:
            program = [
                *(sys.executable, str(self.root / "helpers" / "labscale" / "worker.py")),
                *("--data", str(self.root / "data"), "--objects", str(self.root / "objects")),
                *("--run", wave.run, "--worker", f"pod-{number}", "--slots", "1"),
                *("--channel", str(self.root / "channel.sock")),
            ]
        if program is not None and after is not None:
            program = ["sh", "-c", 'until [ -e "$0" ]; do sleep 0.05; done; exec "$@"', str(after), *program]
        if program is not None:
            with open(self.log, "ab") as log:
                self.program = subprocess.Popen(
                    program,
                    env=clean,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def wait(self, seconds: float = 60) -> int:
        """The exit code of the transfer; the program's side ends with it."""
        code = self.transfer.wait(seconds)
        if self.program is not None:
            self.program.wait(15)
        return code

    def close(self) -> None:
        for process in (self.transfer, self.program):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        if self.program is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.program.pid, signal.SIGKILL)
        shutil.rmtree(self.root, ignore_errors=True)


def wait_for(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)
