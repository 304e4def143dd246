"""Runs attempts in a container of an untouched image, by a script that was brought into it."""

from __future__ import annotations

import contextlib
import math
import os
import queue
import select
import threading
import time
from typing import Any

from labscale.child import signal_name
from labscale.claim import now
from labscale.contract import as_typed
from labscale.failure import FULL, AttemptFailure, readable_bytes
from labscale.log import CappedLog
from labscale.outputs import list_outputs
from labscale.transfer import turn
from labscale.transfer.folder import Folder
from labscale.transfer.hearing import Hearing, Name
from labscale.transfer.said import Said, check_path

LOOK_SECONDS = 0.02
LOG_TAIL_BYTES = 8 * 1024
LAST_READS = 1000


class ImageEngine:
    """One attempt at a time.

    Parameters
    ----------
    root, attempts, shelf
        The shared folder, that of the run's attempts, and the shards.
    """

    def __init__(
        self, path: str, root: Folder, attempts: Folder, shelf: Folder, plan: dict[str, Any], hearing: Hearing
    ) -> None:
        self._path = path
        self._root = root
        self._attempts = attempts
        self._shelf = shelf
        self._plan = plan
        self._hearing = hearing
        self._orders: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._life = select.poll()
        self._number = 0
        self._peak = 0

    def start(self) -> None:
        threading.Thread(target=self._serve, daemon=True).start()

    def run(self, order: dict[str, Any]) -> None:
        self._orders.put(order)

    def stop(self, name: Name) -> None:
        """Nothing that this side can do: the end of the container ends the program."""

    def finish(self) -> None:
        self._orders.put(None)

    def _serve(self) -> None:
        try:
            with self._root.folder("turn") as folder:
                # Opened for both, so that neither end ever waits for the other.
                flags = os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
                orders = os.open("orders", os.O_RDWR | flags, dir_fd=folder.fd)
                output = os.open("log", os.O_RDWR | flags, dir_fd=folder.fd)
                self._life.register(os.open("life", os.O_RDONLY | flags, dir_fd=folder.fd), 0)
                os.write(orders, b"hello\n")
                # The image may still be on its way: that is no time of a task's, and until then none runs.
                while "begun" not in folder.names():
                    if self._has_died():
                        raise _Died
                    time.sleep(LOOK_SECONDS)
            self._hearing.ready()
            while (order := self._orders.get()) is not None:
                self._do(order, orders, output)
            os.write(orders, b"finish\n")
            while not self._has_died():
                time.sleep(LOOK_SECONDS)
            self._hearing.gone("its program ended")
        except OSError as error:
            self._hearing.gone(f"the shared folder cannot be used: {error.strerror}")
        except _Died:
            self._hearing.gone("its program ended")

    def _do(self, order: dict[str, Any], orders: int, output: int) -> None:
        name = (order["index"], order["attempt"])
        at, started = now(), time.monotonic()
        said = Said(None)
        with self._attempts.folder(str(name[0]), str(name[1]), create=True) as folder:
            log = CappedLog(folder.create_file("log"))
            try:
                try:
                    self._put(order)
                except AttemptFailure as failure:
                    said.failure = failure
                self._hearing.started(name, at)
                if said.failure is None:
                    self._number += 1
                    seconds = math.ceil(order["resources"]["timeLimitSeconds"])
                    os.write(orders, f"{self._number} {seconds}\n".encode())
                    result = self._wait(output, log)
                    said = self._judge(order, result, time.monotonic() - started, log)
                    if said.failure is None:
                        self._collect(said, folder, name)
            finally:
                log.close()
        said.started_at, said.seconds = at, time.monotonic() - started
        self._hearing.ended(name, said)

    def _put(self, order: dict[str, Any]) -> None:
        version = order["parameterSetVersionId"]
        values = self._plan["parameterSets"].get(version, {}).get("values")
        if values is None:
            raise AttemptFailure(
                "parameters-unusable", f"the plan of the run has no parameter set version {version}"
            )
        try:
            for item in order["shard"]["objects"]:
                check_path(item["path"])
            typed = as_typed(values, self._plan["analysis"]["contract"].get("parameters", []))
            turn.put_task(self._root, self._shelf, order, typed)
        except ValueError as error:
            raise AttemptFailure("shard-missing", f"the shard cannot be put in its place: {error}") from None
        except OSError as error:
            if error.errno in FULL:
                raise AttemptFailure("disk-full", f"the disk is full: {error}") from None
            raise AttemptFailure("worker-lost", f"the shared folder cannot be used: {error}") from None

    def _wait(self, output: int, log: CappedLog) -> turn.Result:
        while True:
            select.select([output], [], [], LOOK_SECONDS)
            log.read_from(output)
            result = turn.read_result(self._root)
            if result is not None and result.number == self._number:
                # A process that outlived its program may write for ever.
                for _ in range(LAST_READS):
                    if not log.read_from(output):
                        break
                return result
            if self._has_died():
                log.read_from(output)
                raise _Died

    def _has_died(self) -> bool:
        """Whether the script was there and is no more."""
        return bool(self._life.poll(0))

    def _judge(self, order: dict[str, Any], result: turn.Result, seconds: float, log: CappedLog) -> Said:
        code = result.code
        # The kernel counts the most that the container ever held: that of this task where it grew.
        peak = result.peak_bytes if result.peak_bytes > self._peak else None
        self._peak = max(self._peak, result.peak_bytes)
        said = Said(
            None, exit_code=code, cpu_seconds=max(0, result.cpu - result.cpu_before) / 1e6, peak_bytes=peak
        )
        tail = log.last_text(LOG_TAIL_BYTES)
        limits = order["resources"]
        if code > 128 and seconds >= limits["timeLimitSeconds"]:
            reason = f"still running at the time limit of {limits['timeLimitSeconds']:g} s"
            said.failure, said.exit_code = AttemptFailure("time-limit", reason, tail), None
        elif code != 0 and result.kills > result.kills_before:
            reason = f"used more memory than the limit of {readable_bytes(limits['memoryBytes'])}"
            said.failure = AttemptFailure("out-of-memory", reason, tail)
        elif code != 0 and "No space left on device" in tail:
            said.failure = AttemptFailure(
                "disk-full", "the disk is full: the program wrote `No space left on device`", tail
            )
        elif code in (126, 127):
            said.failure = AttemptFailure(
                "exit-code", f"the program cannot be started (exit code {code})", tail
            )
        elif code > 128:
            reason = f"the program was ended by {signal_name(code - 128)}"
            said.failure, said.exit_code = AttemptFailure("signal", reason, tail), None
        elif code != 0:
            said.failure = AttemptFailure("exit-code", f"the program ended with exit code {code}", tail)
        elif log.error is not None and log.error.errno in FULL:
            said.failure = AttemptFailure("disk-full", f"the disk is full: {log.error}")
        return said

    def _collect(self, said: Said, folder: Folder, name: Name) -> None:
        expected = self._plan["analysis"]["contract"].get("outputs", [])
        path = os.path.join(self._path, "objects", "runs", self._plan["runId"], "attempts", *map(str, name))
        try:
            with contextlib.suppress(FileNotFoundError):
                folder.remove("out")
            turn.take_outputs(self._root, folder)
            outputs = list_outputs(os.path.join(path, "out"), expected, command=True)
            said.outputs = {path: (size, None) for path, size in outputs.items()}
        except AttemptFailure as failure:
            said.failure = failure
        except OSError as error:
            said.failure = AttemptFailure("output-unusable", f"the output cannot be taken: {error}")


class _Died(Exception):
    pass
