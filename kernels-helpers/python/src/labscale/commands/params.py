"""`labscale params`: save, compare, fork and read parameter sets."""

from __future__ import annotations

import argparse
from typing import Any

from labscale.client import call, pages
from labscale.commands.answer import Answer, fields, labels, local_time, more, table
from labscale.commands.pairs import add_limit, parse_pairs
from labscale.commands.references import (
    find_analysis,
    find_analysis_version,
    find_parameter_set,
    find_parameter_set_version,
    find_snippet,
)


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("params", help="save, compare and fork parameter sets").add_subparsers(
        metavar="VERB"
    )
    parser = verbs.add_parser(
        "save", parents=[shared], help="save values; a set of that name gets a new version"
    )
    parser.add_argument("name", help="of the set; one that is there gets a new version")
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="JSON, else text")
    parser.add_argument("--analysis", required=True, help="name, id, or path of a notebook")
    parser.add_argument("--note", metavar="TEXT", default="", help="in your own words")
    parser.add_argument("--tag", action="append", default=[], help="may be repeated")
    parser.add_argument(
        "--metric",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="as measured on the snippet; may be repeated",
    )
    parser.add_argument("--snippet", help="name or id of the snippet that it was tuned on")
    parser.set_defaults(action=_save)

    parser = verbs.add_parser("list", parents=[shared], help="parameter sets, newest first")
    parser.add_argument("--analysis", help="name or id")
    parser.add_argument("--search", metavar="WORDS", help="words, all of which must occur")
    parser.add_argument("--filter", help="over values and metrics, for example 'sigma>1'")
    parser.add_argument("--order-by", help="created, name, metric:NAME or parameter:NAME, with :asc or :desc")
    add_limit(parser)
    parser.set_defaults(action=_list)

    parser = verbs.add_parser("show", parents=[shared], help="one parameter set")
    parser.add_argument("set", help="name or id")
    parser.set_defaults(action=_show)

    parser = verbs.add_parser("load", parents=[shared], help="print the values of a set as JSON")
    parser.add_argument("set", help="name or id of a set, or id of a version")
    parser.set_defaults(action=_load)

    parser = verbs.add_parser("fork", parents=[shared], help="start a set of your own from another")
    parser.add_argument("set", help="name or id of a set")
    parser.add_argument("name", help="of the new set")
    parser.add_argument("values", nargs="*", metavar="NAME=VALUE", help="what is to differ")
    parser.add_argument("--note", metavar="TEXT", default="", help="in your own words")
    parser.set_defaults(action=_fork)

    parser = verbs.add_parser("compare", parents=[shared], help="two or more sets side by side")
    parser.add_argument("sets", nargs="+", metavar="SET", help="names or ids of sets, or ids of versions")
    parser.set_defaults(action=_compare)


def _save(options: argparse.Namespace) -> Answer:
    version = find_analysis_version(options.analysis)
    provenance: dict[str, Any] = {"capturedFrom": ["call"]}
    if options.snippet:
        snippet = find_snippet(options.snippet)
        provenance |= {"snippetId": snippet["id"], "datasetVersionId": snippet["datasetVersionId"]}
    body = {
        "analysisVersionId": version["id"],
        "values": parse_pairs(options.values, version["contract"]),
        "metrics": parse_pairs(options.metric),
        "provenance": provenance,
    }
    query = {"search": options.name, "analysisId": version["analysisId"]}
    own = [item for item in pages("listParameterSets", query=query) if item["name"] == options.name]
    if own:
        saved = call("createParameterSetVersion", params={"parameterSetId": own[0]["id"]}, body=body)
    else:
        saved = call(
            "createParameterSet",
            body={"name": options.name, "note": options.note, "tags": options.tag, **body},
        )
    return Answer(saved, _described(saved))


def _list(options: argparse.Namespace) -> Answer:
    query = {
        "analysisId": find_analysis(options.analysis)["id"] if options.analysis else None,
        "search": options.search,
        "filter": options.filter,
        "orderBy": options.order_by,
    }
    page = call("listParameterSets", query={**query, "limit": min(options.limit, 1000)})
    if options.limit > 1000:
        page["items"] = list(pages("listParameterSets", query=query, limit=options.limit))
    rows = [
        (
            item["id"],
            item["name"],
            item["analysisName"],
            item["latestVersion"]["number"],
            labels(item["latestVersion"]["values"]),
            labels(item["latestVersion"]["metrics"]),
        )
        for item in page["items"]
    ]
    return Answer(page, table(("ID", "NAME", "ANALYSIS", "VERSION", "VALUES", "METRICS"), rows) + more(page))


def _show(options: argparse.Namespace) -> Answer:
    found = find_parameter_set(options.set)
    return Answer(found, _described(found))


def _described(found: dict[str, Any]) -> str:
    version = found["latestVersion"]
    parent = found["parent"]
    return fields(
        [
            ("parameter set", f"{found['name']} ({found['id']})"),
            ("analysis", found["analysisName"]),
            ("version", f"{version['number']} ({version['id']})"),
            *((name, version["values"][name]) for name in version["values"]),
            *((f"metric {name}", value) for name, value in version["metrics"].items()),
            ("forked from", f"{parent['name']}, version {parent['number']}" if parent else None),
            ("differs in", found["changedFromParent"]),
            ("note", found["note"]),
            ("tags", found["tags"]),
            ("saved", local_time(version["createdAt"])),
        ]
    )


def _load(options: argparse.Namespace) -> Answer:
    import json

    values = find_parameter_set_version(options.set)["values"]
    return Answer(values, json.dumps(values, ensure_ascii=False, indent=2))


def _fork(options: argparse.Namespace) -> Answer:
    found = find_parameter_set(options.set)
    body: dict[str, Any] = {"name": options.name, "note": options.note}
    if options.values:
        version = call(
            "getAnalysisVersion", params={"versionId": found["latestVersion"]["analysisVersionId"]}
        )
        changed = parse_pairs(options.values, version["contract"])
        body["values"] = {**found["latestVersion"]["values"], **changed}
    forked = call("forkParameterSet", params={"parameterSetId": found["id"]}, body=body)
    return Answer(forked, _described(forked))


def _compare(options: argparse.Namespace) -> Answer:
    ids = [find_parameter_set_version(written)["id"] for written in options.sets]
    compared = call("compareParameterSets", query={"versions": ",".join(ids)})
    versions = compared["versions"]
    heads = ["", *(f"{item['parameterSetName']} v{item['version']['number']}" for item in versions)]
    rows = [
        [name, *(item["version"]["values"].get(name) for item in versions)] for name in compared["differing"]
    ]
    rows += [
        [f"metric {name}", *(item["version"]["metrics"].get(name) for item in versions)]
        for name in compared["metricNames"]
    ]
    same = f"\nthe same: {', '.join(compared['same'])}" if compared["same"] else ""
    return Answer(compared, table(heads, rows) + same)
