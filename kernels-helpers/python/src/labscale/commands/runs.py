"""`labscale plan`, `run`, `watch`, `runs` and what is done to a run: stop, release, retry, publish."""

from __future__ import annotations

import argparse
import time
import uuid
from typing import Any

from labscale.client import call, pages
from labscale.commands.answer import Answer, ProgressLine, fields, local_time, more, seconds, table
from labscale.commands.pairs import add_limit, size_bytes, span_seconds, whole
from labscale.commands.references import (
    find_analysis_version,
    find_dataset,
    find_dataset_version,
    find_parameter_set_version,
    find_run,
)
from labscale.errors import LabscaleError, ServerAwayError
from labscale.failure import readable_bytes

AWAY_SECONDS = 60.0
ENDED = ("succeeded", "failed", "stopped")


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    parser = nouns.add_parser("plan", parents=[shared], help="what a run would do; nothing starts")
    _add_promotion(parser)
    parser.set_defaults(action=_plan)

    parser = nouns.add_parser("run", parents=[shared], help="promote: run parameter sets over a dataset")
    _add_promotion(parser)
    parser.add_argument("--name", help="of the run; default: analysis on dataset")
    parser.add_argument(
        "--watch", action="store_true", help="wait until it has ended; exit code 1 where it failed"
    )
    parser.add_argument("--key", help="idempotency key: the same key never starts a second run")
    parser.set_defaults(action=_run)

    parser = nouns.add_parser("watch", parents=[shared], help="follow a run until it has ended")
    parser.add_argument("run", help="id, name or `latest`")
    parser.set_defaults(action=_watch)

    verbs = nouns.add_parser("runs", help="list and look at runs").add_subparsers(metavar="VERB")
    parser = verbs.add_parser("list", parents=[shared], help="runs, newest first")
    parser.add_argument("--search", metavar="WORDS", help="words, all of which must occur")
    parser.add_argument("--state", help="for example failed")
    add_limit(parser)
    parser.set_defaults(action=_list)
    parser = verbs.add_parser("show", parents=[shared], help="one run")
    parser.add_argument("run", help="id, name or `latest`")
    parser.set_defaults(action=_show)

    for name, operation, text in (
        ("stop", "stopRun", "stop a run: end its processes, publish nothing"),
        ("release", "releaseRun", "release the tasks held back by the trial"),
        ("publish", "publishRun", "publish what succeeded of a run that has failed tasks"),
    ):
        parser = nouns.add_parser(name, parents=[shared], help=text)
        parser.add_argument("run", help="id, name or `latest`")
        parser.add_argument("--watch", action="store_true", help="wait until it has ended")
        parser.set_defaults(action=_act, operation=operation)

    parser = nouns.add_parser("retry", parents=[shared], help="run failed tasks again in the same run")
    parser.add_argument("run", help="id, name or `latest`")
    parser.add_argument("tasks", nargs="*", type=whole(0), metavar="INDEX", help="default: all that failed")
    parser.add_argument("--failure-group", help="only tasks of this group, as `labscale tasks` shows it")
    _add_resources(parser)
    parser.add_argument("--watch", action="store_true", help="wait until it has ended")
    parser.set_defaults(action=_retry)


def _add_promotion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("dataset", help="name or id of a dataset, or id of a version")
    parser.add_argument(
        "--set",
        action="append",
        required=True,
        dest="sets",
        metavar="SET",
        help="name or id, or id of a version; may be repeated",
    )
    parser.add_argument("--analysis", help="default: the latest version of that of the first set")
    parser.add_argument("--filter", help="only shards that fit, for example 'sub=01,02'")
    parser.add_argument("--query", help="name of a saved query, instead of --filter")
    parser.add_argument(
        "--trial", type=whole(1), metavar="N", help="do N tasks first and wait for the release"
    )
    parser.add_argument(
        "--trial-order",
        choices=["random", "largest", "first"],
        default="random",
        help="default random",
    )
    parser.add_argument(
        "--no-reuse", action="store_true", help="run every task even where its derivative exists"
    )
    parser.add_argument(
        "--shards-per-pod",
        type=whole(1),
        metavar="N",
        help="tasks that one pod does one after another; default: chosen from the trial's timing",
    )
    _add_resources(parser)


