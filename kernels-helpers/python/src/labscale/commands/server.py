"""`labscale server`, `labscale serve` and `labscale lineage`."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from typing import Any

from labscale.client import call
from labscale.commands.answer import Answer, fields, table
from labscale.errors import LabscaleError
from labscale.failure import readable_bytes


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    parser = nouns.add_parser("server", parents=[shared], help="what the server is and runs on")
    parser.set_defaults(action=_server)

    parser = nouns.add_parser("serve", help="run the server of a project folder in the foreground")
    parser.add_argument("--project", help="folder (default: the current one)")
    parser.set_defaults(action=_serve)

    parser = nouns.add_parser(
        "lineage", parents=[shared], help="what something was made from, and what from it"
    )
    parser.add_argument(
        "id", help="of a dataset version, snippet, analysis version, parameter set version or run"
    )
    parser.set_defaults(action=_lineage)


def _server(options: argparse.Namespace) -> Answer:
    server = call("getServer")
    return Answer(
        server,
        fields(
            [
                ("version", server["version"]),
                ("user", server["user"]),
                ("project", server["projectFolder"]),
                ("metadata", server["metadata"]),
                ("objects", server["objects"]),
                ("runner", server["runner"]),
                ("CPUs", str(server["cpus"])),
                ("memory", readable_bytes(server["memoryBytes"])),
            ]
        ),
    )


def _serve(options: argparse.Namespace) -> Answer:
    if importlib.util.find_spec("jupyterlab_labscale") is None:
        raise LabscaleError(
            "The server comes with the package jupyterlab-labscale, which is not installed here.",
            "pip install jupyterlab-labscale",
            code="SERVER_NOT_INSTALLED",
        )
    project = ["--project", options.project] if options.project else []
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab_labscale.serve", *project])


def _lineage(options: argparse.Namespace) -> Answer:
    lineage = call("getLineage", params={"id": options.id})
    names = {node["id"]: _named(node) for node in lineage["nodes"]}
    rows = [
        (names.get(edge["from"], edge["from"]), edge["relation"], names.get(edge["to"], edge["to"]))
        for edge in lineage["edges"]
    ]
    return Answer(lineage, table(("FROM", "RELATION", "TO"), rows))


def _named(node: dict[str, Any]) -> str:
    number = f" v{node['number']}" if node["number"] else ""
    return f"{node['noun'].removesuffix('-version').replace('-', ' ')} {node['name']}{number}"
