"""`labscale queries`: filters of a dataset, saved by name."""

from __future__ import annotations

import argparse
from typing import Any

from labscale.client import call
from labscale.commands.answer import Answer, table
from labscale.commands.references import find_dataset


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("queries", help="save filters of a dataset by name").add_subparsers(
        metavar="VERB"
    )
    parser = verbs.add_parser("list", parents=[shared], help="saved queries of a dataset")
    parser.add_argument("dataset", help="name or id")
    parser.set_defaults(action=_list)

    parser = verbs.add_parser("save", parents=[shared], help="save a filter")
    parser.add_argument("dataset", help="name or id")
    parser.add_argument("name", help="of the query")
    parser.add_argument("filter", help="for example 'sub=01,02 age>60'")
    parser.set_defaults(action=_save)

    parser = verbs.add_parser("delete", parents=[shared], help="delete a saved query")
    parser.add_argument("query", metavar="ID", help="as `labscale queries list` shows it")
    parser.set_defaults(action=_delete)


def _list(options: argparse.Namespace) -> Answer:
    page = call(
        "listQueries", params={"datasetId": find_dataset(options.dataset)["id"]}, query={"limit": 1000}
    )
    rows = [(item["id"], item["name"], item["filter"]) for item in page["items"]]
    return Answer(page, table(("ID", "NAME", "FILTER"), rows))


def _save(options: argparse.Namespace) -> Answer:
    dataset = find_dataset(options.dataset)
    body = {"name": options.name, "filter": options.filter}
    query = call("createQuery", params={"datasetId": dataset["id"]}, body=body)
    return Answer(query, f"saved {query['name']} ({query['id']})")


def _delete(options: argparse.Namespace) -> Answer:
    call("deleteQuery", params={"queryId": options.query})
    return Answer({"deleted": options.query}, "deleted")
