"""One attempt at a task: prepare, run the program, watch it, end its tree, check, digest, report, claim."""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import resource
import select
import shutil
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from labscale import processes
from labscale.contract import as_typed
from labscale.failure import FULL, AttemptFailure, from_os_error, readable_bytes
from labscale.log import CappedLog
from labscale.outputs import collect_outputs, file_digest
from labscale.programs import Program

SAMPLE_SECONDS = 0.025
PROGRESS_SECONDS = 0.2
LOG_TAIL_BYTES = 8 * 1024
REPORT_BYTES = 16 * 1024 * 1024
METRICS = 1000
RESULT_BYTES = 60 * 1024


@dataclass(frozen=True)
class Places:
    """Folders that a worker was started with."""

    data: str
    objects: str
    helpers: str
    """Folder that holds the package `labscale` and nothing else, so that it shadows nothing on a path."""


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
        self._scratch = os.path.join(places.data, "scratch", run, f"{index}-{attempt}")
        self._folder = os.path.join(places.objects, "runs", run, "attempts", str(index), str(attempt))
        self._out = os.path.join(self._folder, "out")
        self._claim = os.path.join(places.objects, "runs", run, "claims", f"{index}.json")
        self._metrics: dict[str, float] = {}
        self._progress = 0.0
        self._progress_told_at = 0.0
        self._own_progress = False
        self._report_offset = 0
        self._report_rest = b""
        self._report_trouble: str | None = None
        self._peak = 0
        self._cpu = 0.0
        self._log_bytes = 0
        self._exit_code: int | None = None
        self._stop_asked = False

    def is_named(self, index: int, attempt: int) -> bool:
        return self._name == {"index": index, "attempt": attempt}

    def stop(self) -> None:
        self._stop_asked = True

    def run(self, channel: int, on_channel: Callable[[], None]) -> dict[str, Any]:
        """Do all of it and return the report; `on_channel` is called when `channel` has something to read."""
        self._started_at = now()
        self._started = time.monotonic()
        self._tell({"event": "started", **self._name, "at": self._started_at})
        processes.mark(self._plan["runId"], str(self._order["index"]), str(self._order["attempt"]))
        failure: AttemptFailure | None = None
        objects: list[dict[str, Any]] = []
        try:
            values = self._prepare()
            self._execute(values, channel, on_channel)
            if self._report_trouble is not None:
                raise AttemptFailure("output-unusable", self._report_trouble)
            contract = self._plan["analysis"]["contract"]
            command = self._plan["analysis"]["kind"] == "command"
            objects = collect_outputs(self._out, contract.get("outputs", []), command)
        except AttemptFailure as error:
            failure = error
        except OSError as error:
            failure = from_os_error(error)
        shutil.rmtree(self._scratch, ignore_errors=True)
        report = self._publish(objects, failure)
        processes.mark("", "", "")
        return report

    def _prepare(self) -> dict[str, Any]:
        shutil.rmtree(self._scratch, ignore_errors=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._out)
        self._input = os.path.join(self._scratch, "in")
        self._work = os.path.join(self._scratch, "work")
        os.makedirs(self._input)
        os.mkdir(self._work)
        shard = self._order["shard"]
        for item in shard["objects"]:
            _link(self._data_file(item), _below(self._input, item["path"]))
        for item in self._plan["analysis"].get("files", []):
            _link(os.path.join(self._places.objects, item["key"]), _below(self._work, item["path"]))
        values = self._values()
        self._write("parameters.json", values)
        files = [{name: item[name] for name in ("path", "sizeBytes", "digest")} for item in shard["objects"]]
        described = {name: shard[name] for name in ("key", "entities", "metadata", "digest")}
        self._write("shard.json", {**described, "files": files})
        self._report = os.path.join(self._scratch, "report.jsonl")
        with open(self._report, "wb"):
            pass
        return values

    def _values(self) -> dict[str, Any]:
        version = self._order["parameterSetVersionId"]
        parameter_set = self._plan["parameterSets"].get(version)
        if parameter_set is None:
            raise AttemptFailure(
                "parameters-unusable", f"the plan of the run has no parameter set version {version}"
            )
        return as_typed(parameter_set["values"], self._plan["analysis"]["contract"].get("parameters", []))

    def _data_file(self, item: dict[str, Any]) -> str:
        """The file of an object of the shard, after a look whether it still is what the manifest says."""
        path, key = item["path"], self._order["shard"]["key"]
        if "file" not in item:
            file = _below(self._places.objects, item["key"])
            try:
                if os.stat(file).st_size != item["sizeBytes"]:
                    raise AttemptFailure(
                        "shard-changed", f"the object {path} of the shard {key} has another size now"
                    )
            except (FileNotFoundError, NotADirectoryError):
                raise AttemptFailure(
                    "shard-missing", f"the object {path} of the shard {key} is gone"
                ) from None
            return file
        file = item["file"]
        try:
            now = os.stat(file)
            same = now.st_size == item["sizeBytes"]
            if same and str(now.st_mtime_ns) != str(item.get("modifiedNs")):
                same = file_digest(file) == item["digest"]
        except (FileNotFoundError, NotADirectoryError):
            raise AttemptFailure("shard-missing", f"the file {path} of the shard {key} is gone") from None
        except PermissionError:
            raise AttemptFailure(
                "shard-missing", f"the file {path} of the shard {key} may not be read"
            ) from None
        if not same:
            raise AttemptFailure(
                "shard-changed",
                f"the file {path} of the shard {key} is no longer what was registered; "
                "update the dataset and plan anew",
            )
        return file

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
        log_read, log_write = os.pipe2(os.O_CLOEXEC) if hasattr(os, "pipe2") else os.pipe()
        result_read, result_write = os.pipe()
        slot = os.getpid()
        pid = os.fork()
        if pid == 0:
            os.close(log_read)
            os.close(result_read)
            os.close(channel)
            _become_program(task.run, slot, log_write, result_write, self._work)
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
            status, usage = _end(pid)
            processes.end_children()
            while log.read_from(log_read):
                pass
            os.close(log_read)
            said = _read_result(result_read)
            os.close(result_read)
            self._read_report(final=True)
            tail = log.last_text(LOG_TAIL_BYTES)
            log.close()
            self._log_bytes = log.size_bytes
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            self._cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self._peak = max(self._peak, usage.ru_maxrss * (1024 if processes.LINUX else 1) if usage else 0)
        if os.WIFEXITED(status):
            self._exit_code = os.WEXITSTATUS(status)
        if verdict is not None:
            self._exit_code = None
            raise AttemptFailure(verdict.exit_kind, verdict.reason, verdict.text or tail)
        if log.error is not None:
            raise from_os_error(log.error)
        self._judge(task.speaks, status, said, tail)

    def _watch(
        self, pid: int, log: CappedLog, log_read: int, channel: int, on_channel: Callable[[], None]
    ) -> AttemptFailure | None:
        """Until the program ends by itself (None) or must be ended (why)."""
        limits = self._order["resources"]
        deadline = self._started + limits["timeLimitSeconds"]
        poller = select.poll()
        poller.register(log_read, select.POLLIN)
        poller.register(channel, select.POLLIN)
        exit_fd = _open_pidfd(pid)
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
                    self._read_report(final=False)
                    held = processes.resident_bytes(processes.descendants(os.getpid()))
                    self._peak = max(self._peak, held)
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
        return f"used {readable_bytes(self._peak)} of memory; the limit is {limit}"

    def _judge(self, speaks: bool, status: int, said: dict[str, Any] | None, tail: str) -> None:
        """Raise what the end of the program means; `speaks` for a program that gives a result of its own."""
        if said is not None and said.get("exitKind") == "succeeded":
            self._exit_code = 0
            return
        if said is not None:
            self._exit_code = said.get("exitCode")
            reason = said["reason"]
            if said["exitKind"] == "out-of-memory":
                reason = f"{reason} ({self._memory_reason()})"
            raise AttemptFailure(said["exitKind"], reason, said.get("failureText"))
        if speaks:
            raise AttemptFailure(
                "kernel-died", f"the kernel died in the middle of the notebook: {_ending(status)}", tail
            )
        if os.WIFSIGNALED(status):
            raise AttemptFailure(
                "signal", f"the program was ended by {_signal_name(os.WTERMSIG(status))}", tail
            )
        if self._exit_code != 0:
            if "No space left on device" in tail:
                raise AttemptFailure(
                    "disk-full", "the disk is full: the program wrote `No space left on device`", tail
                )
            raise AttemptFailure("exit-code", f"the program ended with exit code {self._exit_code}", tail)

    def _read_report(self, final: bool) -> None:
        """Take new lines of the report file: metrics are kept, progress is passed on."""
        try:
            size = os.stat(self._report).st_size
            if size <= self._report_offset and not final:
                return
            if size > REPORT_BYTES:
                self._report_trouble = f"the report file is larger than {readable_bytes(REPORT_BYTES)}"
                return
            with open(self._report, "rb") as file:
                file.seek(self._report_offset)
                data = file.read()
        except OSError as error:
            self._report_trouble = f"the report file cannot be read: {error}"
            return
        self._report_offset += len(data)
        *lines, self._report_rest = (self._report_rest + data).split(b"\n")
        if final and self._report_rest.strip():
            lines.append(self._report_rest)
        for line in lines:
            if line.strip():
                self._take_report_line(line)
        now = time.monotonic()
        if not final and self._progress > 0 and now - self._progress_told_at >= PROGRESS_SECONDS:
            self._progress_told_at = now
            self._tell({"event": "progress", **self._name, "progress": self._progress})

    def _take_report_line(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError
        except ValueError:
            shown = line[:80].decode("utf-8", "replace")
            self._report_trouble = f"a line of the report file is not a JSON object: {shown}"
            return
        if isinstance(entry.get("metric"), dict):
            for name, value in entry["metric"].items():
                self._take_metric(name, value)
        progress = entry.get("progress")
        if isinstance(progress, int | float) and math.isfinite(progress):
            self._own_progress = True
            self._progress = min(1.0, max(0.0, float(progress)))
        cells = entry.get("cells")
        if isinstance(cells, list) and len(cells) == 2 and not self._own_progress:
            self._progress = min(1.0, cells[0] / max(1, cells[1]))

    def _take_metric(self, name: str, value: object) -> None:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number) or isinstance(value, str):
            shown = str(value)[:80]
            self._report_trouble = f"the metric {name[:200]} is {shown}; metrics are finite numbers"
        elif len(self._metrics) >= METRICS and name not in self._metrics:
            self._report_trouble = f"there are more than {METRICS} metrics"
        else:
            self._metrics[name] = value  # type: ignore[assignment]

    def _publish(self, objects: list[dict[str, Any]], failure: AttemptFailure | None) -> dict[str, Any]:
        """Write report.json and claim; a failure on the way becomes the failure of the attempt."""
        if failure is None:
            report = self._report_of(objects, None, claimed=True)
            try:
                self._store_report(report)
                os.makedirs(os.path.dirname(self._claim), exist_ok=True)
                # The claim is the report itself: one link(2), which exactly one of many gets.
                os.link(os.path.join(self._folder, "report.json"), self._claim)
                return report
            except FileExistsError:
                shutil.rmtree(self._out, ignore_errors=True)
                report = self._report_of([], None, claimed=False)
            except OSError as error:
                failure = from_os_error(error)
        if failure is not None:
            if failure.exit_kind == "disk-full":
                # Nobody will read these objects, and without them there is room for the report.
                shutil.rmtree(self._out, ignore_errors=True)
            report = self._report_of([], failure, claimed=False)
        # The server gets this report over the pipe as well; the file is for one that starts later.
        with contextlib.suppress(OSError):
            self._store_report(report)
        return report

    def _store_report(self, report: dict[str, Any]) -> None:
        os.makedirs(self._folder, exist_ok=True)
        path = os.path.join(self._folder, "report.json")
        try:
            with open(path + ".new", "w", encoding="utf-8") as file:
                json.dump(report, file, ensure_ascii=False)
            os.replace(path + ".new", path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(path + ".new")
            raise

    def _report_of(
        self, objects: list[dict[str, Any]], failure: AttemptFailure | None, claimed: bool
    ) -> dict[str, Any]:
        kind = failure.exit_kind if failure else "succeeded"
        return {
            "version": 1,
            "runId": self._plan["runId"],
            "index": self._order["index"],
            "attempt": self._order["attempt"],
            "shardKey": self._order["shard"]["key"],
            "parameterSetVersionId": self._order["parameterSetVersionId"],
            "state": kind if kind in ("succeeded", "stopped") else "failed",
            "claimed": claimed,
            "exitKind": kind,
            "reason": _storable(failure.reason) if failure else None,
            "failureText": _storable(failure.text) if failure and failure.text else None,
            "exitCode": self._exit_code,
            "startedAt": self._started_at,
            "finishedAt": now(),
            "durationSeconds": round(time.monotonic() - self._started, 6),
            "cpuSeconds": round(self._cpu, 6),
            "peakMemoryBytes": self._peak,
            "metrics": self._metrics,
            "logSizeBytes": self._log_bytes,
            "objects": objects,
        }


def lost_report(plan: dict[str, Any], order: dict[str, Any], started_at: str, reason: str) -> dict[str, Any]:
    """The report of an attempt whose slot died before it could write one."""
    return {
        "version": 1,
        "runId": plan["runId"],
        "index": order["index"],
        "attempt": order["attempt"],
        "shardKey": order["shard"]["key"],
        "parameterSetVersionId": order["parameterSetVersionId"],
        "state": "failed",
        "claimed": False,
        "exitKind": "worker-lost",
        "reason": reason,
        "failureText": None,
        "exitCode": None,
        "startedAt": started_at,
        "finishedAt": now(),
        "durationSeconds": 0,
        "cpuSeconds": 0,
        "peakMemoryBytes": 0,
        "metrics": {},
        "logSizeBytes": 0,
        "objects": [],
    }


def _become_program(run: Callable[[int], None], slot: int, log: int, result: int, work: str) -> None:
    """In the fork: a session of its own, the log as output, then the program; never returns."""
    said: dict[str, Any] = {"exitKind": "succeeded"}
    try:
        os.setsid()
        processes.die_with_parent(slot)
        for number in (signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError):
            # Where the machine runs out of memory, the program is to go and not the worker.
            os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC), b"500")
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir(work)
        run(result)
    except AttemptFailure as failure:
        said = _said(failure)
    except OSError as error:
        failure = (
            from_os_error(error)
            if error.errno in FULL
            else AttemptFailure("exit-code", str(error), None, 127)
        )
        said = _said(failure)
    except BaseException:
        text = traceback.format_exc()
        said = _said(AttemptFailure("kernel-died", text.strip().splitlines()[-1], text))
    with contextlib.suppress(OSError):
        os.write(result, json.dumps(said).encode()[:RESULT_BYTES])
    os._exit(0 if said["exitKind"] == "succeeded" else 1)


