"""`labscale analyses`: register notebooks, commands and container images, look at their contracts."""

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
    verbs = nouns.add_parser(
        "analyses", help="register notebooks, commands and container images"
    ).add_subparsers(metavar="VERB")
    parser = verbs.add_parser(
        "register",
        parents=[shared],
        help="register a notebook, a command after --, or an image",
        usage="labscale analyses register NOTEBOOK [options]\n"
        "       labscale analyses register --name NAME [options] -- PROGRAM [ARGUMENT ...]\n"
        "       labscale analyses register --name NAME --image IMAGE [options] [-- ARGUMENT ...]",
        epilog="In arguments, {name} is a parameter; {input}, {output} and {shard} are the task's own, "
        "for an image {input}, {output} and {params}.",
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="NOTEBOOK or PROGRAM",
        help="an .ipynb, or a program; of an image what follows its entrypoint, default what it says itself",
    )
    parser.add_argument("--image", help="as registry.example/name:tag")
    parser.add_argument(
        "--adapter",
        choices=["plain", "bids-app", "chris"],
        help="what the program in the image expects to be told; default plain",
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
        help="of a command or image; may be repeated",
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
    if options.adapter and not options.image:
        raise _usage("--adapter is for images.", "Give --image IMAGE, or leave it out.")
    if not options.image and not options.words:
        raise _usage("Nothing to register.", "Give a notebook, a program after --, or --image IMAGE.")
    if options.image and options.fresh:
        raise _usage("A container is fresh for each shard anyway.", "Leave --fresh out.")
    notebook = not options.image and len(options.words) == 1 and options.words[0].endswith(".ipynb")
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
        what: dict[str, Any] = {"kind": "container" if options.image else "command"}
        if not options.name:
            raise _usage(f"A {what['kind']} needs a name.", "Give --name NAME.")
        if options.words:
            what["command"] = options.words
        if options.image:
            what["image"] = options.image
        if options.adapter:
            what["adapter"] = options.adapter
        analysis = call("createAnalysis", body={**what, **fields_given})
    return Answer(analysis, _described(analysis))


def _usage(what: str, mend: str) -> LabscaleError:
    return LabscaleError(what, mend, code="USAGE")


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
    image = version["image"]
    contract = version["contract"]
    resources = contract["resources"]
    head = fields(
        [
            ("analysis", f"{analysis['name']} ({analysis['id']})"),
            ("version", f"{version['number']} ({version['id']})"),
            ("notebook", version["path"]),
            ("image", image and f"{image['reference']} ({image['digest']})"),
            ("adapter", version["adapter"]),
            ("entrypoint", image and image["entrypoint"]),
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
