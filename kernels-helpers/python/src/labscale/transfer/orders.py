"""The orders of a wave: one object, of which a pod reads its own part only."""

from __future__ import annotations

import json
import re
from typing import Any

from labscale.s3.errors import StoreError
from labscale.s3.store import ObjectStore
from labscale.transfer import keys

LINE_BYTES = 16

Order = dict[str, Any]


class OrdersUnreadable(StoreError):
    """The object is not what a server writes."""


def read_pack(store: ObjectStore, run: str, wave: int, pack: int) -> list[Order]:
    """The task orders of a pack: two lines of the header say where they are."""
    key = keys.orders(run, wave)
    start = pack * LINE_BYTES
    header = store.get(key, span=(start, start + 2 * LINE_BYTES - 1))
    if not re.fullmatch(rb"\d{15}\n\d{15}\n", header):
        raise OrdersUnreadable(f"{key}: it has no pack {pack}")
    begin, end = int(header[:15]), int(header[16:31])
    try:
        tasks = json.loads(store.get(key, span=(begin, end - 1)))["tasks"]
        # Each is looked at by its name only: a server that can write this object can order anything.
        for task in tasks:
            int(task["index"]), int(task["attempt"]), task["shard"]["objects"]
        return tasks
    except (ValueError, KeyError, TypeError) as error:
        raise OrdersUnreadable(f"{key}: pack {pack} cannot be read ({error})") from None