def _said(failure: AttemptFailure) -> dict[str, Any]:
    return {
        "exitKind": failure.exit_kind,
        "reason": failure.reason[:4000],
        "failureText": failure.text,
        "exitCode": failure.exit_code,
    }


def _read_result(fd: int) -> dict[str, Any] | None:
    try:
        said = json.loads(os.read(fd, RESULT_BYTES + 4096))
    except (BlockingIOError, ValueError):
        return None
    return said if isinstance(said, dict) and isinstance(said.get("exitKind"), str) else None


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return None


def _end(pid: int) -> tuple[int, resource.struct_rusage | None]:
    """End the program where it still runs, and reap it."""
    with contextlib.suppress(ChildProcessError):
        found, status, usage = os.wait4(pid, os.WNOHANG)
        if found:
            return status, usage
        for end in (os.kill, os.killpg):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)
        _, status, usage = os.wait4(pid, 0)
        return status, usage
    return 0, None


def _ending(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"it was ended by {_signal_name(os.WTERMSIG(status))}"
    return f"it left with exit code {os.WEXITSTATUS(status)}"


def _signal_name(number: int) -> str:
    try:
        name = signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
    if number == signal.SIGKILL:
        return "SIGKILL (ended from outside, or the machine had no memory left)"
    return f"{name} ({(signal.strsignal(number) or '').lower()})"


def _below(folder: str, path: str) -> str:
    """`path` joined to `folder`, which it must not leave."""
    parts = path.split("/")
    if not path or any(part in ("", ".", "..") for part in parts) or "\0" in path:
        raise AttemptFailure("shard-missing", f"the path {path!r} of an object cannot be used")
    return os.path.join(folder, *parts)


def _link(source: str, target: str) -> None:
    try:
        os.symlink(source, target)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(source, target)


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
