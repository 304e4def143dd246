"""Parameter values as source text of the notebook's language, for the cell tagged `injected-parameters`."""

from __future__ import annotations

import keyword
import math
from collections.abc import Callable, Mapping

from labscale.failure import AttemptFailure

_R_RESERVED = frozenset(
    {
        "if",
        "else",
        "repeat",
        "while",
        "function",
        "for",
        "next",
        "break",
        "TRUE",
        "FALSE",
        "NULL",
        "Inf",
        "NaN",
        "NA",
        "in",
    }
)
_JULIA_RESERVED = frozenset(
    {
        "baremodule",
        "begin",
        "break",
        "catch",
        "const",
        "continue",
        "do",
        "else",
        "elseif",
        "end",
        "export",
        "false",
        "finally",
        "for",
        "function",
        "global",
        "if",
        "import",
        "let",
        "local",
        "macro",
        "module",
        "quote",
        "return",
        "struct",
        "true",
        "try",
        "using",
        "while",
    }
)


def render(language: str, values: Mapping[str, object]) -> str:
    """One assignment a line under a comment, as papermill writes them.

    Raises
    ------
    AttemptFailure
        `parameters-unusable` for a name that is a word of the language, or a language that is not known here.
    """
    try:
        assign, literal, reserved = _LANGUAGES[language.lower()]
    except KeyError:
        if not values:
            return ""
        raise AttemptFailure(
            "parameters-unusable", f"parameters cannot be written in the language {language} of this notebook"
        ) from None
    lines = ["# Parameters"]
    for name, value in values.items():
        if name in reserved or not name.isidentifier():
            raise AttemptFailure(
                "parameters-unusable", f"{name} cannot be the name of a variable in {language}"
            )
        lines.append(f"{name} {assign} {literal(value)}")
    return "\n".join(lines)


def _python(value: object) -> str:
    # JSON values have the same literals as repr writes, but for numbers that JSON itself does not have.
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list):
        return "[" + ", ".join(map(_python, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_python(item)}" for key, item in value.items()) + "}"
    return repr(value)


def _quoted(text: str, *, dollar: bool) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    if dollar:
        escapes["$"] = "\\$"
    return '"' + "".join(escapes.get(letter) or _plain(letter) for letter in text) + '"'


def _plain(letter: str) -> str:
    return f"\\u{ord(letter):04x}" if ord(letter) < 32 else letter


def _r(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return f"{value}L" if abs(value) < 2**31 else repr(float(value))
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "list(" + ", ".join(map(_r, value)) + ")"
    if isinstance(value, dict):
        return (
            "list("
            + ", ".join(f"{_quoted(key, dollar=False)} = {_r(item)}" for key, item in value.items())
            + ")"
        )
    return _quoted(str(value), dollar=False)


def _julia(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(_julia, value)) + "]"
    if isinstance(value, dict):
        return (
            "Dict(" + ", ".join(f"{_quoted(k, dollar=True)} => {_julia(v)}" for k, v in value.items()) + ")"
        )
    return _quoted(str(value), dollar=True)


_LANGUAGES: dict[str, tuple[str, Callable[[object], str], frozenset[str]]] = {
    "python": ("=", _python, frozenset(keyword.kwlist)),
    "r": ("<-", _r, _R_RESERVED),
    "julia": ("=", _julia, _JULIA_RESERVED),
}