def _add_resources(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cpus", type=whole(1), help="for each task")
    parser.add_argument("--memory", type=size_bytes, metavar="SIZE", help="for each task, for example 2GiB")
    parser.add_argument(
        "--time-limit", type=span_seconds, metavar="SPAN", help="for each task, for example 10min"
    )
    parser.add_argument("--retries", type=whole(0), help="further attempts after a failed one")
    parser.add_argument("--gpus", type=whole(0), help="for each task; only on a cluster")


def _resources(options: argparse.Namespace) -> dict[str, Any]:
    given = {
        "cpus": options.cpus,
        "memoryBytes": options.memory,
        "timeLimitSeconds": options.time_limit,
        "retries": options.retries,
        "gpus": options.gpus,
    }
    return {name: value for name, value in given.items() if value is not None}


def _promotion(options: argparse.Namespace) -> dict[str, Any]:
    sets = [find_parameter_set_version(written) for written in options.sets]
    if options.analysis:
        analysis_version_id = find_analysis_version(options.analysis)["id"]
    else:
        saved_for = call("getAnalysisVersion", params={"versionId": sets[0]["analysisVersionId"]})
        analysis = call("getAnalysis", params={"analysisId": saved_for["analysisId"]})
        analysis_version_id = analysis["latestVersion"]["id"]
    promotion: dict[str, Any] = {
        "analysisVersionId": analysis_version_id,
        "parameterSetVersionIds": [version["id"] for version in sets],
        "datasetVersionId": find_dataset_version(options.dataset)["id"],
    }
    if options.query:
        if options.filter:
            raise LabscaleError("--filter and --query exclude each other.", "Give one of them.", code="USAGE")
        promotion["filter"] = _saved_filter(options.dataset, options.query)
    elif options.filter:
        promotion["filter"] = options.filter
    if options.trial:
        promotion["trial"] = {"count": options.trial, "order": options.trial_order}
    if options.no_reuse:
        promotion["reuse"] = False
    if options.shards_per_pod:
        promotion["shardsPerPod"] = options.shards_per_pod
    resources = _resources(options)
    return {**promotion, "resources": resources} if resources else promotion


def _saved_filter(dataset: str, name: str) -> str:
    version = (
        find_dataset_version(dataset) if dataset.startswith("dv-") else find_dataset(dataset)["latestVersion"]
    )
    saved = pages("listQueries", params={"datasetId": version["datasetId"]})
    found = [query["filter"] for query in saved if name in (query["name"], query["id"])]
    if not found:
        raise LabscaleError(
            f"There is no query named {name!r}.", "labscale queries list DATASET", code="NOT_FOUND"
        )
    return found[0]


def _plan(options: argparse.Namespace) -> Answer:
    plan = call("createPlan", body=_promotion(options))
    estimate = plan["estimate"]
    resources = plan["resources"]
    text = fields(
        [
            ("shards", f"{plan['shards']:,}"),
            ("tasks", f"{plan['tasks']:,}"),
            ("reused", f"{plan['reused']:,}"),
            ("to run", f"{plan['toRun']:,}"),
            ("input", readable_bytes(plan["inputBytes"])),
            ("per task", f"{resources['cpus']} CPU, {readable_bytes(resources['memoryBytes'])}"),
            ("runner", plan["runner"]),
            ("shards/pod", plan["shardsPerPod"]),
            (
                "estimate",
                f"{seconds(estimate['seconds'])}, from {estimate['basis']}" if estimate else "not known yet",
            ),
        ]
    )
    if plan["misses"]:
        rows = [(miss["count"], miss["explanation"], miss["exampleShardKey"]) for miss in plan["misses"]]
        text += "\n\n" + table(("TASKS", "RUN BECAUSE", "FOR EXAMPLE"), rows)
    return Answer(plan, text)


def _run(options: argparse.Namespace) -> Answer:
    body: dict[str, Any] = {"promotion": _promotion(options)}
    if options.name:
        body["name"] = options.name
    key = options.key or str(uuid.uuid4())
    try:
        run = call("createRun", body=body, key=key)
    except ServerAwayError:
        # Where the answer was lost, the same key gives it again; where nobody listens, this says so again.
        run = call("createRun", body=body, key=key)
    return watched(run, options) if options.watch else Answer(run, _described(run))


def _watch(options: argparse.Namespace) -> Answer:
    return watched(find_run(options.run), options)


def watched(run: dict[str, Any], options: argparse.Namespace) -> Answer:
    """Follow a run until it ends or waits for its release; a server that restarts is found again."""
    line = ProgressLine(getattr(options, "json", False))
    pause = 0.05
    away_since: float | None = None
    while run["state"] not in (*ENDED, "awaiting-release"):
        line.show(f"{run['name']}: {run['headline']}", run["state"])
        time.sleep(pause)
        pause = min(pause * 1.3, 1.0)
        try:
            run = call("getRun", params={"runId": run["id"]})
            away_since = None
        except ServerAwayError:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > AWAY_SECONDS:
                raise
            line.show(f"{run['name']}: the server is away, waiting for it", "away")
    line.end()
    return Answer(run, _described(run), 1 if run["state"] in ("failed", "stopped") else 0)


def _list(options: argparse.Namespace) -> Answer:
    query = {"search": options.search, "state": options.state, "limit": min(options.limit, 1000)}
    page = call("listRuns", query=query)
    rows = [
        (item["id"], item["name"], item["state"], item["headline"], local_time(item["createdAt"]))
        for item in page["items"]
    ]
    return Answer(page, table(("ID", "NAME", "STATE", "WHERE IT STANDS", "STARTED"), rows) + more(page))


def _show(options: argparse.Namespace) -> Answer:
    run = find_run(options.run)
    return Answer(run, _described(run))


def _described(run: dict[str, Any]) -> str:
    counts = {name: count for name, count in run["counts"].items() if count}
    derivatives = run["derivatives"]
    return fields(
        [
            ("run", f"{run['name']} ({run['id']})"),
            ("state", run["headline"]),
            ("analysis", f"{run['analysis']['name']} v{run['analysis']['number']}"),
            ("dataset", f"{run['dataset']['name']} v{run['dataset']['number']}"),
            ("sets", [f"{item['name']} v{item['number']}" for item in run["parameterSets"]]),
            ("tasks", ", ".join(f"{count:,} {name}" for name, count in counts.items())),
            ("failure", run["failure"]),
            (
                "derivatives",
                f"{derivatives['shardCount']:,} ({derivatives['datasetVersionId']})" if derivatives else "",
            ),
        ]
    )


def _act(options: argparse.Namespace) -> Answer:
    run = call(options.operation, params={"runId": find_run(options.run)["id"]})
    return watched(run, options) if options.watch else Answer(run, _described(run))


def _retry(options: argparse.Namespace) -> Answer:
    body: dict[str, Any] = {}
    if options.tasks:
        body["taskIndexes"] = sorted(set(options.tasks))
    if options.failure_group:
        body["failureGroup"] = options.failure_group
    if _resources(options):
        body["resources"] = _resources(options)
    run = call("retryRun", params={"runId": find_run(options.run)["id"]}, body=body)
    return watched(run, options) if options.watch else Answer(run, _described(run))
