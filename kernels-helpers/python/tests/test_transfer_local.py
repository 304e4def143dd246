"""The local runner's worker where objects are in a store, with a real MinIO."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from objectstore import BUCKET, Minio
from podbench import wait_for
from workbench import RUN, WORKER, Workbench, Worker, notebook

from labscale.s3.store import ObjectStore

TRANSFER = WORKER.parent / "transfer" / "__main__.py"


class Bench(Workbench):
    """A data folder whose objects are in a store, under a bucket's prefix of nobody else."""

    def __init__(self, folder: Path, minio: Minio) -> None:
        super().__init__(folder)
        self.minio = minio
        self.store: ObjectStore = minio.store()
        for key, _ in self.store.list(f"runs/{RUN}/"):
            self.store.delete(key)

    def _store(self, key: str, text: str) -> None:
        self.store.put(key, text.encode())

    def stored_shard(self, index: int, content: bytes) -> dict[str, Any]:
        key = f"datasets/local/{index}"
        self.store.put(key, content)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        item = {"path": "a.txt", "sizeBytes": len(content), "digest": digest, "key": key}
        return {"key": str(index), "entities": {}, "metadata": {}, "digest": digest, "objects": [item]}

    def transfer(self, slots: int = 1, patience: float = 60, name: str = "worker-1") -> Worker:
        environment = {**self.minio.environment, "LABSCALE_STORE_PATIENCE": str(patience)}
        return self.worker(slots, name=name, program=(str(TRANSFER), "local"), env=environment)

    def json(self, key: str) -> Any:
        return json.loads(self.store.get(f"runs/{RUN}/{key}"))

    def names(self, below: str) -> list[str]:
        prefix = f"runs/{RUN}/{below}"
        return [key[len(prefix) :] for key, _ in self.store.list(prefix)]

    def own_folders(self) -> list[str]:
        scratch = self.data / "scratch"
        return [str(path) for path in scratch.rglob("*")] if scratch.exists() else []


@pytest.fixture
def stored(minio: Minio, tmp_path: Path) -> Iterator[Bench]:
    assert BUCKET in minio.environment["LABSCALE_S3_BUCKET"]
    opened = Bench(tmp_path / "bench", minio)
    yield opened
    opened.close()


COPY = ["sh", "-c", 'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy"; echo done']


