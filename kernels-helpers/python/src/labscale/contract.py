"""What the contract of an analysis says of its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def as_typed(values: Mapping[str, Any], parameters: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`values` with floats for parameters of type `number` and ints for those of type `integer`.

    JSON has one kind of number, and JavaScript writes 2.0 as 2 and 10**21 as 1e+21; a program that was
    tuned with `sigma = 2.0` is to get a float again.
    """
    types = {item["name"]: item["type"] for item in parameters}
    return {name: _typed(value, types.get(name)) for name, value in values.items()}


def defaults(parameters: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The values of parameters that nobody gave a value."""
    kept = list(parameters)
    return as_typed({item["name"]: item["default"] for item in kept if "default" in item}, kept)


def _typed(value: Any, kind: str | None) -> Any:
    if kind == "number" and type(value) is int:
        return float(value)
    if kind == "integer" and type(value) is float and value.is_integer():
        return int(value)
    return value
