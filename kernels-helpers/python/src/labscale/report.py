"""Metrics and progress: lines of the task's report file in a run, kept in the kernel while tuning."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from labscale import tuning
from labscale.errors import LabscaleError


def finite_number(name: str, value: Any) -> float | int:
    """A plain number of what may be numpy's, torch's or Python's own.

    Raises
    ------
    LabscaleError
        Where it is no number, or NaN or infinite.
    """
    if hasattr(value, "item") and not isinstance(value, int | float):
        try:
            value = value.item()
        except (ValueError, TypeError, RuntimeError):
            raise LabscaleError(f"The metric {name} is {type(value).__name__}.", "Give one number.") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise LabscaleError(f"The metric {name} is {type(value).__name__}.", "Give a number.", field=name)
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if not finite:
        raise LabscaleError(f"The metric {name} is {value}.", "Metrics are finite numbers.", field=name)
    # A number of numpy's that is also Python's would print as np.float64(1.0).
    return int(value) if isinstance(value, int) else float(value)


def keep_metrics(values: Mapping[str, Any]) -> None:
    """Take metrics of the shard at hand. Raises as `finite_number`; never because of a server."""
    numbers = {str(name): finite_number(str(name), value) for name, value in values.items()}
    if not numbers:
        return
    if "LABSCALE_REPORT" in os.environ:
        _append({"metric": numbers})
    else:
        tuning.metrics.update(numbers)


def keep_progress(fraction: Any) -> None:
    """Say how far the task is, 0 to 1; nothing while tuning."""
    number = finite_number("progress", fraction)
    if "LABSCALE_REPORT" in os.environ:
        _append({"progress": min(1.0, max(0.0, number))})


def _append(entry: dict[str, Any]) -> None:
    # One write of one line: processes of a program that report at once do not mix theirs.
    fd = os.open(os.environ["LABSCALE_REPORT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, json.dumps(entry).encode() + b"\n")
    finally:
        os.close(fd)
