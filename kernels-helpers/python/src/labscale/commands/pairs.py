"""Values as they are typed: NAME=VALUE, sizes, spans of time."""

from __future__ import annotations

import argparse
import json
import math
import re
from typing import Any

from labscale.errors import LabscaleError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]i?B?|B)?", re.IGNORECASE)
_SPAN = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|min|m|h|d)?")


def parse_pairs(pairs: list[str], contract: dict[str, Any] | None = None) -> dict[str, Any]:
    """`NAME=VALUE` to values: VALUE is JSON, else text; where the contract says text, it is text.

    Raises
    ------
    LabscaleError
        For a pair without `=`, a bad or repeated name, NaN and infinity.
    """
    types = {item["name"]: item["type"] for item in (contract or {}).get("parameters", [])}
    values: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals:
            raise LabscaleError(f"{pair!r} is no NAME=VALUE.", "Write for example sigma=2.0.", code="USAGE")
        if not _NAME.fullmatch(name):
            raise LabscaleError(
                f"{name!r} is no name of a parameter.", "Use letters, digits and _.", field=name or pair
            )
        if name in values:
            raise LabscaleError(f"{name} is given twice.", "Give it once.", field=name)
        values[name] = _value(name, text, types.get(name))
    return values


def _value(name: str, text: str, wanted: str | None) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if wanted == "string" and not isinstance(value, str):
        return text
    if not _finite(value):
        raise LabscaleError(f"{name} is {text}; a parameter is finite.", "Give a finite number.", field=name)
    return value


def _finite(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, dict):
        value = list(value.values())
    return all(map(_finite, value)) if isinstance(value, list) else True


def size_bytes(text: str) -> int:
    """`512MiB`, `2G`, `1.5 GiB` or bytes; for argparse."""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write for example 2GiB")
    unit = (match[2] or "B").upper()
    # GB is ten to the ninth, G and GiB two to the thirtieth, as the tools around memory have it.
    base = 1000 if len(unit) == 2 else 1024
    return int(float(match[1]) * base ** " KMGT".index(unit[0] if unit != "B" else " "))


def span_seconds(text: str) -> float:
    """`90`, `90s`, `5min`, `2h`; for argparse."""
    match = _SPAN.fullmatch(text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no span of time; write for example 90s or 5min")
    return float(match[1]) * {"s": 1, "min": 60, "m": 60, "h": 3600, "d": 86400}[match[2] or "s"]


def whole(minimum: int) -> Any:
    """A whole number from `minimum` on; for argparse."""

    def parse(text: str) -> int:
        if not re.fullmatch(r"[0-9]+", text) or int(text) < minimum:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {minimum} on")
        return int(text)

    return parse


def add_limit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", type=whole(1), metavar="N", default=50, help="at most so many (default 50)"
    )
