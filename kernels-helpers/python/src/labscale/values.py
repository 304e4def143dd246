"""Values of a kernel as JSON: what can be kept as a parameter, and why something cannot."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

ARRAY_ITEMS = 1000
DEPTH = 20


class UnusableValueError(ValueError):
    """The message says why, to stand after the name of the variable."""


def as_json(value: Any, depth: int = 0) -> Any:
    """The JSON of a value; numpy's scalars and small arrays become plain numbers and lists.

    Raises
    ------
    UnusableValueError
        For NaN and infinity, and for what JSON has no form for.
    """
    if depth > DEPTH:
        raise UnusableValueError("is nested too deeply")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise UnusableValueError(f"is {float(value)}; a parameter is finite")
        return float(value)
    if isinstance(value, list | tuple):
        return [as_json(item, depth + 1) for item in value]
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise UnusableValueError("has keys that are no text")
        return {str(key): as_json(item, depth + 1) for key, item in value.items()}
    # numpy, torch and jax all say it this way, without being imported here.
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        if getattr(value, "size", 1) > ARRAY_ITEMS:
            raise UnusableValueError(f"is an array of more than {ARRAY_ITEMS:,} numbers")
        return as_json(value.tolist(), depth + 1)
    raise UnusableValueError(f"is of type {type(value).__name__}, which JSON cannot keep")
