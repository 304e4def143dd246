"""`labscale tasks` and `labscale logs`."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from labscale.client import call, pages
from labscale.commands.answer import Answer, labels, seconds, table
from labscale.commands.pairs import add_limit, whole
from labscale.commands.references import find_run
from labscale.errors import LabscaleError

LOG_BYTES = 1_048_576


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    parser = nouns.add_parser("tasks", parents=[shared], help="tasks of a run, and why some failed")
    parser.add_argument("run", help="id, name or `latest`")
    parser.add_argument("--state", help="for example failed")
    parser.add_argument("--search", metavar="WORDS", help="words in the shard's key or entities")
    add_limit(parser)
    parser.set_defaults(action=_tasks)

    parser = nouns.add_parser(
        "logs", parents=[shared], help="the log of a task, or a search over all logs of a run"
    )
    parser.add_argument("run", help="id, name or `latest`")
    parser.add_argument("index", nargs="?", type=whole(0), help="of the task; default: the first failed one")
    parser.add_argument("--attempt", type=whole(1), help="default: the last")
    parser.add_argument("--tail", type=whole(1), metavar="BYTES", help="only the end of the log")
    parser.add_argument("--follow", action="store_true", help="go on until the attempt has ended")
    parser.add_argument("--search", metavar="TEXT", help="lines with this text, over all tasks")
    add_limit(parser)
    parser.set_defaults(action=_logs)


def _tasks(options: argparse.Namespace) -> Answer:
    run = find_run(options.run)
    params = {"runId": run["id"]}
    query = {"state": options.state, "search": options.search}
    page = call("listTasks", params=params, query={**query, "limit": min(options.limit, 1000)})
    if options.limit > 1000:
        page["items"] = list(pages("listTasks", params=params, query=query, limit=options.limit))
    rows = [
        (
            item["index"],
            item["shardKey"],
            item["state"],
            item["attempts"],
            seconds(item["durationSeconds"]),
            labels(item["metrics"]),
            item["reason"],
        )
        for item in page["items"]
    ]
    text = table(("INDEX", "SHARD", "STATE", "ATTEMPTS", "TOOK", "METRICS", "REASON"), rows)
    if run["counts"]["failed"]:
        groups = call("listFailures", params=params)["items"]
        found = [(group["id"], group["count"], group["exitKind"], group["title"]) for group in groups]
        text += "\n\n" + table(("FAILURE GROUP", "TASKS", "KIND", "FAILURE"), found)
    return Answer(page, text)


def _logs(options: argparse.Namespace) -> Answer:
    run = find_run(options.run)
    params = {"runId": run["id"]}
    if options.search is not None:
        found = call(
            "searchLogs", params=params, query={"text": options.search, "limit": min(options.limit, 1000)}
        )
        rows = [
            (item["taskIndex"], item["attempt"], item["lineNumber"], item["line"]) for item in found["items"]
        ]
        left = "" if found["complete"] else "\n... and more: raise --limit"
        return Answer(found, table(("TASK", "ATTEMPT", "LINE", "TEXT"), rows) + left)
    index = options.index if options.index is not None else _first_failed(run)
    attempt = options.attempt or _last_attempt(run["id"], index)
    place = {**params, "index": index, "attempt": attempt}
    as_json = getattr(options, "json", False)
    offset = _tail_offset(place, options.tail) if options.tail else 0
    text: list[str] = []
    while True:
        part = call("getLog", params=place, query={"offset": offset, "limit": LOG_BYTES})
        offset = part["nextOffset"]
        if as_json:
            text.append(part["text"])
        else:
            sys.stdout.write(part["text"])
            sys.stdout.flush()
        if offset < part["sizeBytes"]:
            continue
        if part["ended"] or not options.follow:
            break
        time.sleep(0.5)
    return Answer({"runId": run["id"], "taskIndex": index, "attempt": attempt, "text": "".join(text)})


def _tail_offset(place: dict[str, Any], size_bytes: int) -> int:
    size = call("getLog", params=place, query={"limit": 1})["sizeBytes"]
    return max(0, size - size_bytes)


def _first_failed(run: dict[str, Any]) -> int:
    failed = call("listTasks", params={"runId": run["id"]}, query={"state": "failed", "limit": 1})["items"]
    if not failed:
        raise LabscaleError(
            "No task of this run failed.", "Give the index of a task.", field="index", code="USAGE"
        )
    return failed[0]["index"]


def _last_attempt(run_id: str, index: int) -> int:
    attempts = call("listAttempts", params={"runId": run_id, "index": index})["items"]
    if not attempts:
        raise LabscaleError(f"The task {index} has not been tried yet.", code="NOT_FOUND")
    return attempts[-1]["number"]
