"""`labscale analyses`: register notebooks and commands, look at their contracts."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from labscale.client import call
from labscale.commands.answer import Answer, fields, local_time, more, table
from labscale.commands.pairs import add_limit, parse_pairs
from labscale.commands.references import find_analysis, register_notebook
from labscale.errors import LabscaleError
from labscale.failure import readable_bytes


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("analyses", help="register notebooks and commands").add_subparsers(
        metavar="VERB"
    )
    parser = verbs.add_parser(
        "register",
        parents=[shared],
        help="register a notebook, or a command after --",
        usage="labscale analyses register NOTEBOOK [options]\n"
        "       labscale analyses register --name NAME [options] -- PROGRAM [ARGUMENT ...]",
        epilog="In arguments, {name} is a parameter; {input}, {output} and {shard} are the task's own.",
    )
    parser.add_argument(
        "words",
        nargs="+",
        metavar="NOTEBOOK or PROGRAM",
        help="an .ipynb, or a program",
    )
    parser.add_argument("--name", help="default: that of the notebook's file")
    parser.add_argument("--description", metavar="TEXT", default="", help="what it does")
    parser.add_argument(
        "--output", action="append", default=[], metavar="PATTERN", help="what a task must write"
    )
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=DEFAULT",
        help="of a command; may be repeated",
    )
    parser.add_argument("--fresh", action="store_true", help="start a fresh interpreter for each shard")
    parser.set_defaults(action=_register)

    parser = verbs.add_parser("list", parents=[shared], help="analyses, newest first")
    parser.add_argument("--search", metavar="WORDS", help="words, all of which must occur")
    add_limit(parser)
    parser.set_defaults(action=_list)

    parser = verbs.add_parser("show", parents=[shared], help="one analysis with its contract")
    parser.add_argument("analysis", help="name or id")
    parser.set_defaults(action=_show)


def _register(options: argparse.Namespace) -> Answer:
    fields_given: dict[str, Any] = {"description": options.description} if options.description else {}
    if options.name:
        fields_given["name"] = options.name
    contract: dict[str, Any] = {}
    if options.output:
        contract["outputs"] = [{"path": pattern, "required": True} for pattern in options.output]
    if options.fresh:
        contract["warm"] = False
    notebook = len(options.words) == 1 and options.words[0].endswith(".ipynb")
    if options.parameter:
        if notebook:
            raise LabscaleError(
                "The parameters of a notebook stand in its tagged cell.", "Leave --parameter out."
            )
        defaults = parse_pairs(options.parameter)
        contract["parameters"] = [
            {"name": name, "type": _type_of(value), "default": value} for name, value in defaults.items()
        ]
    if contract:
        fields_given["contract"] = contract
    if notebook:
        analysis = register_notebook(Path(options.words[0]), **fields_given)
    else:
        if not options.name:
            raise LabscaleError("A command needs a name.", "Give --name NAME.", field="name", code="USAGE")
        analysis = call("createAnalysis", body={"kind": "command", "command": options.words, **fields_given})
    return Answer(analysis, _described(analysis))


def _type_of(value: Any) -> str:
    from labscale.parameters import type_of

    return type_of(value)


def _list(options: argparse.Namespace) -> Answer:
    page = call("listAnalyses", query={"search": options.search, "limit": min(options.limit, 1000)})
    rows = [
        (
            item["id"],
            item["name"],
            item["kind"],
            item["latestVersion"]["number"],
            local_time(item["updatedAt"]),
        )
        for item in page["items"]
    ]
    return Answer(page, table(("ID", "NAME", "KIND", "VERSION", "CHANGED"), rows) + more(page))


def _show(options: argparse.Namespace) -> Answer:
    analysis = find_analysis(options.analysis)
    return Answer(analysis, _described(analysis))


def _described(analysis: dict[str, Any]) -> str:
    version = analysis["latestVersion"]
    contract = version["contract"]
    resources = contract["resources"]
    head = fields(
        [
            ("analysis", f"{analysis['name']} ({analysis['id']})"),
            ("version", f"{version['number']} ({version['id']})"),
            ("notebook", version["path"]),
            ("command", version["command"]),
            ("kernel", version["kernel"]["name"] if version["kernel"] else None),
            ("files", version["files"]),
            ("outputs", [item["path"] for item in contract["outputs"]]),
            ("per task", f"{resources['cpus']} CPU, {readable_bytes(resources['memoryBytes'])}"),
        ]
    )
    rows = [
        (item["name"], item["type"], item.get("default"), item.get("description", ""))
        for item in contract["parameters"]
    ]
    return f"{head}\n\n{table(('PARAMETER', 'TYPE', 'DEFAULT', 'HELP'), rows)}" if rows else head
