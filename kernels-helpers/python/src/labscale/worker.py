"""The worker: a process per run that imports once, forks slots, and passes messages between server and slots.

Started by its path with the interpreter of the analysis, which may know nothing of labscale; the protocol is
in ARCHITECTURE.md, "The worker protocol".
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import select
import shutil
import signal
import socket
import sys
from collections import deque
from typing import Any

FOLDER = os.path.dirname(os.path.abspath(__file__))


def _find_package() -> None:
    """Make `import labscale` give this package, and nothing else of the folder that it lies in.

    The interpreter put this file's folder first on the path, where `import log` would find ours; and the
    folder above may be the site-packages of another interpreter.
    """
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != FOLDER]
    if "labscale" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "labscale", os.path.join(FOLDER, "__init__.py"), submodule_search_locations=[FOLDER]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["labscale"] = module
    spec.loader.exec_module(module)


_find_package()

from labscale import processes  # noqa: E402
from labscale.attempt import Places, lost_report, now  # noqa: E402
from labscale.failure import AttemptFailure, from_os_error  # noqa: E402
from labscale.programs import Program, choose_program  # noqa: E402
from labscale.slot import Lines, serve  # noqa: E402

Order = dict[str, Any]


class Slot:
    """The dispatcher's end of a slot."""

    def __init__(self, pid: int, lines: Lines) -> None:
        self.pid = pid
        self.lines = lines
        self.order: Order | None = None
        self.started_at = ""


