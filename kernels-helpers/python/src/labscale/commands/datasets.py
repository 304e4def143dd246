"""`labscale datasets`: register folders and objects of a bucket, look at them, update them."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from labscale.client import call, pages
from labscale.commands.answer import Answer, ProgressLine, fields, labels, local_time, more, table
from labscale.commands.pairs import add_limit, parse_pairs
from labscale.commands.references import find_dataset, find_dataset_version
from labscale.errors import LabscaleError
from labscale.failure import readable_bytes


def add(nouns: Any, shared: argparse.ArgumentParser) -> None:
    verbs = nouns.add_parser("datasets", help="register data as datasets and look at them").add_subparsers(
        metavar="VERB"
    )

    parser = verbs.add_parser("list", parents=[shared], help="datasets, newest first")
    parser.add_argument("--search", metavar="WORDS", help="words, all of which must occur")
    add_limit(parser)
    parser.set_defaults(action=_list)

    parser = verbs.add_parser("register", parents=[shared], help="register a folder, or objects of a bucket")
    parser.add_argument(
        "path", help="folder, relative to the current one; or s3://BUCKET/PREFIX/, read in place"
    )
    parser.add_argument("--name", help="default: the folder's name")
    parser.add_argument(
        "--upload",
        action=argparse.BooleanOptionalAction,
        help="copy the folder into the object store (default: where that is not on the server's disk)",
    )
    parser.add_argument("--description", metavar="TEXT", default="", help="what it holds")
    parser.add_argument(
        "--layout",
        choices=["file-per-shard", "folder-per-shard", "pattern"],
        help="default: each file is a shard",
    )
    parser.add_argument(
        "--pattern", help="for example sub-{sub}/anat/sub-{sub}_T1w.nii; implies --layout pattern"
    )
    parser.add_argument(
        "--metadata", action="append", default=[], metavar="NAME=VALUE", help="may be repeated"
    )
    parser.add_argument(
        "--no-wait", action="store_true", help="return while the shards are still being digested"
    )
    parser.set_defaults(action=_register)

    for name, action, text in (
        ("show", _show, "one dataset"),
        ("check", _check, "compare folder or prefix with the latest version"),
        ("update", _update, "make a new version where folder or prefix changed"),
        ("versions", _versions, "versions, newest first"),
        ("delete", _delete, "forget a dataset that no run used; the data stay"),
    ):
        parser = verbs.add_parser(name, parents=[shared], help=text)
        parser.add_argument("dataset", help="name or id")
        parser.set_defaults(action=action)

    parser = verbs.add_parser(
        "shards", parents=[shared], help="shards of a version, or those that fit a filter"
    )
    parser.add_argument("dataset", help="name or id of a dataset, or id of a version")
    parser.add_argument("--filter", help="for example 'sub=01,02 age>60'")
    add_limit(parser)
    parser.set_defaults(action=_shards)


def _list(options: argparse.Namespace) -> Answer:
    query = {"search": options.search}
    page = call("listDatasets", query={**query, "limit": min(options.limit, 1000)})
    if options.limit > 1000:
        page["items"] = list(pages("listDatasets", query=query, limit=options.limit))
    rows = [
        (
            item["id"],
            item["name"],
            item["latestVersion"]["shardCount"],
            readable_bytes(item["latestVersion"]["sizeBytes"]),
        )
        for item in page["items"]
    ]
    if not rows:
        return Answer(page, "There is no dataset yet: labscale datasets register FOLDER")
    return Answer(page, table(("ID", "NAME", "SHARDS", "SIZE"), rows) + more(page))


def _register(options: argparse.Namespace) -> Answer:
    source = _source(options)
    source["layout"] = options.layout or ("pattern" if options.pattern else "file-per-shard")
    if options.pattern:
        source["pattern"] = options.pattern
    body = {
        "name": options.name or _name_of(source),
        "description": options.description,
        "metadata": parse_pairs(options.metadata),
        "source": source,
    }
    dataset = call("createDataset", body=body)
    if not options.no_wait:
        dataset["latestVersion"] = wait_for_indexing(
            dataset["latestVersion"], getattr(options, "json", False), dataset["source"].get("upload", False)
        )
    return Answer(dataset, _described(dataset))


def _source(options: argparse.Namespace) -> dict[str, Any]:
    if not options.path.startswith("s3://"):
        source: dict[str, Any] = {"kind": "folder", "path": str(Path(options.path).expanduser().resolve())}
        if options.upload is not None:
            source["upload"] = options.upload
        return source
    bucket, _, prefix = options.path.removeprefix("s3://").partition("/")
    if not bucket:
        raise LabscaleError(
            f"{options.path} names no bucket.",
            "Give it as s3://BUCKET/PREFIX/.",
            field="path",
            code="PATH_INVALID",
        )
    if options.upload is not None:
        raise LabscaleError(
            "Objects of a bucket are read where they are.",
            "Leave --upload and --no-upload out.",
            field="upload",
            code="PATH_INVALID",
        )
    return {"kind": "bucket", "bucket": bucket, "prefix": prefix}


def _name_of(source: dict[str, Any]) -> str:
    """The last part of what is registered that has a name."""
    if source["kind"] == "folder":
        return Path(source["path"]).name
    return source["prefix"].rstrip("/").rpartition("/")[2] or source["bucket"]


def wait_for_indexing(version: dict[str, Any], silent: bool, uploads: bool) -> dict[str, Any]:
    """Until every shard has its digest. Raises LabscaleError where indexing failed."""
    doing = "uploading" if uploads else "digesting"
    line = ProgressLine(silent)
    pause = 0.02
    while version["indexing"]["state"] == "digesting":
        line.show(f"{doing}: {_progress(version['indexing'])}", doing)
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
        version = call("getDatasetVersion", params={"versionId": version["id"]})
    line.end()
    if version["indexing"]["state"] == "failed":
        detail = version["indexing"].get("detail", "no reason was given")
        raise LabscaleError(
            f"Indexing failed: {detail}", "Mend that, then `labscale datasets update`.", code="INDEXING"
        )
    return version


def _progress(indexing: dict[str, Any]) -> str:
    shards = f"{indexing['done']:,} of {indexing['total']:,} shards"
    if "doneBytes" not in indexing:
        return shards
    done, total = (readable_bytes(indexing[name]) for name in ("doneBytes", "totalBytes"))
    return f"{shards}, {done} of {total}"


def _show(options: argparse.Namespace) -> Answer:
    dataset = find_dataset(options.dataset)
    return Answer(dataset, _described(dataset))


def _described(dataset: dict[str, Any]) -> str:
    version = dataset["latestVersion"]
    source = dataset["source"]
    return fields(
        [
            ("dataset", f"{dataset['name']} ({dataset['id']})"),
            ("description", dataset["description"]),
            ("source", _source_text(source)),
            ("version", f"{version['number']} ({version['id']})"),
            ("shards", f"{version['shardCount']:,}"),
            ("size", readable_bytes(version["sizeBytes"])),
            ("entities", version["entityNames"]),
            ("indexing", version["indexing"]["state"]),
            ("metadata", dataset["metadata"]),
            ("registered", local_time(dataset["createdAt"])),
        ]
    )


def _source_text(source: dict[str, Any]) -> str:
    if source["kind"] == "derivatives":
        return f"derivatives of {source['runId']}"
    if source["kind"] == "bucket":
        return f"s3://{source['bucket']}/{source['prefix']}" if "bucket" in source else source["prefix"]
    return f"{source['path']} (uploaded)" if source.get("upload") else source["path"]


def _check(options: argparse.Namespace) -> Answer:
    check = call("checkDataset", params={"datasetId": find_dataset(options.dataset)["id"]})
    text = "all is as it was registered" if check["current"] else f"it changed: {_changes(check)}"
    return Answer(check, text)


def _update(options: argparse.Namespace) -> Answer:
    dataset = find_dataset(options.dataset)
    version = call("createDatasetVersion", params={"datasetId": dataset["id"]})
    uploads = dataset["source"].get("upload", False)
    version = wait_for_indexing(version, getattr(options, "json", False), uploads)
    if version["id"] == dataset["latestVersion"]["id"]:
        return Answer(version, f"nothing changed: version {version['number']} is current")
    return Answer(version, f"version {version['number']} ({version['id']}): {_changes(version)}")


def _changes(holder: dict[str, Any]) -> str:
    changes = holder["changes"] or {}
    return ", ".join(f"{count:,} {kind}" for kind, count in changes.items())


def _versions(options: argparse.Namespace) -> Answer:
    page = call(
        "listDatasetVersions",
        params={"datasetId": find_dataset(options.dataset)["id"]},
        query={"limit": 1000},
    )
    rows = [
        (item["number"], item["id"], item["shardCount"], local_time(item["createdAt"]), _changes(item))
        for item in page["items"]
    ]
    return Answer(page, table(("VERSION", "ID", "SHARDS", "MADE", "CHANGES"), rows))


def _shards(options: argparse.Namespace) -> Answer:
    version = find_dataset_version(options.dataset)
    query = {"filter": options.filter}
    page = call(
        "listShards", params={"versionId": version["id"]}, query={**query, "limit": min(options.limit, 1000)}
    )
    if options.limit > 1000:
        found = pages("listShards", params={"versionId": version["id"]}, query=query, limit=options.limit)
        page["items"] = list(found)
    rows = [
        (
            item["index"],
            item["key"],
            readable_bytes(item["sizeBytes"]),
            labels({**item["entities"], **item["metadata"]}),
        )
        for item in page["items"]
    ]
    return Answer(page, table(("INDEX", "SHARD", "SIZE", "ENTITIES AND METADATA"), rows) + more(page))


def _delete(options: argparse.Namespace) -> Answer:
    dataset = find_dataset(options.dataset)
    call("deleteDataset", params={"datasetId": dataset["id"]})
    return Answer({"deleted": dataset["id"]}, f"forgot {dataset['name']}; its data are where they were")
