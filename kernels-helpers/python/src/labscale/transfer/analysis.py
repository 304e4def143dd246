"""Plan, notebook and files of the analysis, put where a worker looks for them."""

from __future__ import annotations

import json
from typing import Any

from labscale.s3.parallel import in_parallel
from labscale.s3.store import ObjectStore
from labscale.transfer import keys
from labscale.transfer.folder import Folder

AT_ONCE = 4


def fetch_analysis(store: ObjectStore, run: str, objects: Folder) -> dict[str, Any]:
    """The plan of a run, which is written last: whoever sees it sees all of it.

    Raises
    ------
    StoreError
    OSError
    ValueError
        Where it is not JSON.
    """
    key = keys.plan(run)
    content = store.get(key)
    plan = json.loads(content)
    analysis = plan["analysis"]
    wanted = [item["key"] for item in analysis.get("files", [])]
    if analysis.get("notebook"):
        wanted.append(analysis["notebook"])

    def fetch(name: str) -> None:
        _put(objects, name, store.get(name))

    in_parallel(fetch, wanted, AT_ONCE)
    _put(objects, key, content)
    return plan


def _put(objects: Folder, key: str, content: bytes) -> None:
    *above, name = key.split("/")
    with objects.folder(*above, create=True) as folder:
        folder.write(name, content)
