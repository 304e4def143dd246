"""The argument list of a command: placeholders become values, never through a shell."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from labscale.failure import AttemptFailure

_PART = re.compile(r"\{\{|\}\}|\{([A-Za-z_][A-Za-z0-9_]*)\}|[{}]")


def expand(command: list[str], values: Mapping[str, object], own: Mapping[str, str]) -> list[str]:
    """Replace `{name}` by a parameter and `{input}` and the like by `own`; `{{` and `}}` are braces.

    Raises
    ------
    AttemptFailure
        `parameters-unusable`, naming the argument.
    """

    def replace(match: re.Match[str], argument: str) -> str:
        found, name = match.group(0), match.group(1)
        if found in ("{{", "}}"):
            return found[0]
        if name is None:
            raise AttemptFailure(
                "parameters-unusable",
                f"a lone {found} stands in the argument {argument!r}; write {found * 2}",
            )
        if name in own:
            return own[name]
        if name not in values:
            raise AttemptFailure(
                "parameters-unusable", f"the argument {argument!r} names {name}, which has no value"
            )
        text = as_argument(values[name])
        if "\0" in text:
            raise AttemptFailure(
                "parameters-unusable", f"{name} has a NUL character, which no argument can carry"
            )
        return text

    return [
        _PART.sub(lambda match, argument=argument: replace(match, argument), argument) for argument in command
    ]


def as_argument(value: object) -> str:
    """Text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
