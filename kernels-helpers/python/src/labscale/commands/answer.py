"""What a subcommand gives back: the same thing as JSON and as text for people."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Answer:
    value: Any
    text: str = ""
    exit_code: int = 0


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns aligned, numbers to the right; only the heads where there is no row."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    raw = [list(heads), *cells]
    widths = [max(len(row[at]) for row in raw) for at in range(len(heads))]
    right = [bool(cells) and all(_is_number(row[at]) for row in cells) for at in range(len(heads))]
    lines = []
    for row in raw:
        parts = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    return "\n".join(lines)


def fields(pairs: Iterable[tuple[str, object]]) -> str:
    """One field a line, names aligned; those without a value are left out."""
    shown = [(name, _shown(value)) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown)


def more(page: dict[str, Any]) -> str:
    """A line that says what a cut list left out."""
    left = page["total"] - len(page["items"])
    return f"\n... and {left:,} more: raise --limit" if left > 0 else ""


def local_time(text: str | None) -> str:
    if text is None:
        return ""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone().strftime("%Y-%m-%d %H:%M")


def seconds(value: float | None) -> str:
    """A span of time as people say it."""
    if value is None:
        return ""
    if value < 60:
        return f"{value:.3g} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def labels(pairs: dict[str, Any]) -> str:
    return " ".join(f"{name}={_shown(value)}" for name, value in pairs.items())


class ProgressLine:
    """A line that is written over on a terminal; elsewhere each new `milestone` is a line of its own."""

    def __init__(self, silent: bool = False) -> None:
        self._terminal = sys.stderr.isatty()
        self._silent = silent
        self._milestone: str | None = None
        self._width = 0

    def show(self, text: str, milestone: str) -> None:
        if self._silent:
            return
        if self._terminal:
            print(f"\r{text.ljust(self._width)}", end="", file=sys.stderr, flush=True)
            self._width = len(text)
        elif milestone != self._milestone:
            print(text, file=sys.stderr, flush=True)
        self._milestone = milestone

    def end(self) -> None:
        if self._terminal and self._width:
            print(file=sys.stderr)
            self._width = 0


def _shown(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value))
    if isinstance(value, dict):
        return labels(value)
    # A name may hold what a terminal would obey.
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "").rstrip("%") or "x")
    except ValueError:
        return False
    return True
