"""In the place of a worker of this machine where objects are in a store: the same protocol on both sides.

The worker runs below this process and sees folders; this one brings shards into them and publishes outputs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labscale import identity, processes
from labscale.claim import now
from labscale.failure import AttemptFailure
from labscale.s3.credentials import CredentialsFile
from labscale.s3.errors import StoreError
from labscale.s3.patience import Patience
from labscale.s3.place import place_of
from labscale.s3.store import ObjectStore
from labscale.transfer import keys
from labscale.transfer.analysis import fetch_analysis
from labscale.transfer.carriage import Carriage
from labscale.transfer.folder import Folder
from labscale.transfer.hearing import Name
from labscale.transfer.live_log import LiveLog
from labscale.transfer.mark import Mark
from labscale.transfer.publication import Ended, report_of_ended
from labscale.transfer.said import Said
from labscale.transfer.shelf import Shelf
from labscale.transfer.talk import Talk

WORKER = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "worker.py")
TICK_SECONDS = 0.25
END_SECONDS = 10.0
PUBLISHERS = 4


@dataclass
class Attempt:
    """One that the server ordered and that has not ended."""

    order: dict[str, Any]
    brought: dict[str, Any] | None = None
    handed_on: bool = False
    started_at: str = ""
    started: float = field(default_factory=time.monotonic)
    mark: Mark | None = None
    log: LiveLog | None = None
    is_stopped: bool = False
    has_ended: bool = False

    @property
    def name(self) -> Name:
        return self.order["index"], self.order["attempt"]

    def is_wanted(self) -> bool:
        return not self.is_stopped and (self.mark is None or self.mark.stands())


class Local:
    """Hears the server in the main thread and the worker in another; more bring and publish."""

    def __init__(self, options: argparse.Namespace, environment: Mapping[str, str]) -> None:
        self._options = options
        self._own = os.path.join(
            os.path.abspath(options.data), "scratch", options.run, f"transfer-{options.worker}"
        )
        self._record = os.path.join(os.path.abspath(options.data), "workers", f"{options.worker}.json")
        self._lock = threading.RLock()
        self._telling = threading.Lock()
        self._attempts: dict[Name, Attempt] = {}
        self._to_bring: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._to_publish: queue.SimpleQueue[tuple[Attempt, Said]] = queue.SimpleQueue()
        # As many lie ready as run: more would only fill the disk.
        self._ahead = threading.Semaphore(2 * options.slots)
        self._gone = threading.Event()
        place = place_of(environment)
        patience = Patience(float(environment.get("LABSCALE_STORE_PATIENCE") or 300))
        credentials = CredentialsFile(environment["LABSCALE_S3_CREDENTIALS_FILE"])
        self._store = ObjectStore(place, credentials, patience)

    def run(self) -> int:
        """Until the server says `finish` or goes, and what was begun is published. Raises StoreError."""
        options = self._options
        identity.introduce(self._record, options.run)
        try:
            os.makedirs(os.path.join(self._own, "objects"))
            own = Folder.at(self._own)
            with own.folder("objects") as objects:
                plan = fetch_analysis(self._store, options.run, objects)
                self._folder = objects.folder("runs", options.run, "attempts", create=True)
            shelf = Shelf(self._store, own.folder("shards", create=True), os.path.join(self._own, "shards"))
            self._carriage = Carriage(self._store, plan, shelf, self._folder)
            worker = self._start_worker()
            assert worker.stdin is not None and worker.stdout is not None
            self._talk = Talk(options.run, worker.stdout.fileno(), worker.stdin.fileno(), self)
            self._end_at_term(worker)
            threads = [(1, self._talk.listen), (1, self._tick)]
            threads += [(options.slots + 1, self._bring), (min(options.slots, PUBLISHERS), self._publish)]
            for count, do in threads:
                for _ in range(count):
                    threading.Thread(target=do, daemon=True).start()
            self._hear_server()
            return self._leave(worker)
        finally:
            identity.forget(self._record, self._own)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        options, parent = self._options, os.getpid()
        secret = ("LABSCALE_S3_", "LABSCALE_STORE_")
        arguments = ["--data", self._own, "--objects", os.path.join(self._own, "objects")]
        arguments += ["--run", options.run, "--worker", "worker", "--slots", str(options.slots)]
        if options.jupyter_python:
            arguments += ["--jupyter-python", options.jupyter_python]
        return subprocess.Popen(
            [sys.executable, WORKER, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith(secret)},
            # What it would make after our end nobody would publish. No thread runs yet in this process.
            preexec_fn=lambda: processes.die_with_parent(parent, signal.SIGTERM),
        )

    def _end_at_term(self, worker: subprocess.Popen[bytes]) -> None:
        # A handler may not wait for a lock, which its own thread may hold.
        terms: queue.SimpleQueue[bool] = queue.SimpleQueue()

        def end() -> None:
            terms.get()
            worker.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.wait(END_SECONDS)
            identity.forget(self._record, self._own)
            os._exit(128 + signal.SIGTERM)

        signal.signal(signal.SIGTERM, lambda *_: terms.put(True))
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=end, daemon=True).start()

    def _hear_server(self) -> None:
        """Until there is nothing more to hear, or the worker has gone."""
        rest = b""
        while not self._gone.is_set():
            if not select.select([0], [], [], TICK_SECONDS)[0]:
                continue
            data = os.read(0, 1024 * 1024)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.strip() and self._obey(json.loads(line)):
                    return
            if not data:
                return

    def _obey(self, message: dict[str, Any]) -> bool:
        """Whether it says to finish."""
        do = message["do"]
        if do == "run":
            attempt = Attempt(message)
            with self._lock:
                if attempt.name in self._attempts:
                    return False
                self._attempts[attempt.name] = attempt
            self._to_bring.put(attempt)
        elif do == "stop":
            with self._lock:
                stopped = self._attempts.get((message["index"], message["attempt"]))
                if stopped is not None:
                    stopped.is_stopped = True
                    if stopped.handed_on:
                        self._talk.stop(stopped.name)
        return do == "finish"

    def _leave(self, worker: subprocess.Popen[bytes]) -> int:
        with self._lock:
            # The server gives to another worker what has not come as far as to a free place of this one.
            for name in [name for name, attempt in self._attempts.items() if not attempt.handed_on]:
                del self._attempts[name]
        self._talk.finish()
        self._gone.wait()
        code = worker.wait()
        # What its queue still held, or what it died with, has not ended and never will.
        while self._has_unpublished():
            time.sleep(0.01)
        return 128 - code if code < 0 else code

    def _has_unpublished(self) -> bool:
        with self._lock:
            return any(attempt.has_ended for attempt in self._attempts.values())

    def _bring(self) -> None:
        while True:
            attempt = self._to_bring.get()
            self._ahead.acquire()
            failure: AttemptFailure | None = None
            try:
                attempt.brought = self._carriage.bring(attempt.order, lambda of=attempt: self._is_in_hand(of))
            except AttemptFailure as error:
                failure = error
            except StoreError as error:
                failure = AttemptFailure("store-unavailable", str(error))
            except OSError as error:
                failure = AttemptFailure("worker-lost", f"the scratch folder cannot be used: {error}")
            with self._lock:
                if attempt.name not in self._attempts:
                    self._ahead.release()
                    continue
                if attempt.is_stopped:
                    failure = AttemptFailure("stopped", "stopped before it started")
                if failure is None and attempt.brought is not None:
                    attempt.handed_on = True
                    self._talk.run({name: attempt.brought[name] for name in attempt.brought if name != "do"})
                    continue
            self.started(attempt.name, now())
            self.ended(attempt.name, Said(failure))

    def _is_in_hand(self, attempt: Attempt) -> bool:
        with self._lock:
            return attempt.name in self._attempts and not attempt.is_stopped

    def ready(self) -> None:
        self._tell({"event": "ready", "pid": os.getpid(), "slots": self._options.slots})

    def started(self, name: Name, at: str) -> None:
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is None:
                return
            attempt.started_at, attempt.started = at, time.monotonic()
            attempt.mark = Mark(self._options.run, name)
            key = f"{keys.attempt(self._options.run, *name)}/log"
            attempt.log = LiveLog(self._store, key, self._folder, (str(name[0]), str(name[1])))
        self._tell({"event": "started", "index": name[0], "attempt": name[1], "at": at})

    def progress(self, name: Name, progress: float) -> None:
        self._tell({"event": "progress", "index": name[0], "attempt": name[1], "progress": progress})

    def ended(self, name: Name, said: Said) -> None:
        with self._lock:
            attempt = self._attempts.get(name)
            if attempt is None:
                return
            attempt.has_ended = True
            self._ahead.release()
        # From here on it is not the program that takes time.
        self._tell({"event": "publishing", "index": name[0], "attempt": name[1]})
        self._to_publish.put((attempt, said))

    def gone(self, detail: str) -> None:
        self._gone.set()

    def _publish(self) -> None:
        while True:
            attempt, said = self._to_publish.get()
            if attempt.log is not None:
                attempt.log.end()
            try:
                report = self._carriage.publish(
                    attempt.order, said, attempt.started_at, attempt.started, attempt.is_wanted
                )
            except StoreError as error:
                ended = Ended(attempt.order, None, said, attempt.started_at, attempt.started)
                failure = said.failure or AttemptFailure("store-unavailable", str(error))
                report = report_of_ended(self._carriage.plan, ended, failure, [], 0, claimed=False)
            self._carriage.clear(attempt.order, brought=attempt.brought is not None)
            name = attempt.name
            self._tell({"event": "ended", "index": name[0], "attempt": name[1], "report": report})
            with self._lock:
                del self._attempts[name]
            if attempt.mark is not None:
                attempt.mark.end()

    def _tick(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            with self._lock:
                logs = [attempt.log for attempt in self._attempts.values() if attempt.log is not None]
            for log in logs:
                log.look()

    def _tell(self, event: dict[str, Any]) -> None:
        """A server that has gone is not missed: reports and claims are in the store for the next."""
        content = memoryview(json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
        with self._telling, contextlib.suppress(OSError):
            while content:
                content = content[os.write(1, content) :]


def main(options: argparse.Namespace, environment: Mapping[str, str]) -> int:
    try:
        return Local(options, environment).run()
    except (StoreError, OSError, KeyError, ValueError) as error:
        print(f"the transfer of the run cannot start: {error}", file=sys.stderr, flush=True)
        return 1
