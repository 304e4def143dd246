"""A shard and a snippet, as a notebook sees them: the same in tuning and in a run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from labscale.errors import LabscaleError


class Shard:
    """The piece of a dataset that one task gets.

    Attributes
    ----------
    key
        Its name in the dataset version.
    entities
        Labels by entity, as `{"sub": "01"}`.
    metadata
        Text, numbers and booleans by name.
    files
        Its files, as paths that can be opened.
    """

    def __init__(self, described: dict[str, Any], folder: Path) -> None:
        self.key: str = described["key"]
        self.entities: dict[str, str] = described.get("entities", {})
        self.metadata: dict[str, Any] = described.get("metadata", {})
        self._folder = folder
        self._files = {
            item["path"]: Path(item.get("file") or folder / item["path"]) for item in described["files"]
        }
        self.files: list[Path] = list(self._files.values())

    def path(self, name: str | None = None) -> Path:
        """A file of the shard by its name; without one, its only file, or the folder of a shard of several.

        Raises
        ------
        LabscaleError
            Where it has no file of that name; the message lists those that it has.
        """
        if name is None:
            return self.files[0] if len(self.files) == 1 else self._folder
        if name not in self._files:
            has = ", ".join(list(self._files)[:20])
            raise LabscaleError(f"The shard {self.key} has no file {name!r}; it has {has}.", code="NOT_FOUND")
        return self._files[name]

    def open(self, name: str | None = None, mode: str = "rb", **options: Any) -> IO[Any]:
        """Open a file of the shard, the only one where no name is given. Raises as `path`."""
        if name is None and len(self.files) != 1:
            raise LabscaleError(f"The shard {self.key} has {len(self.files)} files.", "Name the one to open.")
        return open(self.path(name), mode, **options)

    def __repr__(self) -> str:
        labels = ", ".join(f"{name}={label}" for name, label in self.entities.items())
        return f"<Shard {self.key}: {labels or 'no entities'}, {len(self.files)} files>"


class Snippet(list[Shard]):
    """The shards that a notebook is tuned on; in a run, the one shard of the task."""

    def __init__(
        self,
        shards: Iterable[Shard],
        id: str | None = None,
        name: str | None = None,
        dataset_version_id: str | None = None,
    ) -> None:
        super().__init__(shards)
        self.id = id
        self.name = name
        self.dataset_version_id = dataset_version_id

    def __repr__(self) -> str:
        return f"<Snippet {self.name or 'of a task'}: {', '.join(shard.key for shard in self)}>"


def in_run() -> bool:
    return "LABSCALE_SHARD" in os.environ


def shard_of_task() -> Shard:
    """The shard that the worker prepared for this process."""
    with open(os.environ["LABSCALE_SHARD"], encoding="utf-8") as file:
        return Shard(json.load(file), Path(os.environ["LABSCALE_INPUT"]))


def fetch_snippet(snippet_id: str) -> Snippet:
    """A snippet with the files of its shards. Raises as `labscale.client.call`."""
    from labscale.client import call

    snippet = call("getSnippet", params={"snippetId": snippet_id}, answer_seconds=5)
    places = call("getSnippetFiles", params={"snippetId": snippet_id}, answer_seconds=5)
    files = {shard["key"]: shard["objects"] for shard in places["shards"]}
    version_id = snippet["datasetVersionId"]
    return Snippet(
        [_tuning_shard(version_id, shard, files[shard["key"]]) for shard in snippet["shards"]],
        snippet["id"],
        snippet["name"],
        version_id,
    )


def _tuning_shard(version_id: str, described: dict[str, Any], objects: list[dict[str, str]]) -> Shard:
    sizes = {item["path"]: item["sizeBytes"] for item in described["objects"]}
    if not all(_is_here(item.get("file"), sizes[item["path"]]) for item in objects):
        from labscale.shard_cache import cached_shard

        return Shard(
            {**described, "files": [{"path": path} for path in sizes]}, cached_shard(version_id, described)
        )
    first = objects[0]
    # What is left of a file's path without its part inside the shard is the shard's folder.
    folder = Path(
        first["file"][: -len(first["path"])] if first["file"].endswith(first["path"]) else first["file"]
    )
    return Shard({**described, "files": objects}, folder)


def _is_here(file: str | None, size: int) -> bool:
    """Whether a file of the server is on this disk too: the kernel may be on another machine."""
    try:
        return file is not None and os.stat(file).st_size == size
    except OSError:
        return False
