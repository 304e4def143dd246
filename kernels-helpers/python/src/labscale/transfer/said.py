"""What a worker says of an attempt, taken apart and checked: the program beside it may say anything."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Any

from labscale.failure import AttemptFailure
from labscale.outputs import PATH_BYTES
from labscale.reported import METRICS

REASON_LETTERS = 4_000
TEXT_LETTERS = 64 * 1024
MOST_OBJECTS = 100_000
EXIT_KINDS = frozenset(
    {
        *("exit-code", "exception", "signal", "out-of-memory", "time-limit", "kernel-died", "kernel-missing"),
        *("output-missing", "output-empty", "output-unusable", "shard-changed", "shard-missing"),
        *("parameters-unusable", "disk-full", "store-unavailable", "worker-lost", "stopped"),
    }
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@dataclass
class Said:
    """Of one attempt that has ended.

    Attributes
    ----------
    failure
        None where the program succeeded.
    outputs
        Path to size and digest; None where nobody has taken the digest before it is uploaded.
    """

    failure: AttemptFailure | None
    outputs: dict[str, tuple[int, str | None]] = field(default_factory=dict)
    exit_code: int | None = None
    started_at: str | None = None
    seconds: float | None = None
    cpu_seconds: float | None = None
    peak_bytes: int | None = None
    metrics: dict[str, float] = field(default_factory=dict)


def take_apart(report: Any, run: str, index: int, attempt: int) -> Said:
    """Never raises: what cannot be used becomes a failure of the attempt."""
    try:
        return _take_apart(report, run, index, attempt)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        why = f"the report of the worker cannot be used: {str(error)[:200]}"
        return Said(AttemptFailure("output-unusable", why))


def _take_apart(report: Any, run: str, index: int, attempt: int) -> Said:
    if not isinstance(report, dict):
        raise ValueError("it is no object")
    if (report.get("runId"), report.get("index"), report.get("attempt")) != (run, index, attempt):
        raise ValueError("it is of another task")
    said = Said(
        failure=_failure(report),
        exit_code=_whole(report.get("exitCode"), "exitCode"),
        seconds=_number(report.get("durationSeconds"), "durationSeconds"),
        cpu_seconds=_number(report.get("cpuSeconds"), "cpuSeconds"),
        peak_bytes=_whole(report.get("peakMemoryBytes"), "peakMemoryBytes"),
        metrics=_metrics(report.get("metrics")),
    )
    started_at = report.get("startedAt")
    if isinstance(started_at, str) and _MOMENT.fullmatch(started_at):
        said.started_at = started_at
    if said.failure is None:
        said.outputs = _outputs(report.get("objects"))
    return said


def _failure(report: dict[str, Any]) -> AttemptFailure | None:
    kind = report.get("exitKind")
    if kind == "succeeded" and report.get("state") == "succeeded":
        return None
    if kind not in EXIT_KINDS:
        raise ValueError(f"{str(kind)[:80]} is no kind of exit")
    reason = _text(report.get("reason"), REASON_LETTERS) or "the worker gave no reason"
    return AttemptFailure(str(kind), reason, _text(report.get("failureText"), TEXT_LETTERS))


def _text(value: Any, letters: int) -> str | None:
    return value[-letters:].encode("utf-8", "replace").decode() if isinstance(value, str) else None


def _number(value: Any, name: str) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name} is {str(value)[:80]}")
    return value


def _whole(value: Any, name: str) -> int | None:
    if value is None:
        return None
    if type(value) is not int or abs(value) > 2**53:
        raise ValueError(f"{name} is {str(value)[:80]}")
    return value


def _metrics(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or len(value) > METRICS:
        raise ValueError("metrics is no object of numbers")
    for name, number in value.items():
        name.encode()
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ValueError(f"the metric {name[:200]} is {str(number)[:80]}")
    return value


def _outputs(value: Any) -> dict[str, tuple[int, str | None]]:
    if not isinstance(value, list) or len(value) > MOST_OBJECTS:
        raise ValueError(f"objects is no list of at most {MOST_OBJECTS}")
    found: dict[str, tuple[int, str | None]] = {}
    for item in value:
        path, size, digest = item["path"], item["sizeBytes"], item["digest"]
        check_path(path)
        if type(size) is not int or size < 0 or not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise ValueError(f"the size or digest of {path} is none")
        found[path] = (size, digest)
    return found


def check_path(path: Any) -> None:
    """Raises ValueError for what names no file below the output folder."""
    if not isinstance(path, str) or len(path.encode()) > PATH_BYTES:
        raise ValueError("a path is no text of at most 1,024 bytes")
    if any(part in ("", ".", "..") for part in path.split("/")) or re.search(r"[\x00-\x1f\x7f\ufffd]", path):
        raise ValueError(f"{path!r} is no path of an output")
