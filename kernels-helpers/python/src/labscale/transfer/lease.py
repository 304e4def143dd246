"""The number of an attempt, which no other pod has: so two never write under one prefix."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from labscale.claim import now
from labscale.s3.store import ObjectStore
from labscale.transfer import keys

MOST_NUMBERS = 10_000


@dataclass(frozen=True)
class Lease:
    """Either a number to work under, or the report of an earlier pod that ended the task as ordered."""

    number: int
    report: dict[str, Any] | None = None


def take_lease(store: ObjectStore, run: str, index: int, ordered: int, pod: dict[str, Any]) -> Lease:
    """The first free number from the ordered one upwards.

    A failure that an earlier pod of this order has reported stands: whether the task is tried again after it
    is for the server to decide.
    """
    for number in range(ordered, ordered + MOST_NUMBERS):
        prefix = keys.attempt(run, index, number)
        body = json.dumps({**pod, "at": now()}).encode()
        if store.put_if_absent(f"{prefix}/lease.json", body):
            return Lease(number)
        report = read_report(store, f"{prefix}/report.json", run, index)
        if report is not None and report.get("state") == "failed":
            return Lease(number, report)
    raise AssertionError(f"task {index} has more than {MOST_NUMBERS} attempts")


def read_report(store: ObjectStore, key: str, run: str, index: int) -> dict[str, Any] | None:
    """A report or claim of a task; None where there is none that can be read."""
    try:
        report = json.loads(store.get(key, missing=b"null"))
    except ValueError:
        return None
    if not isinstance(report, dict) or (report.get("runId"), report.get("index")) != (run, index):
        return None
    return report
