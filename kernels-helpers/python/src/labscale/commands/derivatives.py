"""`labscale derivatives`: what a run published, listed or copied to a folder."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from labscale.client import call, pages
from labscale.commands.answer import Answer, ProgressLine, labels, more, table
from labscale.commands.pairs import add_limit
from labscale.commands.references import find_run
from labscale.errors import LabscaleError
from labscale.failure import readable_bytes
from labscale.fetching import fetch_object, is_whole, place_below


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("derivatives", help="what a run published").add_subparsers(metavar="VERB")
    parser = verbs.add_parser("list", parents=[shared], help="derivatives in task order")
    parser.add_argument("run", help="id, name or `latest`")
    add_limit(parser)
    parser.set_defaults(action=_list)

    parser = verbs.add_parser(
        "fetch", parents=[shared], help="copy derivatives to a folder; whole files are kept"
    )
    parser.add_argument("run", help="id, name or `latest`")
    parser.add_argument("folder", type=Path, help="made where it is not there; a folder in it for each task")
    parser.add_argument("--filter", help="only shards that fit, for example 'sub=01,02'")
    parser.set_defaults(action=_fetch)


def _list(options: argparse.Namespace) -> Answer:
    params = {"runId": find_run(options.run)["id"]}
    page = call("listDerivatives", params=params, query={"limit": min(options.limit, 1000)})
    if options.limit > 1000:
        page["items"] = list(pages("listDerivatives", params=params, limit=options.limit))
    rows = [
        (
            item["taskIndex"],
            item["shardKey"],
            readable_bytes(sum(part["sizeBytes"] for part in item["objects"])),
            [part["path"] for part in item["objects"]],
            labels(item["metrics"]),
            "reused" if item["reusedFrom"] else "",
        )
        for item in page["items"]
    ]
    return Answer(page, table(("TASK", "SHARD", "SIZE", "FILES", "METRICS", ""), rows) + more(page))


def _fetch(options: argparse.Namespace) -> Answer:
    run = find_run(options.run)
    if run["derivatives"] is None:
        raise LabscaleError(
            f"The run {run['name']} has published nothing: {run['headline']}.",
            "labscale publish",
            code="STATE_CONFLICT",
        )
    version_id = run["derivatives"]["datasetVersionId"]
    line = ProgressLine(getattr(options, "json", False))
    fetched = kept = size = 0
    for shard in pages("listShards", params={"versionId": version_id}, query={"filter": options.filter}):
        for item in shard["objects"]:
            target = place_below(options.folder, shard["key"], item["path"])
            if is_whole(target, item):
                kept += 1
                continue
            try:
                fetch_object(version_id, shard["key"], item, target)
            except OSError as error:
                raise LabscaleError(
                    f"{target} cannot be written: {error.strerror}.", field="folder"
                ) from None
            fetched += 1
            size += item["sizeBytes"]
            line.show(f"{fetched:,} files, {readable_bytes(size)}", "fetching")
    line.end()
    value = {"folder": str(options.folder.resolve()), "files": fetched, "kept": kept, "sizeBytes": size}
    there = f", {kept:,} were there" if kept else ""
    return Answer(value, f"{fetched:,} files ({readable_bytes(size)}) in {options.folder}{there}")
