"""Terminal colours are for terminals: reports and failure groups hold plain text."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-_])")


def without_ansi(text: str) -> str:
    return _ESCAPE.sub("", text)
