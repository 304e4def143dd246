"""Values of ipywidgets that the user's variables hold."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from labscale.values import UnusableValueError, as_json


def widget_values(namespace: Mapping[str, Any]) -> list[dict[str, Any]]:
    """`{"name", "value"}` of each widget with a value, those inside containers included.

    The name is the widget's description where that is an identifier, as `interact` sets it, else the
    variable's.
    """
    library = sys.modules.get("ipywidgets")
    base = getattr(library, "Widget", None)
    if base is None:
        return []
    found: dict[str, Any] = {}
    for name, value in list(namespace.items()):
        if name.startswith("_"):
            continue
        # A function decorated by `interact` holds its container.
        container = getattr(value, "widget", None) if callable(value) else value
        if isinstance(container, base):
            for label, held in _values(name, container, base, set()):
                found.setdefault(label, held)
    return [{"name": name, "value": value} for name, value in found.items()]


def _values(name: str, widget: Any, base: type, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if id(widget) in seen:
        return
    seen.add(id(widget))
    children = getattr(widget, "children", ())
    for child in children if isinstance(children, list | tuple) else ():
        if isinstance(child, base):
            yield from _values("", child, base, seen)
    # Buttons have no value; an HTML, an image or a label has one that is shown and not chosen.
    if (
        children
        or not hasattr(widget, "value")
        or type(widget).__name__ in ("HTML", "HTMLMath", "Label", "Image", "Output")
    ):
        return
    label = str(getattr(widget, "description", "") or "").strip()
    label = label if label.isidentifier() else name
    if label:
        try:
            yield label, as_json(widget.value)
        except UnusableValueError:
            return
