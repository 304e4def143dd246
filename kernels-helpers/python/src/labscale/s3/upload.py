"""Upload of a file whose digest is that of the bytes that were sent: read once, in bounded memory."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from html import escape

from labscale.s3.answer import text_of
from labscale.s3.errors import ObjectChanged, ObjectMissing, StoreAway, StoreError
from labscale.s3.parallel import in_parallel
from labscale.s3.store import ANY, ObjectStore

PART_BYTES = 8 * 1024 * 1024
MOST_PARTS = 10_000
PARTS_AT_ONCE = 3


def upload_file(store: ObjectStore, key: str, fd: int, size_bytes: int, content_type: str = ANY) -> str:
    """Put the first `size_bytes` of an open file, which must be all of it; returns its sha256 in hex.

    At most three parts of it are in memory. Nothing is visible before all of it has arrived, and what has
    arrived of a failed upload is given up.

    Raises
    ------
    ObjectChanged
        Where the file is shorter or longer.
    StoreError
        As the store's methods.
    """
    digest = hashlib.sha256()
    if size_bytes <= PART_BYTES:
        body = _read_exactly(fd, size_bytes, key)
        _check_end(fd, key)
        digest.update(body)
        store.put(key, body, content_type)
        return digest.hexdigest()
    part_bytes = max(PART_BYTES, -(-size_bytes // MOST_PARTS))
    answer = store.ask("POST", key, query={"uploads": ""}, headers={"content-type": content_type})
    upload = text_of(answer.body, "UploadId")
    if not upload:
        raise StoreAway(f"{key}: the object store began no upload")
    etags: dict[int, str] = {}

    def parts() -> Iterator[tuple[int, bytes]]:
        for number, start in enumerate(range(0, size_bytes, part_bytes), 1):
            body = _read_exactly(fd, min(part_bytes, size_bytes - start), key)
            digest.update(body)
            yield number, body
        _check_end(fd, key)

    def send(part: tuple[int, bytes]) -> None:
        number, body = part
        query = {"partNumber": str(number), "uploadId": upload}
        etags[number] = store.ask("PUT", key, query=query, body=body).headers.get("etag", "")

    try:
        in_parallel(send, parts(), PARTS_AT_ONCE)
        _complete(store, key, upload, etags, size_bytes)
    except BaseException:
        with contextlib.suppress(StoreError):
            store.ask("DELETE", key, query={"uploadId": upload})
        raise
    return digest.hexdigest()


def _complete(store: ObjectStore, key: str, upload: str, etags: dict[int, str], size_bytes: int) -> None:
    listed = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
        for number, etag in sorted(etags.items())
    )
    body = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>".encode()
    tries = store.patience.start()
    while True:
        try:
            answer = store.ask("POST", key, query={"uploadId": upload}, body=body)
        except StoreError as error:
            if isinstance(error, StoreAway):
                raise
            # Where the answer to an earlier try was lost, the upload is no more and the object is there.
            if _is_gone(error) and (head := store.head(key)) is not None and head.size_bytes == size_bytes:
                return
            raise
        # S3 may say 200 before it is done, and how it went only in the body.
        if b"<Error>" not in answer.body:
            return
        if not tries.may_go_on():
            raise StoreAway(f"{key}: the object store does not put the parts together ({answer.code})")


def _is_gone(error: StoreError) -> bool:
    return isinstance(error, ObjectMissing) or getattr(error, "code", "") == "NoSuchUpload"


def _read_exactly(fd: int, size: int, key: str) -> bytes:
    parts: list[bytes] = []
    while size > 0:
        block = os.read(fd, size)
        if not block:
            raise ObjectChanged(f"{key}: the file became shorter while it was uploaded")
        parts.append(block)
        size -= len(block)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_end(fd: int, key: str) -> None:
    if os.read(fd, 1):
        raise ObjectChanged(f"{key}: the file became longer while it was uploaded")