class Dispatcher:
    """Hands `run` messages to idle slots and passes their events on.

    Parameters
    ----------
    input, output
        Descriptors of the protocol.
    """

    def __init__(
        self, places: Places, plan: dict[str, Any], options: argparse.Namespace, input: int, output: int
    ) -> None:
        self._places = places
        self._plan = plan
        self._options = options
        self._input = input
        self._output = output
        self._input_rest = b""
        self._pending = bytearray()
        self._reader_gone = False
        self._finishing = False
        self._input_open = True
        self._queue: deque[Order] = deque()
        self._seen: set[tuple[int, int]] = set()
        self._slots: list[Slot] = []
        self._program: Program | None = None
        self._unable: AttemptFailure | None = None

    def serve(self) -> None:
        """Until `finish` or the end of the input, and until what is running then has ended."""
        self._tell({"event": "ready", "pid": os.getpid(), "slots": self._options.slots})
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)
        while not (self._finishing and all(slot.order is None for slot in self._slots)):
            reading: list[Any] = [slot.lines.channel for slot in self._slots]
            if self._input_open:
                reading.append(self._input)
            writing = [self._output] if self._pending and not self._reader_gone else []
            readable, writable, _ = select.select(reading, writing, [])
            if writable:
                self._flush()
            for slot in list(self._slots):
                if slot.lines.channel in readable:
                    self._hear(slot)
            if self._input in readable:
                self._read_input()
            self._hand_out()
        for slot in self._slots:
            slot.lines.channel.close()
        for slot in self._slots:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(slot.pid, 0)
        os.set_blocking(self._output, True)
        self._flush()

    def end_slots(self) -> None:
        """End all that this worker has started, at once."""
        for slot in self._slots:
            with contextlib.suppress(ProcessLookupError):
                os.kill(slot.pid, signal.SIGTERM)
        for slot in self._slots:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(slot.pid, 0)
        processes.end_children()

    def _read_input(self) -> None:
        try:
            data = os.read(self._input, 1024 * 1024)
        except BlockingIOError:
            return
        if not data:
            self._input_open = False
            self._finish()
            return
        *lines, self._input_rest = (self._input_rest + data).split(b"\n")
        for line in lines:
            if line.strip():
                self._obey(line)

    def _obey(self, line: bytes) -> None:
        try:
            message = json.loads(line)
            do = message["do"]
            name = (message["index"], message["attempt"]) if do in ("run", "stop") else None
        except (ValueError, TypeError, KeyError):
            print(f"a message cannot be read: {line[:200]!r}", file=sys.stderr)
            return
        if do == "run" and name is not None and name not in self._seen and not self._finishing:
            self._seen.add(name)
            self._queue.append(message)
        elif do == "stop" and name is not None:
            self._stop(name)
        elif do == "finish":
            self._finish()

    def _finish(self) -> None:
        # What comes before the word and finds a free slot is begun, however the messages came; the rest is
        # the server's to give to another worker.
        self._hand_out()
        self._finishing = True
        self._queue.clear()

    def _stop(self, name: tuple[int, int]) -> None:
        for order in self._queue:
            if (order["index"], order["attempt"]) == name:
                self._queue.remove(order)
                self._report_unstarted(order, AttemptFailure("stopped", "stopped before it started"))
                return
        for slot in self._slots:
            if slot.order is not None and (slot.order["index"], slot.order["attempt"]) == name:
                with contextlib.suppress(OSError):
                    slot.lines.send({"do": "stop", "index": name[0], "attempt": name[1]})

    def _hand_out(self) -> None:
        while self._queue:
            if self._program is None and self._unable is None:
                self._warm_up(self._queue[0])
            if self._unable is not None:
                order = self._queue.popleft()
                self._tell(
                    {"event": "started", "index": order["index"], "attempt": order["attempt"], "at": now()}
                )
                self._report_unstarted(order, self._unable)
                continue
            while len(self._slots) < self._options.slots:
                self._fork_slot()
            slot = next((slot for slot in self._slots if slot.order is None), None)
            if slot is None:
                return
            slot.order = self._queue.popleft()
            slot.started_at = ""
            # A slot that has just died is noticed at its next read, with this order still on it.
            with contextlib.suppress(OSError):
                slot.lines.send(slot.order)

    def _warm_up(self, first: Order) -> None:
        """Only now: thread limits are known with the first order, and a worker that waits holds no memory."""
        options = self._options
        try:
            self._program = choose_program(
                self._plan,
                self._places.objects,
                options.jupyter_python,
                first["resources"]["cpus"],
                options.ipython,
            )
        except AttemptFailure as failure:
            self._unable = failure
        except OSError as error:
            self._unable = from_os_error(error)
        except Exception as error:
            self._unable = AttemptFailure("kernel-missing", f"the notebook cannot be prepared: {error}")

    def _fork_slot(self) -> None:
        ours, theirs = socket.socketpair()
        assert self._program is not None
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            try:
                ours.close()
                for slot in self._slots:
                    slot.lines.channel.close()
                os.close(self._input)
                os.close(self._output)
                serve(theirs, self._places, self._plan, self._program)
            except BaseException:
                sys.excepthook(*sys.exc_info())
                sys.stderr.flush()
            finally:
                processes.end_children()
                os._exit(1)
        theirs.close()
        self._slots.append(Slot(pid, Lines(ours)))

    def _hear(self, slot: Slot) -> None:
        events = slot.lines.receive()
        if events is None:
            self._bury(slot)
            return
        for event in events:
            if event["event"] == "started":
                slot.started_at = event["at"]
            elif event["event"] == "ended":
                slot.order = None
            self._tell(event)

    def _bury(self, slot: Slot) -> None:
        """A slot has died: end what it left behind, say how its attempt ended, and forget it."""
        self._slots.remove(slot)
        slot.lines.channel.close()
        with contextlib.suppress(ProcessLookupError):
            os.kill(slot.pid, signal.SIGKILL)
        status = 0
        with contextlib.suppress(ChildProcessError):
            _, status = os.waitpid(slot.pid, 0)
        # Orphans of the slot are our own children now.
        processes.end_children(keep=frozenset(other.pid for other in self._slots))
        order = slot.order
        if order is None:
            return
        scratch = os.path.join(
            self._places.data, "scratch", self._plan["runId"], f"{order['index']}-{order['attempt']}"
        )
        shutil.rmtree(scratch, ignore_errors=True)
        how = (
            f"signal {os.WTERMSIG(status)}"
            if os.WIFSIGNALED(status)
            else f"exit code {os.WEXITSTATUS(status)}"
        )
        report = self._claimed_report(order)
        if report is None:
            reason = f"the process of the worker that ran this was lost ({how})"
            report = lost_report(self._plan, order, slot.started_at or now(), reason)
        self._tell({"event": "ended", "index": order["index"], "attempt": order["attempt"], "report": report})

    def _claimed_report(self, order: Order) -> dict[str, Any] | None:
        """The report that the slot had claimed with before it could say so."""
        claim = os.path.join(
            self._places.objects, "runs", self._plan["runId"], "claims", f"{order['index']}.json"
        )
        with contextlib.suppress(OSError, ValueError):
            with open(claim, encoding="utf-8") as file:
                report = json.load(file)
            if report["attempt"] == order["attempt"]:
                return report
        return None

    def _report_unstarted(self, order: Order, failure: AttemptFailure) -> None:
        report = lost_report(self._plan, order, now(), failure.reason)
        report["exitKind"] = failure.exit_kind
        report["state"] = "stopped" if failure.exit_kind == "stopped" else "failed"
        self._tell({"event": "ended", "index": order["index"], "attempt": order["attempt"], "report": report})

    def _tell(self, event: dict[str, Any]) -> None:
        if not self._reader_gone:
            self._pending += json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            self._flush()

    def _flush(self) -> None:
        try:
            while self._pending:
                del self._pending[: os.write(self._output, self._pending)]
        except BlockingIOError:
            pass
        except OSError:
            # The server has gone. What runs goes on: its reports and claims are in the store for the next
            # server.
            self._reader_gone = True
            self._pending.clear()


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="labscale worker", description="Runs the tasks of one run; started by the server."
    )
    for name in ("data", "objects", "run", "worker"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--jupyter-python")
    options = parser.parse_args()
    own = os.path.join(os.path.abspath(options.data), "scratch", options.run, f"worker-{options.worker}")
    places = Places(
        os.path.abspath(options.data), os.path.abspath(options.objects), os.path.join(own, "helpers")
    )
    try:
        with open(os.path.join(places.objects, "runs", options.run, "plan.json"), encoding="utf-8") as file:
            plan = json.load(file)
    except (OSError, ValueError) as error:
        print(f"the plan of the run cannot be read: {error}", file=sys.stderr)
        return 1
    # Nothing that is imported or run here may read the protocol's input or write to its output.
    input, output = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    processes.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options.ipython = os.path.join(own, "ipython")
    identity = os.path.join(places.data, "workers", f"{options.worker}.json")
    dispatcher = Dispatcher(places, plan, options, input, output)

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        dispatcher.end_slots()
        _forget(identity, own)
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    _introduce(identity, options.run)
    shutil.rmtree(own, ignore_errors=True)
    os.makedirs(places.helpers)
    os.symlink(FOLDER, os.path.join(places.helpers, "labscale"))
    try:
        dispatcher.serve()
    finally:
        _forget(identity, own)
    sys.stderr.flush()
    # What the notebook imported may leave threads or handlers that would keep an ordinary exit waiting.
    os._exit(0)


def _introduce(path: str, run: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump({"pid": os.getpid(), "startTicks": processes.start_ticks(os.getpid()), "runId": run}, file)
    os.replace(path + ".new", path)


def _forget(identity: str, own: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(identity)
    shutil.rmtree(own, ignore_errors=True)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(own))


if __name__ == "__main__":
    sys.exit(main())
