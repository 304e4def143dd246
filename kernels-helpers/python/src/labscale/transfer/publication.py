"""The end of an attempt in the object store: its outputs, its log, its report, and the claim."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from labscale.claim import Measures, report_of
from labscale.failure import AttemptFailure
from labscale.log import HEAD_BYTES, TAIL_BYTES
from labscale.outputs import check_expected, media_type
from labscale.s3.errors import CredentialsRefused, ObjectChanged, StoreRefused
from labscale.s3.parallel import in_parallel
from labscale.s3.store import KEY_BYTES, ObjectStore
from labscale.s3.upload import PART_BYTES, upload_file
from labscale.transfer import keys
from labscale.transfer.folder import Folder, NotAFile
from labscale.transfer.said import Said

AT_ONCE = 4
LOG_BYTES = HEAD_BYTES + TAIL_BYTES + 256


@dataclass(frozen=True)
class Ended:
    """An attempt whose program has ended; `folder` has `out` and `log`, and is None where it is gone."""

    order: dict[str, Any]
    folder: Folder | None
    said: Said
    started_at: str
    started: float
    """By the monotonic clock."""


def publish(
    store: ObjectStore, plan: dict[str, Any], ended: Ended, is_wanted: Callable[[], bool]
) -> dict[str, Any]:
    """Upload what the attempt left, put its report and claim its task; returns the report.

    The claim comes last, and only after every output has arrived with the digest that the worker saw: what
    can be claimed is whole.

    Parameters
    ----------
    is_wanted
        Asked before the claim: whether nobody has stopped the attempt meanwhile.

    Raises
    ------
    StoreError
        Where the store stays away or does not take what must be written; nothing is claimed then.
    """
    run, order = plan["runId"], ended.order
    prefix = keys.attempt(run, order["index"], order["attempt"])
    failure = ended.said.failure
    objects: list[dict[str, Any]] = []
    if failure is None:
        try:
            outputs = ended.said.outputs
            if ended.folder is None:
                raise AttemptFailure("output-unusable", "the output folder is gone")
            contract = plan["analysis"]["contract"]
            check_expected({path: size for path, (size, _) in outputs.items()}, contract.get("outputs", []))
            objects = _upload_outputs(store, f"{prefix}/out/", ended.folder, outputs)
        except AttemptFailure as error:
            failure = error
    log_bytes = put_log(store, f"{prefix}/log", ended.folder) if ended.folder else 0
    if failure is None and not is_wanted():
        failure, objects = AttemptFailure("stopped", "stopped on request"), []
    report = report_of_ended(plan, ended, failure, objects, log_bytes, claimed=failure is None)
    body = _encoded(report)
    store.put(f"{prefix}/report.json", body, "application/json")
    if failure is None and not store.put_if_absent(keys.claim(run, order["index"]), body):
        report = {**report, "claimed": False, "objects": []}
        store.put(f"{prefix}/report.json", _encoded(report), "application/json")
    return report


def report_of_ended(
    plan: dict[str, Any],
    ended: Ended,
    failure: AttemptFailure | None,
    objects: list[dict[str, Any]],
    log_bytes: int,
    *,
    claimed: bool,
) -> dict[str, Any]:
    """As ARCHITECTURE.md has it; what names the task is our own knowledge and not what was said."""
    said = ended.said
    measures = Measures(
        started_at=said.started_at or ended.started_at,
        started=ended.started,
        exit_code=said.exit_code,
        cpu_seconds=said.cpu_seconds,
        peak_bytes=said.peak_bytes,
        log_bytes=log_bytes,
        metrics=said.metrics,
        seconds=said.seconds,
    )
    return report_of(plan, ended.order, measures, failure, objects=objects, claimed=claimed)


def put_log(store: ObjectStore, key: str, folder: Folder) -> int:
    """Upload the log as it is now, and return its size; 0 where there is none."""
    try:
        fd, size = folder.open_file("log")
    except OSError:
        return 0
    try:
        # A log is never larger; something else in its place is cut.
        content = b""
        while len(content) < min(size, LOG_BYTES) and (block := os.read(fd, LOG_BYTES - len(content))):
            content += block
    except OSError:
        return 0
    finally:
        os.close(fd)
    store.put(key, content, "text/plain; charset=utf-8")
    return len(content)


def _upload_outputs(
    store: ObjectStore, prefix: str, folder: Folder, outputs: dict[str, tuple[int, str | None]]
) -> list[dict[str, Any]]:
    """Raises AttemptFailure where what is there is not what was said, or cannot be an object."""
    found: dict[str, dict[str, Any]] = {}

    def upload(path: str) -> None:
        size, digest = outputs[path]
        key = prefix + path
        if len(key.encode()) > KEY_BYTES:
            raise AttemptFailure(
                "output-unusable", f"the name of the output {path[:80]}... is too long for the object store"
            )
        kind = media_type(path)
        try:
            fd, now_bytes = folder.open_file("out", *path.split("/"))
            try:
                if now_bytes != size:
                    raise ObjectChanged(path)
                uploaded = f"sha256:{upload_file(store, key, fd, size, kind)}"
            finally:
                os.close(fd)
            if digest is not None and uploaded != digest:
                raise ObjectChanged(path)
        except ObjectChanged:
            raise AttemptFailure(
                "output-unusable", f"the output {path} was changed after the program had ended"
            ) from None
        except OSError as error:
            why = _why(error)
            raise AttemptFailure("output-unusable", f"the output {path} {why}") from None
        except StoreRefused as error:
            # Names that a file system takes and a store does not, as parts that are too long.
            if isinstance(error, CredentialsRefused) or error.status not in (400, 413):
                raise
            raise AttemptFailure("output-unusable", f"the object store does not take {error}") from None
        found[path] = {"path": path, "sizeBytes": size, "digest": uploaded, "mediaType": kind}

    small = [path for path, (size, _) in outputs.items() if size <= PART_BYTES]
    in_parallel(upload, small, AT_ONCE)
    # A large one is uploaded in parallel by itself: memory stays bounded.
    in_parallel(upload, (path for path in outputs if path not in found), 1)
    return [found[path] for path in sorted(found)]


def _why(error: OSError) -> str:
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return "is reached through a symbolic link"
    if isinstance(error, FileNotFoundError):
        return "is gone"
    if isinstance(error, NotAFile):
        return "is no regular file"
    return f"cannot be read: {error.strerror}"


def _encoded(report: dict[str, Any]) -> bytes:
    return json.dumps(report, ensure_ascii=False).encode("utf-8", "replace")


def forget_attempt(attempts: Folder, order: dict[str, Any]) -> None:
    """Remove what an attempt left in the scratch: there must be room for the next."""
    with contextlib.suppress(OSError, RecursionError), attempts.folder(str(order["index"])) as folder:
        folder.remove(str(order["attempt"]))
