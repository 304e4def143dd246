"""The end of an attempt: its report, and the claim by which one attempt of a task is the one that counts."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from labscale.failure import AttemptFailure, from_os_error
from labscale.places import Places


@dataclass
class Measures:
    """What was measured of an attempt."""

    started_at: str
    started: float
    """By the monotonic clock."""
    exit_code: int | None = None
    cpu_seconds: float | None = 0.0
    peak_bytes: int | None = 0
    log_bytes: int = 0
    metrics: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    """How long it took; None where it is measured until its report is made."""


def conclude(
    places: Places,
    plan: dict[str, Any],
    order: dict[str, Any],
    measures: Measures,
    outcome: list[dict[str, Any]] | AttemptFailure,
) -> dict[str, Any]:
    """Write report.json, claim the task where there are objects to publish, and return the report.

    Parameters
    ----------
    outcome
        The objects that the program left, or why there are none; a failure on the way takes their place.
    """
    run, index = plan["runId"], order["index"]
    folder = places.attempt(run, index, order["attempt"])
    out, claim = os.path.join(folder, "out"), places.claim(run, index)
    failure = outcome if isinstance(outcome, AttemptFailure) else None
    if not isinstance(outcome, AttemptFailure):
        report = report_of(plan, order, measures, objects=outcome, claimed=True)
        try:
            _store(report, folder)
            os.makedirs(os.path.dirname(claim), exist_ok=True)
            # The claim is the report itself: one link(2), which exactly one of many gets.
            os.link(os.path.join(folder, "report.json"), claim)
            return report
        except FileExistsError:
            shutil.rmtree(out, ignore_errors=True)
        except OSError as error:
            failure = from_os_error(error)
    if failure is not None and failure.exit_kind == "disk-full":
        # Nobody will read these objects, and without them there is room for the report.
        shutil.rmtree(out, ignore_errors=True)
    report = report_of(plan, order, measures, failure)
    # The server gets this report over the pipe as well; the file is for one that starts later.
    with contextlib.suppress(OSError):
        _store(report, folder)
    return report


def report_of(
    plan: dict[str, Any],
    order: dict[str, Any],
    measures: Measures,
    failure: AttemptFailure | None = None,
    *,
    objects: list[dict[str, Any]] | None = None,
    claimed: bool = False,
) -> dict[str, Any]:
    """The report of an attempt, as ARCHITECTURE.md has it under "The worker protocol"."""
    kind = failure.exit_kind if failure else "succeeded"
    seconds = time.monotonic() - measures.started if measures.seconds is None else measures.seconds
    return {
        "version": 1,
        "runId": plan["runId"],
        "index": order["index"],
        "attempt": order["attempt"],
        "shardKey": order["shard"]["key"],
        "parameterSetVersionId": order["parameterSetVersionId"],
        "state": kind if kind in ("succeeded", "stopped") else "failed",
        "claimed": claimed,
        "exitKind": kind,
        "reason": _storable(failure.reason) if failure else None,
        "failureText": _storable(failure.text) if failure and failure.text else None,
        "exitCode": measures.exit_code,
        "startedAt": measures.started_at,
        "finishedAt": now(),
        "durationSeconds": round(seconds, 6),
        "cpuSeconds": None if measures.cpu_seconds is None else round(measures.cpu_seconds, 6),
        "peakMemoryBytes": measures.peak_bytes,
        "metrics": measures.metrics,
        "logSizeBytes": measures.log_bytes,
        "objects": objects or [],
    }


def unmeasured(started_at: str) -> Measures:
    """Of an attempt that never began, or whose slot died before it could report."""
    return Measures(started_at, time.monotonic())


def _store(report: dict[str, Any], folder: str) -> None:
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "report.json")
    try:
        with open(path + ".new", "w", encoding="utf-8") as file:
            json.dump(report, file, ensure_ascii=False)
        os.replace(path + ".new", path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(path + ".new")
        raise


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
