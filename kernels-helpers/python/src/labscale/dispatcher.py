"""The dispatcher of a worker: forks slots, hands them orders of the server, passes their events on."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import sys
from collections import deque
from typing import Any

from labscale import processes
from labscale.claim import now, report_of, unmeasured
from labscale.failure import AttemptFailure, from_os_error
from labscale.places import Places
from labscale.programs import Program, choose_program
from labscale.slot import Lines, serve

Order = dict[str, Any]

LEFT_ALONE = 75
"""Exit code of a worker whose channel was closed without a word."""


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
        self.exit_code = 0
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
        except ConnectionResetError:
            data = b""
        if not data:
            self._input_open = False
            if self._options.channel and not self._finishing:
                # Nobody is left to publish what would still be made.
                self.end_slots()
                self._slots.clear()
                self.exit_code = LEFT_ALONE
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
        if self.exit_code == 0:
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
        scratch = self._places.scratch(self._plan["runId"], order["index"], order["attempt"])
        shutil.rmtree(scratch, ignore_errors=True)
        how = (
            f"signal {os.WTERMSIG(status)}"
            if os.WIFSIGNALED(status)
            else f"exit code {os.WEXITSTATUS(status)}"
        )
        report = self._claimed_report(order)
        if report is None:
            reason = f"the process of the worker that ran this was lost ({how})"
            lost = AttemptFailure("worker-lost", reason)
            report = report_of(self._plan, order, unmeasured(slot.started_at or now()), lost)
        self._tell({"event": "ended", "index": order["index"], "attempt": order["attempt"], "report": report})

    def _claimed_report(self, order: Order) -> dict[str, Any] | None:
        """The report that the slot had claimed with before it could say so."""
        claim = self._places.claim(self._plan["runId"], order["index"])
        with contextlib.suppress(OSError, ValueError):
            with open(claim, encoding="utf-8") as file:
                report = json.load(file)
            if report["attempt"] == order["attempt"]:
                return report
        return None

    def _report_unstarted(self, order: Order, failure: AttemptFailure) -> None:
        report = report_of(self._plan, order, unmeasured(now()), failure)
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
