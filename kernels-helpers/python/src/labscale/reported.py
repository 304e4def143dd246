"""What a program reports while it runs: metrics and progress, as lines of JSON in a file."""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
from collections.abc import Callable

from labscale.failure import readable_bytes

PROGRESS_SECONDS = 0.2
REPORT_BYTES = 16 * 1024 * 1024
METRICS = 1000


class Reported:
    """Reads the report file of a program as it grows.

    Attributes
    ----------
    metrics
        By name, the last value of each.
    trouble
        Why what was reported cannot be kept; None where it can.
    """

    def __init__(self, file: str, on_progress: Callable[[float], None]) -> None:
        self.metrics: dict[str, float] = {}
        self.trouble: str | None = None
        self._file = file
        self._on_progress = on_progress
        self._offset = 0
        self._rest = b""
        self._progress = 0.0
        self._told_at = 0.0
        self._own_progress = False
        with open(file, "wb"):
            pass

    def read(self, final: bool) -> None:
        """Take new lines of the report file: metrics are kept, progress is passed on."""
        try:
            size = os.stat(self._file).st_size
            if size <= self._offset and not final:
                return
            if size > REPORT_BYTES:
                self.trouble = f"the report file is larger than {readable_bytes(REPORT_BYTES)}"
                return
            with open(self._file, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except OSError as error:
            self.trouble = f"the report file cannot be read: {error}"
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        if final and self._rest.strip():
            lines.append(self._rest)
        for line in lines:
            if line.strip():
                self._take_line(line)
        now = time.monotonic()
        if not final and self._progress > 0 and now - self._told_at >= PROGRESS_SECONDS:
            self._told_at = now
            self._on_progress(self._progress)

    def _take_line(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if not isinstance(entry, dict):
                raise ValueError
        except (ValueError, RecursionError):
            shown = line[:80].decode("utf-8", "replace")
            self.trouble = f"a line of the report file is not a JSON object: {shown}"
            return
        if isinstance(entry.get("metric"), dict):
            for name, value in entry["metric"].items():
                self._take_metric(name, value)
        # Any program writes these lines: what makes no sense as progress must not end the worker.
        with contextlib.suppress(TypeError, ValueError, OverflowError, ZeroDivisionError):
            if "progress" in entry:
                self._take_progress(float(entry["progress"]))
                self._own_progress = True
            elif "cells" in entry and not self._own_progress:
                done, all_cells = entry["cells"]
                self._take_progress(done / all_cells)

    def _take_progress(self, progress: float) -> None:
        if not math.isfinite(progress):
            raise ValueError
        self._progress = min(1.0, max(0.0, progress))

    def _take_metric(self, name: str, value: object) -> None:
        try:
            number = math.nan if isinstance(value, bool) else float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if any(0xD800 <= ord(letter) < 0xE000 for letter in name):
            self.trouble = f"the name of the metric {name[:200]!r} is not Unicode text"
        elif not math.isfinite(number) or isinstance(value, str):
            shown = str(value)[:80]
            self.trouble = f"the metric {name[:200]} is {shown}; metrics are finite numbers"
        elif len(self.metrics) >= METRICS and name not in self.metrics:
            self.trouble = f"there are more than {METRICS} metrics"
        else:
            self.metrics[name] = value  # type: ignore[assignment]
