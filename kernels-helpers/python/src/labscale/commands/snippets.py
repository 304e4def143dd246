"""`labscale snippets`: cut a few shards to tune on, and a notebook that opens them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from labscale.client import call
from labscale.commands.answer import Answer, fields, labels, local_time, more, table
from labscale.commands.pairs import add_limit, whole
from labscale.commands.references import find_analysis, find_dataset, find_dataset_version, find_snippet
from labscale.errors import LabscaleError


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("snippets", help="cut a few shards to tune on").add_subparsers(metavar="VERB")
    parser = verbs.add_parser("create", parents=[shared], help="cut a seeded selection of shards")
    parser.add_argument("dataset", help="name or id of a dataset, or id of a version")
    parser.add_argument("--count", type=whole(1), default=4, help="shards (default 4)")
    parser.add_argument("--filter", default="", help="for example 'sub=01,02 age>60'")
    parser.add_argument("--seed", type=whole(0), help="default: chosen and recorded")
    parser.add_argument("--name", help="default: one is made up")
    parser.set_defaults(action=_create)

    parser = verbs.add_parser("list", parents=[shared], help="snippets, newest first")
    parser.add_argument("--dataset", help="name or id")
    add_limit(parser)
    parser.set_defaults(action=_list)

    parser = verbs.add_parser("show", parents=[shared], help="one snippet with its shards")
    parser.add_argument("snippet", help="name or id")
    parser.set_defaults(action=_show)

    parser = verbs.add_parser("notebook", parents=[shared], help="write a notebook that opens the snippet")
    parser.add_argument("snippet", help="name or id")
    parser.add_argument("file", type=Path, help="the .ipynb to write; one that is there is kept")
    parser.add_argument("--analysis", help="name or id: its notebook, instead of a new one")
    parser.set_defaults(action=_notebook)


def _create(options: argparse.Namespace) -> Answer:
    body: dict[str, Any] = {
        "datasetVersionId": find_dataset_version(options.dataset)["id"],
        "count": options.count,
        "filter": options.filter,
    }
    for name in ("seed", "name"):
        if getattr(options, name) is not None:
            body[name] = getattr(options, name)
    snippet = call("createSnippet", body=body)
    return Answer(snippet, _described(snippet))


def _list(options: argparse.Namespace) -> Answer:
    dataset_id = find_dataset(options.dataset)["id"] if options.dataset else None
    page = call("listSnippets", query={"datasetId": dataset_id, "limit": min(options.limit, 1000)})
    rows = [
        (item["id"], item["name"], len(item["shards"]), local_time(item["createdAt"]))
        for item in page["items"]
    ]
    return Answer(page, table(("ID", "NAME", "SHARDS", "CUT"), rows) + more(page))


def _show(options: argparse.Namespace) -> Answer:
    snippet = find_snippet(options.snippet)
    return Answer(snippet, _described(snippet))


def _described(snippet: dict[str, Any]) -> str:
    selection = snippet["selection"]
    head = fields(
        [
            ("snippet", f"{snippet['name']} ({snippet['id']})"),
            ("of", snippet["datasetVersionId"]),
            ("seed", str(selection["seed"])),
            ("filter", selection["filter"]),
        ]
    )
    rows = [(item["index"], item["key"], labels(item["entities"])) for item in snippet["shards"]]
    return f"{head}\n\n{table(('INDEX', 'SHARD', 'ENTITIES'), rows)}"


def _notebook(options: argparse.Namespace) -> Answer:
    snippet = find_snippet(options.snippet)
    analysis_id = find_analysis(options.analysis)["id"] if options.analysis else None
    notebook = call(
        "getSnippetNotebook", params={"snippetId": snippet["id"]}, query={"analysisId": analysis_id}
    )
    try:
        with open(options.file, "x", encoding="utf-8") as file:
            json.dump(notebook, file, indent=1, ensure_ascii=False)
            file.write("\n")
    except FileExistsError:
        raise LabscaleError(f"{options.file} is there already.", "Give another name.", field="file") from None
    except OSError as error:
        raise LabscaleError(f"{options.file} cannot be written: {error.strerror}.", field="file") from None
    return Answer({"file": str(options.file.resolve()), "snippetId": snippet["id"]}, f"wrote {options.file}")