def test_tasks_are_done_and_published(stored: Bench) -> None:
    stored.plan_command(COPY)
    worker = stored.transfer(slots=2)
    orders = [
        stored.order(index, shard=stored.stored_shard(index, b"stored %d" % index)) for index in range(6)
    ]
    # A folder of this machine that is registered as a dataset is read where it is.
    orders.append(stored.order(6))
    worker.send(*orders)
    reports = [worker.report(index) for index in range(7)]
    assert worker.finish() == 0
    assert [event["event"] for event in worker.seen].count("ready") == 1
    for index, report in enumerate(reports):
        assert report["claimed"] and report["state"] == "succeeded"
        assert stored.json(f"claims/{index}.json") == report == stored.json(f"attempts/{index}/1/report.json")
        content = stored.store.get(f"runs/{RUN}/attempts/{index}/1/out/copy")
        assert content == (b"stored %d" % index if index < 6 else b"one shard")
        assert report["objects"][0]["digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
        assert stored.store.get(f"runs/{RUN}/attempts/{index}/1/log") == b"done\n"
    assert stored.own_folders() == [] and not (stored.data / "workers" / "worker-1.json").exists()


def test_a_notebook_and_its_failure(stored: Bench) -> None:
    document = notebook(
        "import os\nprint(n)\nif os.environ['LABSCALE_TASK'] == '1': raise ValueError('no')",
        parameters="n = 1",
    )
    stored.plan_notebook(document, {"n": 3})
    worker = stored.transfer()
    worker.send(stored.order(0), stored.order(1))
    assert worker.report(0)["claimed"]
    failed = worker.report(1)
    assert (failed["exitKind"], failed["reason"], failed["claimed"]) == ("exception", "ValueError: no", False)
    assert stored.json("attempts/1/1/report.json") == failed
    assert worker.finish() == 0 and stored.names("claims/") == ["0.json"]


def test_the_keys_of_the_store_are_not_in_the_environment_of_a_program(stored: Bench) -> None:
    stored.plan_command(
        [
            "sh",
            "-c",
            'env > "$LABSCALE_OUTPUT/env"; tr "\\0" "\\n" < /proc/$PPID/environ >> "$LABSCALE_OUTPUT/env"',
        ]
    )
    worker = stored.transfer()
    worker.send(stored.order())
    worker.report()
    seen = stored.store.get(f"runs/{RUN}/attempts/0/1/out/env").decode()
    assert "LABSCALE_OUTPUT" in seen and "LABSCALE_S3" not in seen and stored.minio.secret_key not in seen


def test_an_attempt_is_stopped(stored: Bench) -> None:
    stored.plan_command(["sh", "-c", "echo on it; sleep 60"])
    worker = stored.transfer()
    worker.send(stored.order(0), stored.order(1))
    worker.started(0)
    worker.send({"do": "stop", "index": 0, "attempt": 1})
    assert worker.report(0)["state"] == "stopped"
    worker.started(1)
    worker.process.terminate()
    assert worker.process.wait(20) == 143
    assert stored.names("claims/") == [] and stored.own_folders() == []
    assert not (stored.data / "workers" / "worker-1.json").exists()


def test_it_and_its_worker_live_and_die_together(stored: Bench) -> None:
    stored.plan_command(["sh", "-c", "sleep 60"])
    for kill_worker in (True, False):
        transfer = stored.transfer(name=f"worker-{kill_worker}")
        transfer.send(stored.order(0))
        transfer.started(0)
        record = json.loads((stored.data / "workers" / f"worker-{kill_worker}.json").read_text())
        assert record["pid"] == transfer.process.pid and record["runId"] == RUN
        children = (
            Path(f"/proc/{transfer.process.pid}/task/{transfer.process.pid}/children").read_text().split()
        )
        worker = next(
            int(pid) for pid in children if b"worker.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
        )
        os.kill(worker if kill_worker else transfer.process.pid, signal.SIGKILL)
        assert transfer.process.wait(20) == (137 if kill_worker else -9)
        wait_for(lambda: not _marked(0))
        wait_for(lambda of=worker: not Path(f"/proc/{of}/cmdline").exists())


def _marked(index: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                environment = (entry / "environ").read_bytes()
                if f"LABSCALE_RUN={RUN}\0LABSCALE_TASK={index}\0".encode() in environment:
                    found.append(int(entry.name))
        except OSError:
            continue
    return found


def test_a_server_that_goes_is_not_waited_for(stored: Bench) -> None:
    stored.plan_command(["sh", "-c", 'sleep 1; echo x > "$LABSCALE_OUTPUT/r"'])
    worker = stored.transfer()
    worker.send(stored.order(0))
    worker.started(0)
    worker.let_go_of_output()
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(20) == 0
    assert stored.json("claims/0.json")["claimed"]


def test_an_attempt_is_marked_until_it_is_published_and_ended_by_its_mark(
    minio_of_ones_own: Minio, tmp_path: Path
) -> None:
    stored = Bench(tmp_path / "bench", minio_of_ones_own)
    try:
        stored.plan_command(["sh", "-c", 'sleep 0.5; echo x > "$LABSCALE_OUTPUT/r"'])
        worker = stored.transfer()
        worker.send(stored.order(0))
        worker.started(0)
        minio_of_ones_own.kill()
        worker.next(lambda event: event["event"] == "publishing")
        wait_for(lambda: len(_marked(0)) == 1)
        os.kill(_marked(0)[0], signal.SIGKILL)
        minio_of_ones_own.start()
        report = worker.report()
        assert (report["state"], report["claimed"]) == ("stopped", False)
        assert stored.names("claims/") == []
        assert worker.finish() == 0
    finally:
        stored.close()


def test_who_comes_second_has_lost(stored: Bench) -> None:
    stored.plan_command(["sh", "-c", 'echo "$LABSCALE_ATTEMPT" > "$LABSCALE_OUTPUT/by"'])
    first, second = stored.transfer(), stored.transfer(name="worker-2")
    first.send(stored.order(0))
    won = first.report()
    second.send(stored.order(0, attempt=2))
    lost = second.report()
    assert (won["claimed"], lost["claimed"], lost["state"], lost["objects"]) == (True, False, "succeeded", [])
    assert stored.json("claims/0.json") == won
    assert stored.json("attempts/0/2/report.json") == lost


def test_a_store_that_stays_away_fails_the_attempt(minio_of_ones_own: Minio, tmp_path: Path) -> None:
    stored = Bench(tmp_path / "bench", minio_of_ones_own)
    try:
        stored.plan_command(["sh", "-c", 'sleep 0.5; echo x > "$LABSCALE_OUTPUT/r"'])
        worker = stored.transfer(patience=0.5)
        worker.send(stored.order(0))
        worker.started(0)
        minio_of_ones_own.kill()
        report = worker.report()
        assert (report["exitKind"], report["claimed"]) == ("store-unavailable", False)
        assert "the object store cannot be reached" in report["reason"]
        assert worker.finish() == 0
        assert worker.stderr_path.read_text() == ""
    finally:
        stored.close()


def test_a_store_that_is_not_there_is_told(stored: Bench) -> None:
    worker = stored.transfer(patience=0.2)
    assert worker.process.wait(20) == 1
    assert "there is no such object" in worker.stderr_path.read_text()
    assert not (stored.data / "workers" / "worker-1.json").exists()
