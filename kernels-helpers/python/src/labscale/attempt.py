"""One attempt at a task: prepare, run the program, watch it, end its tree, check what it left, claim."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import resource
import select
import shutil
import time
from collections.abc import Callable
from typing import Any

from labscale import processes
from labscale.child import become_program, end, ending, open_pidfd, read_result, signal_name
from labscale.claim import Measures, conclude, now
from labscale.contract import as_typed
from labscale.failure import AttemptFailure, from_os_error, readable_bytes
from labscale.inputs import link_files, link_shard
from labscale.log import CappedLog
from labscale.memory_kills import count_memory_kills
from labscale.outputs import collect_outputs
from labscale.places import Places
from labscale.programs import Program
from labscale.reported import Reported

SAMPLE_SECONDS = 0.025
LOG_TAIL_BYTES = 8 * 1024


class Attempt:
    """What the dispatcher asked for in one `run` message, on its way to a report.

    Parameters
    ----------
    order
        The `run` message.
    tell
        Takes each event for the server.
    """

    def __init__(
        self,
        places: Places,
        plan: dict[str, Any],
        program: Program,
        order: dict[str, Any],
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        self._plan = plan
        self._order = order
        self._program = program
        self._places = places
        self._tell = tell
        self._name = {"index": order["index"], "attempt": order["attempt"]}
        run, index, attempt = plan["runId"], order["index"], order["attempt"]
        self._scratch = places.scratch(run, index, attempt)
        self._folder = places.attempt(run, index, attempt)
        self._out = os.path.join(self._folder, "out")
        self._stop_asked = False

    def is_named(self, index: int, attempt: int) -> bool:
        return self._name == {"index": index, "attempt": attempt}

    def stop(self) -> None:
        self._stop_asked = True

    def run(self, channel: int, on_channel: Callable[[], None]) -> dict[str, Any]:
        """Do all of it and return the report; `on_channel` is called when `channel` has something to read."""
        self._measures = Measures(now(), time.monotonic())
        self._tell({"event": "started", **self._name, "at": self._measures.started_at})
        processes.mark(self._plan["runId"], str(self._order["index"]), str(self._order["attempt"]))
        outcome: list[dict[str, Any]] | AttemptFailure
        try:
            values = self._prepare()
            self._execute(values, channel, on_channel)
            if self._reported.trouble is not None:
                raise AttemptFailure("output-unusable", self._reported.trouble)
            contract = self._plan["analysis"]["contract"]
            command = self._plan["analysis"]["kind"] == "command"
            outcome = collect_outputs(self._out, contract.get("outputs", []), command)
        except AttemptFailure as error:
            outcome = error
        except OSError as error:
            outcome = from_os_error(error)
        shutil.rmtree(self._scratch, ignore_errors=True)
        report = conclude(self._places, self._plan, self._order, self._measures, outcome)
        processes.mark("", "", "")
        return report

    def _prepare(self) -> dict[str, Any]:
        """Make the folders, links and files that the program finds; returns the values of its parameters."""
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._out)
        self._input = os.path.join(self._scratch, "in")
        self._work = os.path.join(self._scratch, "work")
        os.makedirs(self._input)
        os.mkdir(self._work)
        shard = self._order["shard"]
        link_shard(shard, self._places.objects, self._input)
        link_files(self._plan["analysis"].get("files", []), self._places.objects, self._work)
        values = self._values()
        self._write("parameters.json", values)
        files = [{name: item[name] for name in ("path", "sizeBytes", "digest")} for item in shard["objects"]]
        described = {name: shard[name] for name in ("key", "entities", "metadata", "digest")}
        self._write("shard.json", {**described, "files": files})
        self._report = os.path.join(self._scratch, "report.jsonl")
        self._reported = Reported(self._report, self._tell_progress)
        self._measures.metrics = self._reported.metrics
        return values

    def _values(self) -> dict[str, Any]:
        version = self._order["parameterSetVersionId"]
        parameter_set = self._plan["parameterSets"].get(version)
        if parameter_set is None:
            raise AttemptFailure(
                "parameters-unusable", f"the plan of the run has no parameter set version {version}"
            )
        return as_typed(parameter_set["values"], self._plan["analysis"]["contract"].get("parameters", []))

    def _tell_progress(self, progress: float) -> None:
        self._tell({"event": "progress", **self._name, "progress": progress})

    def _write(self, name: str, value: object) -> None:
        with open(os.path.join(self._scratch, name), "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False)

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ)
        for secret in ("LABSCALE_TOKEN", "LABSCALE_URL", "LABSCALE_CONNECTION_FILE"):
            environment.pop(secret, None)
        own = {
            "LABSCALE_RUN": self._plan["runId"],
            "LABSCALE_TASK": str(self._order["index"]),
            "LABSCALE_ATTEMPT": str(self._order["attempt"]),
            "LABSCALE_INPUT": self._input,
            "LABSCALE_OUTPUT": self._out,
            "LABSCALE_PARAMETERS": os.path.join(self._scratch, "parameters.json"),
            "LABSCALE_SHARD": os.path.join(self._scratch, "shard.json"),
            "LABSCALE_REPORT": self._report,
        }
        return {**environment, **own}

    def _execute(self, values: dict[str, Any], channel: int, on_channel: Callable[[], None]) -> None:
        measures = self._measures
        task = self._program.task(
            values=values,
            order=self._order,
            environment=self._environment(),
            input=self._input,
            output=self._out,
            work=self._work,
            scratch=self._scratch,
            helpers=self._places.helpers,
            report=self._report,
        )
        log = CappedLog(os.path.join(self._folder, "log"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        kills_before = count_memory_kills()
        log_read, log_write = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        result_read, result_write = os.pipe()
        slot = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(log_read)
            os.close(result_read)
            os.close(channel)
            become_program(task.run, slot, log_write, result_write, self._work)
        os.close(log_write)
        os.close(result_write)
        verdict: AttemptFailure | None = None
        try:
            os.set_blocking(log_read, False)
            os.set_blocking(result_read, False)
            with contextlib.suppress(OSError, AttributeError):
                fcntl.fcntl(log_read, fcntl.F_SETPIPE_SZ, 1024 * 1024)  # type: ignore[attr-defined]
            verdict = self._watch(pid, log, log_read, channel, on_channel)
        finally:
            status, usage = end(pid)
            processes.end_children()
            while log.read_from(log_read):
                pass
            os.close(log_read)
            said = read_result(result_read)
            os.close(result_read)
            self._reported.read(final=True)
            tail = log.last_text(LOG_TAIL_BYTES)
            log.close()
            measures.log_bytes = log.size_bytes
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            measures.cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            if usage:
                own_bytes = usage.ru_maxrss * (1024 if processes.LINUX else 1)
                measures.peak_bytes = max(measures.peak_bytes, own_bytes)
        if os.WIFEXITED(status):
            measures.exit_code = os.WEXITSTATUS(status)
        if verdict is not None:
            measures.exit_code = None
            raise AttemptFailure(verdict.exit_kind, verdict.reason, verdict.text or tail)
        if log.error is not None:
            raise from_os_error(log.error)
        try:
            self._judge(task.speaks, status, said, tail)
        except AttemptFailure as failure:
            # Where memory is held to a limit from outside, that may be quicker than our look at the tree.
            if failure.exit_kind == "out-of-memory" or count_memory_kills() == kills_before:
                raise
            measures.exit_code = None
            raise AttemptFailure("out-of-memory", self._memory_reason(), failure.text or tail) from None

    def _watch(
        self, pid: int, log: CappedLog, log_read: int, channel: int, on_channel: Callable[[], None]
    ) -> AttemptFailure | None:
        """Until the program ends by itself (None) or must be ended (why)."""
        limits = self._order["resources"]
        deadline = self._measures.started + limits["timeLimitSeconds"]
        poller = select.poll()
        poller.register(log_read, select.POLLIN)
        poller.register(channel, select.POLLIN)
        exit_fd = open_pidfd(pid)
        if exit_fd is not None:
            poller.register(exit_fd, select.POLLIN)
        next_sample = time.monotonic() + SAMPLE_SECONDS
        try:
            while True:
                now = time.monotonic()
                wait = max(0.0, min(next_sample, deadline) - now)
                if exit_fd is None:
                    wait = min(wait, 0.005)
                ended = False
                for fd, _ in poller.poll(math.ceil(wait * 1000)):
                    if fd == log_read:
                        if not log.read_from(log_read):
                            poller.unregister(log_read)
                        elif log.received_bytes > 1024 * 1024:
                            # Let a flood gather in the pipe: fewer reads, and the program gets the processor.
                            time.sleep(0.001)
                    elif fd == channel:
                        on_channel()
                    elif fd == exit_fd:
                        ended = True
                if exit_fd is None:
                    ended = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
                if self._stop_asked:
                    return AttemptFailure("stopped", "stopped on request")
                if ended:
                    return None
                now = time.monotonic()
                if now >= deadline:
                    limit = limits["timeLimitSeconds"]
                    return AttemptFailure("time-limit", f"still running at the time limit of {limit:g} s")
                if now >= next_sample:
                    self._reported.read(final=False)
                    held = processes.resident_bytes(processes.descendants(os.getpid()))
                    self._measures.peak_bytes = max(self._measures.peak_bytes, held)
                    if held > limits["memoryBytes"]:
                        return AttemptFailure("out-of-memory", self._memory_reason())
                    # A look at a large tree takes long; it shall not take more than a twentieth of the time.
                    taken = time.monotonic() - now
                    next_sample = now + max(SAMPLE_SECONDS, 20 * taken)
        finally:
            if exit_fd is not None:
                os.close(exit_fd)

    def _memory_reason(self) -> str:
        limit = readable_bytes(self._order["resources"]["memoryBytes"])
        return f"used {readable_bytes(self._measures.peak_bytes)} of memory; the limit is {limit}"

    def _judge(self, speaks: bool, status: int, said: dict[str, Any] | None, tail: str) -> None:
        """Raise what the end of the program means; `speaks` for a program that gives a result of its own."""
        if said is not None and said.get("exitKind") == "succeeded":
            self._measures.exit_code = 0
            return
        if said is not None:
            self._measures.exit_code = said.get("exitCode")
            reason = said["reason"]
            if said["exitKind"] == "out-of-memory":
                reason = f"{reason} ({self._memory_reason()})"
            raise AttemptFailure(said["exitKind"], reason, said.get("failureText"))
        if speaks:
            raise AttemptFailure(
                "kernel-died", f"the kernel died in the middle of the notebook: {ending(status)}", tail
            )
        if os.WIFSIGNALED(status):
            raise AttemptFailure(
                "signal", f"the program was ended by {signal_name(os.WTERMSIG(status))}", tail
            )
        if self._measures.exit_code != 0:
            if "No space left on device" in tail:
                raise AttemptFailure(
                    "disk-full", "the disk is full: the program wrote `No space left on device`", tail
                )
            raise AttemptFailure(
                "exit-code", f"the program ended with exit code {self._measures.exit_code}", tail
            )
