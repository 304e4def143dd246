"""A pod's part of a run: its pack of tasks, one after another, each published as soon as it has ended."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labscale import alive
from labscale.claim import now
from labscale.failure import AttemptFailure
from labscale.s3.credentials import CredentialsFile
from labscale.s3.errors import StoreError
from labscale.s3.parallel import in_parallel
from labscale.s3.patience import Patience
from labscale.s3.place import place_of
from labscale.s3.store import ObjectStore
from labscale.transfer import keys
from labscale.transfer.analysis import fetch_analysis
from labscale.transfer.carriage import Carriage
from labscale.transfer.folder import Folder
from labscale.transfer.hearing import Name
from labscale.transfer.image_engine import ImageEngine
from labscale.transfer.journal import Journal
from labscale.transfer.lease import read_report, take_lease
from labscale.transfer.live_log import LiveLog
from labscale.transfer.orders import Order, read_pack
from labscale.transfer.said import Said
from labscale.transfer.shelf import Shelf
from labscale.transfer.turn import end_turns
from labscale.transfer.worker_engine import WorkerEngine

DONE, SOME_FAILED, AGAIN = 0, 65, 75
AT_ONCE = 4
TICK_SECONDS = 0.25
STOP_SECONDS = 3.0
LAST_SECONDS = 8.0
LEAVE_SECONDS = 120.0


@dataclass(frozen=True)
class PodSettings:
    """Where the pod is and what it is to do."""

    root: str
    kind: str
    run: str
    wave: int
    pack: int
    pod: str

    @classmethod
    def of(cls, environment: Mapping[str, str], root: str) -> PodSettings:
        """Raises KeyError, ValueError."""
        return cls(
            root,
            environment.get("LABSCALE_KIND", "worker"),
            environment["LABSCALE_RUN"],
            int(environment["LABSCALE_WAVE"]),
            int(environment["LABSCALE_PACK"]),
            environment["LABSCALE_POD"],
        )


@dataclass
class Task:
    """One of the pack that has a lease."""

    ordered: int
    order: Order
    """With the number of the lease."""
    brought: Order | None
    failure: AttemptFailure | None = None
    started_at: str = ""
    started: float = 0.0
    log: LiveLog | None = None

    @property
    def name(self) -> Name:
        return self.order["index"], self.order["attempt"]


class Pod:
    """All that is decided is decided by the thread of `run`; the others tell it by the inbox."""

    def __init__(self, settings: PodSettings, environment: Mapping[str, str]) -> None:
        self._settings = settings
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._to_publish: queue.SimpleQueue[tuple[Task, Said] | None] = queue.SimpleQueue()
        self._ahead = threading.Semaphore(2)
        self._current: Task | None = None
        self._publishing = 0
        self._failed_tasks = 0
        self._left = 0
        self._is_alone = False
        self._publisher: threading.Thread | None = None
        self._patience = Patience(float(environment.get("LABSCALE_STORE_PATIENCE") or 300))
        place = place_of(environment)
        credentials = CredentialsFile(environment["LABSCALE_S3_CREDENTIALS_FILE"])
        self._store = ObjectStore(place, credentials, self._patience)
        self._journal = Journal(
            self._store,
            keys.journal(settings.run, settings.wave, settings.pack),
            {"runId": settings.run, "wave": settings.wave, "pack": settings.pack, "pod": settings.pod},
        )

    def run(self) -> int:
        """The exit code; what it means is in ARCHITECTURE.md, "The pod"."""
        # A handler may not wait for a lock, which its own thread may hold.
        terms: queue.SimpleQueue[bool] = queue.SimpleQueue()
        signal.signal(signal.SIGTERM, lambda *_: terms.put(True))

        def hear_term() -> None:
            terms.get()
            self._patience.cut(LAST_SECONDS)
            self._inbox.put(("term",))

        self._thread(hear_term)
        try:
            tasks = self._begin()
            return self._work(tasks)
        except StoreError as error:
            return self._give_up(str(error))

    def _begin(self) -> list[Order]:
        """Put everything in its place for the program's side; the tasks that are left to do."""
        settings = self._settings
        self._journal.write()
        tasks = read_pack(self._store, settings.run, settings.wave, settings.pack)
        root = Folder.at(settings.root)
        with root.folder("objects", create=True) as objects:
            plan = fetch_analysis(self._store, settings.run, objects)
            self._attempts = objects.folder("runs", settings.run, "attempts", create=True)
        shards = root.folder("shards", create=True)
        shelf = Shelf(self._store, shards, os.path.join(settings.root, "shards"))
        self._carriage = Carriage(self._store, plan, shelf, self._attempts)
        hearing = _Inbox(self._inbox, self._journal)
        self._engine: WorkerEngine | ImageEngine = (
            ImageEngine(settings.root, root, self._attempts, shards, plan, hearing)
            if settings.kind == "container"
            else WorkerEngine(settings.root, settings.run, hearing)
        )
        self._engine.start()
        done: set[int] = set()

        def look(order: Order) -> None:
            claim = read_report(
                self._store, keys.claim(settings.run, order["index"]), settings.run, order["index"]
            )
            if claim is not None:
                self._journal.ended(claim, order["attempt"])
                done.add(order["index"])

        in_parallel(look, tasks, AT_ONCE)
        return [order for order in tasks if order["index"] not in done]

    def _work(self, tasks: list[Order]) -> int:
        self._left = len(tasks)
        self._thread(lambda: self._bring_all(tasks))
        self._publisher = self._thread(self._publish_all)
        self._thread(self._tick)
        waiting: list[Task] = []
        while self._left:
            kind, *said = self._inbox.get()
            if kind == "brought":
                waiting.append(said[0])
            elif kind == "started":
                self._started(*said)
            elif kind == "ended":
                self._ended(*said)
            elif kind == "settled":
                self._settled(*said)
            elif kind == "published":
                self._publishing -= 1
                self._settled(*said)
            elif kind == "gone":
                self._is_alone = True
                # What has only to be published still needs no program.
                if self._left > self._publishing:
                    return self._gone(said[0])
            elif kind == "fault":
                return self._give_up(str(said[0]))
            elif kind == "term":
                return self._stopped()
            # A program may run while the one before is published, but no more may lie about.
            if self._current is None and waiting and self._publishing < 2:
                self._hand_on(waiting.pop(0))
        self._to_publish.put(None)
        self._engine.finish()
        self._journal.write(ended=True)
        if not self._is_alone:
            self._wait_until(lambda kind, *_: kind == "gone", LEAVE_SECONDS)
        return SOME_FAILED if self._failed_tasks else DONE

    def _bring_all(self, tasks: list[Order]) -> None:
        settings = self._settings
        pod = {"pod": settings.pod, "wave": settings.wave, "pack": settings.pack}
        for ordered in tasks:
            self._ahead.acquire()
            lease = take_lease(self._store, settings.run, ordered["index"], ordered["attempt"], pod)
            order = {**ordered, "attempt": lease.number}
            if lease.report is not None:
                self._ahead.release()
                self._journal.ended(lease.report, ordered["attempt"])
                self._inbox.put(("settled", lease.report))
                continue
            task = Task(ordered["attempt"], order, None)
            try:
                task.brought = self._carriage.bring(order)
            except AttemptFailure as failure:
                task.failure = failure
            self._inbox.put(("brought", task))

    def _hand_on(self, task: Task) -> None:
        self._current = task
        task.started_at, task.started = now(), time.monotonic()
        if task.failure is not None or task.brought is None:
            self._journal.started(*task.name, task.ordered, task.started_at)
            self._ended(task.name, Said(task.failure))
            return
        log_key = f"{keys.attempt(self._settings.run, *task.name)}/log"
        task.log = LiveLog(self._store, log_key, self._attempts, (str(task.name[0]), str(task.name[1])))
        self._engine.run(task.brought)

    def _started(self, name: Name, at: str) -> None:
        if self._current is not None and self._current.name == name:
            self._current.started_at, self._current.started = at, time.monotonic()
            self._journal.started(*name, self._current.ordered, at)

    def _ended(self, name: Name, said: Said) -> None:
        task = self._current
        if task is None or task.name != name:
            return
        self._current = None
        self._ahead.release()
        self._publishing += 1
        self._to_publish.put((task, said))

    def _publish_all(self) -> None:
        while (given := self._to_publish.get()) is not None:
            task, said = given
            if task.log is not None:
                task.log.end()
            report = self._carriage.publish(task.order, said, task.started_at, task.started)
            self._journal.ended(report, task.ordered)
            self._carriage.clear(task.order, brought=task.brought is not None)
            self._inbox.put(("published", report))

    def _settled(self, report: dict[str, Any]) -> None:
        self._left -= 1
        # Who lost the claim lost it to a success.
        if report["state"] != "succeeded":
            self._failed_tasks += 1

    def _tick(self) -> None:
        while True:
            time.sleep(TICK_SECONDS)
            self._journal.write_if_changed()
            task = self._current
            if task is not None and task.log is not None:
                task.log.look()

    def _gone(self, detail: str) -> int:
        """The program's side has ended: what was running has to be run again."""
        # A pod that is ended has all its containers ended at once.
        if self._wait_until(lambda kind, *_: kind == "term", 1.0):
            return self._stopped()
        task = self._current
        running = f" while task {task.name[0]} was running" if task is not None else ""
        if task is not None and task.log is not None:
            task.log.end()
            self._patience.cut(LAST_SECONDS)
            self._carriage.publish_log(task.order)
        return self._give_up(f"the container of the program has gone{running}: {detail}")

    def _stopped(self) -> int:
        """The pod is being ended: say what is known while there is time."""
        self._patience.cut(LAST_SECONDS)
        task = self._current
        if task is not None:
            self._engine.stop(task.name)
            said = Said(None)

            def is_end(kind: str, *rest: Any) -> bool:
                nonlocal said
                if kind == "ended" and rest[0] == task.name:
                    said = rest[1]
                    return True
                return kind == "gone"

            self._wait_until(is_end, STOP_SECONDS)
            if said.failure is None and not said.outputs:
                said.failure = AttemptFailure("stopped", "its pod was ended by the cluster")
            self._ended(task.name, said)
        return self._give_up("the pod was ended by the cluster")

    def _give_up(self, detail: str) -> int:
        """Leave the rest to another pod, after what has ended is published."""
        print(detail, file=sys.stderr, flush=True)
        self._patience.cut(LAST_SECONDS)
        self._to_publish.put(None)
        if self._publisher is not None:
            self._publisher.join(LAST_SECONDS)
        try:
            self._journal.write(detail, ended=True)
        except StoreError as error:
            print(error, file=sys.stderr, flush=True)
        return AGAIN

    def _wait_until(self, matches: Callable[..., bool], seconds: float) -> bool:
        """Whether such a message came in time; the others are passed over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                if matches(*self._inbox.get(timeout=left)):
                    return True
            except queue.Empty:
                break
        return False

    def _thread(self, do: Callable[[], None]) -> threading.Thread:
        def guarded() -> None:
            try:
                do()
            except BaseException as error:
                self._inbox.put(("fault", error))

        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread


class _Inbox:
    """Hears what runs the programs."""

    def __init__(self, inbox: queue.SimpleQueue[tuple[Any, ...]], journal: Journal) -> None:
        self._inbox = inbox
        self._journal = journal

    def ready(self) -> None:
        pass

    def started(self, name: Name, at: str) -> None:
        self._inbox.put(("started", name, at))

    def progress(self, name: Name, progress: float) -> None:
        self._journal.progress(name[0], progress)

    def ended(self, name: Name, said: Said) -> None:
        self._inbox.put(("ended", name, said))

    def gone(self, detail: str) -> None:
        self._inbox.put(("gone", detail))


def main(root: str, environment: Mapping[str, str]) -> int:
    # Before anything else: who waits for us must learn it when we end.
    alive.hold(os.path.join(root, "channel.sock.alive"))
    try:
        settings = PodSettings.of(environment, root)
        return Pod(settings, environment).run()
    except (StoreError, OSError) as error:
        print(error, file=sys.stderr, flush=True)
    except (KeyError, ValueError) as error:
        print(f"the pod is not set up right: {error}", file=sys.stderr, flush=True)
    finally:
        with contextlib.suppress(OSError), Folder.at(root) as folder:
            end_turns(folder)
    return AGAIN
