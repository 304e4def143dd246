"""`labscale chart`: a metric or the durations of a run over its shards, as SVG."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from labscale.chart import Series, draw
from labscale.client import call
from labscale.commands.answer import Answer
from labscale.commands.references import find_run
from labscale.errors import LabscaleError


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    parser = nouns.add_parser(
        "chart", parents=[shared], help="draw a metric or the durations of a run as SVG"
    )
    parser.add_argument("run", help="id, name or `latest`")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--metric", help="name of a metric")
    what.add_argument("--durations", action="store_true", help="how long each task took")
    parser.add_argument("--by", metavar="ENTITY", help="group the shards by an entity")
    parser.add_argument("-o", "--output", type=Path, help="the .svg to write; default: standard output")
    parser.set_defaults(action=_chart)


def _chart(options: argparse.Namespace) -> Answer:
    run = find_run(options.run)
    columns = call("getTaskColumns", params={"runId": run["id"]})
    if options.durations:
        label, numbers = "seconds", columns["durationSeconds"]
    else:
        label = options.metric
        if label not in columns["metrics"]:
            known = ", ".join(columns["metrics"]) or "none"
            raise LabscaleError(f"The run has no metric {label!r}.", f"It has: {known}.", field="metric")
        numbers = columns["metrics"][label]
    if options.by and options.by not in columns["entities"]:
        known = ", ".join(columns["entities"]) or "none"
        raise LabscaleError(f"Its shards have no entity {options.by!r}.", f"They have: {known}.", field="by")
    names = {item["versionId"]: f"{item['name']} v{item['number']}" for item in run["parameterSets"]}
    positions, ticks = _positions(columns, options.by)
    series = []
    for version_id, name in names.items():
        points = [
            (position, number, key)
            for position, number, key, of in zip(
                positions, numbers, columns["shardKey"], columns["parameterSetVersionId"], strict=True
            )
            if number is not None and of == version_id
        ]
        series.append(Series(name, points))
    count = sum(len(item.points) for item in series)
    if count == 0:
        raise LabscaleError(f"No task of the run has {label} yet.", "Watch the run until some succeeded.")
    svg = draw(
        title=f"{run['analysis']['name']} on {run['dataset']['name']}: {label}",
        series=series,
        x_label=options.by or "shard",
        y_label=label,
        x_ticks=ticks,
    )
    if options.output is None:
        if getattr(options, "json", False):
            return Answer({"points": count, "svg": svg})
        sys.stdout.write(svg)
        return Answer({"points": count})
    try:
        options.output.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise LabscaleError(
            f"{options.output} cannot be written: {error.strerror}.", field="output"
        ) from None
    return Answer(
        {"file": str(options.output.resolve()), "points": count}, f"wrote {options.output}: {count:,} points"
    )


def _positions(columns: dict[str, Any], by: str | None) -> tuple[list[float], list[tuple[float, str]]]:
    """Where each task stands on the axis of shards, and what is written below it."""
    if by is None:
        order = {key: at for at, key in enumerate(dict.fromkeys(columns["shardKey"]))}
        step = max(1, -(-len(order) // 10))
        ticks = [(float(at), str(at)) for at in range(0, len(order), step)]
        return [float(order[key]) for key in columns["shardKey"]], ticks
    labels = columns["entities"][by]
    order = {
        label: at for at, label in enumerate(sorted({label or "none" for label in labels}, key=_natural))
    }
    sizes: dict[str, int] = {}
    for label in labels:
        sizes[label or "none"] = sizes.get(label or "none", 0) + 1
    seen: dict[str, int] = {}
    positions = []
    for label in labels:
        name = label or "none"
        seen[name] = seen.get(name, 0) + 1
        # Tasks of one label stand side by side in their band, in the order of their shards.
        positions.append(order[name] + 0.7 * (seen[name] / (sizes[name] + 1) - 0.5))
    step = max(1, -(-len(order) // 20))
    return positions, [(float(at), label) for label, at in order.items() if at % step == 0]


def _natural(label: str) -> tuple[int, float, str]:
    try:
        return (0, float(label), label)
    except ValueError:
        return (1, 0.0, label)
