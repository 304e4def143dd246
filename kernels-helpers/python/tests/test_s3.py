"""The S3 client against a real MinIO."""

from __future__ import annotations

import hashlib
import io
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from objectstore import BUCKET, CuttingProxy, Minio, free_port

from labscale.s3.credentials import CredentialsFile
from labscale.s3.errors import (
    CredentialsRefused,
    ObjectChanged,
    ObjectMissing,
    StoreAway,
    StoreMisconfigured,
    StoreRefused,
)
from labscale.s3.patience import Patience
from labscale.s3.place import place_of
from labscale.s3.store import ObjectStore
from labscale.s3.upload import PART_BYTES, upload_file


@pytest.fixture
def proxy(minio: Minio) -> Iterator[CuttingProxy]:
    cutting = CuttingProxy(minio.port)
    yield cutting
    cutting.close()


@pytest.fixture
def store(minio: Minio) -> Iterator[ObjectStore]:
    opened = minio.store()
    yield opened
    opened.close()


def _file(folder: Path, content: bytes) -> int:
    path = folder / "content"
    path.write_bytes(content)
    return os.open(path, os.O_RDONLY)


LONGEST = "/".join(["k" * 203] * 5)


@pytest.mark.parametrize(
    "key",
    [
        "plain",
        "with space/and+plus/50%25",
        "%2e%2e/%2F",
        "ünï/日本語/😀",
        "a&b=c?d#e;f,g:h@i!j$k'l(m)n*o~p",
        'quote"<>&amp;/\\back',
        "long/" + LONGEST,
    ],
)
def test_keys_of_any_text_come_back_as_they_are(store: ObjectStore, key: str) -> None:
    key = "keys/" + key
    assert len(key.encode()) <= 1024 + 10
    key = key.encode()[:1024].decode()
    store.put(key, b"body of " + key.encode())
    assert store.get(key) == b"body of " + key.encode()
    head = store.head(key)
    assert head is not None and head.size_bytes == len(store.get(key))
    assert (key, head.size_bytes) in store.list("keys/")
    store.delete(key)
    assert store.head(key) is None


def test_objects_are_listed_in_order_a_page_at_a_time(store: ObjectStore) -> None:
    for name in ("b", "a", "c d"):
        store.put(f"listed/{name}", b"x")
    first = store.list("listed/", limit=2)
    assert [key for key, _ in first] == ["listed/a", "listed/b"]
    assert store.list("listed/", after=first[-1][0]) == [("listed/c d", 1)]


def test_a_range_and_what_is_missing(store: ObjectStore) -> None:
    store.put("ranged", bytes(range(100)))
    assert store.get("ranged", span=(10, 12)) == bytes([10, 11, 12])
    assert store.get("nowhere", missing=b"?") == b"?"
    with pytest.raises(ObjectMissing):
        store.get("nowhere")
    with pytest.raises(StoreRefused, match="larger than 50 bytes"):
        store.get("ranged", limit=50)


def test_one_of_many_creates_an_object(minio: Minio) -> None:
    won: list[int] = []
    stores = [minio.store() for _ in range(8)]

    def race(number: int) -> None:
        if stores[number].put_if_absent("race", b"by %d" % number):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert stores[0].get("race") == b"by %d" % won[0]


def test_a_creation_whose_answer_is_lost_is_known_for_ones_own(minio: Minio, proxy: CuttingProxy) -> None:
    proxy.cuts = [0, 5]
    assert minio.store(proxy.port).put_if_absent("lost-answer", b"mine")
    proxy.cuts = [5]
    assert not minio.store(proxy.port).put_if_absent("lost-answer", b"of another")
    assert minio.store().get("lost-answer") == b"mine"


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 5 * PART_BYTES + 12_345])
def test_files_of_any_size_are_uploaded_with_their_digest(
    store: ObjectStore, tmp_path: Path, size: int
) -> None:
    content = os.urandom(size)
    digest = upload_file(store, "file", _file(tmp_path, content), size)
    assert digest == hashlib.sha256(content).hexdigest()
    arrived = io.BytesIO()
    store.download("file", size, arrived.write)
    assert arrived.getvalue() == content


@pytest.mark.parametrize("stated", [10, 30, 3 * PART_BYTES])
def test_a_file_that_changes_meanwhile_leaves_nothing(
    store: ObjectStore, tmp_path: Path, stated: int
) -> None:
    size = 20 if stated < 100 else stated - 5
    with pytest.raises(ObjectChanged, match="while it was uploaded"):
        upload_file(store, f"changing-{stated}", _file(tmp_path, b"x" * size), stated)
    assert store.head(f"changing-{stated}") is None
    assert _unfinished(store) == 0


def _unfinished(store: ObjectStore) -> int:
    # MinIO lists unfinished uploads by their whole key only.
    return sum(
        store.ask("GET", "", query={"uploads": "", "prefix": f"changing-{stated}"}).body.count(b"<UploadId>")
        for stated in (10, 30, 3 * PART_BYTES)
    )


def test_cut_answers_are_taken_up_where_they_were_cut(
    minio: Minio, proxy: CuttingProxy, tmp_path: Path
) -> None:
    content = os.urandom(6 * 1024 * 1024)
    minio.store().put("cut", content)
    proxy.cuts = [3_000_000, 200, 0, 2_000_000]
    arrived = io.BytesIO()
    minio.store(proxy.port).download("cut", len(content), arrived.write)
    assert arrived.getvalue() == content
    assert proxy.cuts == [] and proxy.connections == 5
    proxy.cuts = [100, 5_000]
    assert minio.store(proxy.port).get("cut") == content


def test_an_upload_goes_on_over_cut_connections(minio: Minio, proxy: CuttingProxy, tmp_path: Path) -> None:
    content = os.urandom(4 * PART_BYTES)
    proxy.cuts = [0, 30, 0, 10, 40]
    digest = upload_file(minio.store(proxy.port), "cut-up", _file(tmp_path, content), len(content))
    assert digest == hashlib.sha256(content).hexdigest()
    head = minio.store().head("cut-up")
    assert head is not None and head.size_bytes == len(content)


def test_an_object_that_has_changed_is_refused(minio: Minio, proxy: CuttingProxy) -> None:
    store = minio.store()
    store.put("changed", b"x" * 5_000_000)
    with pytest.raises(ObjectChanged, match="it has 5000000 bytes instead of 7"):
        store.download("changed", 7, lambda _: None)
    proxy.cuts = [1_000_000]

    def replace(block: bytes) -> None:
        store.put("changed", b"y" * 5_000_000)

    with pytest.raises(ObjectChanged, match="replaced while it was read"):
        minio.store(proxy.port).download("changed", 5_000_000, replace)


def test_a_full_disk_is_no_fault_of_the_store(store: ObjectStore) -> None:
    store.put("to-a-full-disk", b"x")
    with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
        store.download("to-a-full-disk", 1, full.write)


def test_it_waits_for_a_store_that_is_restarted(minio_of_ones_own: Minio) -> None:
    minio = minio_of_ones_own
    store = minio.store()
    store.put("before", b"1")
    minio.kill()
    threading.Timer(0.5, minio.start).start()
    store.put("after", b"2")
    assert store.get("before") + store.get("after") == b"12"


def test_a_store_that_stays_away_is_given_up(minio: Minio) -> None:
    with pytest.raises(StoreAway, match="the connection is refused"):
        minio.store(free_port(), patience=0.3).get("x")


@pytest.mark.parametrize("wrong", ["secret", "key", "token", "bucket"])
def test_a_refusal_says_what_is_wrong(minio: Minio, tmp_path: Path, wrong: str) -> None:
    said = {"accessKey": minio.access_key, "secretKey": minio.secret_key}
    if wrong == "secret":
        said["secretKey"] = "not-the-secret"
    if wrong == "key":
        said["accessKey"] = "nobody"
    if wrong == "token":
        said["sessionToken"] = "e30.e30.e30"
    file = tmp_path / "credentials"
    file.write_text(json.dumps(said))
    bucket = "nosuchbucket" if wrong == "bucket" else BUCKET
    place = place_of({**minio.environment, "LABSCALE_S3_BUCKET": bucket})
    store = ObjectStore(place, CredentialsFile(str(file)), Patience(0.2))
    expected = StoreRefused if wrong == "bucket" else CredentialsRefused
    with pytest.raises(expected) as error:
        store.put("x", b"")
    assert ("no such bucket" if wrong == "bucket" else "does not take the credentials") in str(error.value)
    assert "not-the-secret" not in repr(error.value)


def test_new_credentials_are_taken_as_soon_as_they_are_there(minio: Minio, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(json.dumps({"accessKey": minio.access_key, "secretKey": "expired"}))
    store = ObjectStore(place_of(minio.environment), CredentialsFile(str(file)), Patience(20))

    def renew() -> None:
        new = tmp_path / "new"
        new.write_text(minio.credentials.read_text())
        new.rename(file)

    threading.Timer(0.3, renew).start()
    store.put("renewed", b"x")
    assert store.head("renewed") is not None


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"accessKey":"a"}', '{"accessKey":"a","secretKey":"b","expiresAt":"soon"}']
)
def test_a_credentials_file_that_cannot_be_used_is_named_and_not_quoted(tmp_path: Path, content: str) -> None:
    file = tmp_path / "credentials"
    file.write_text(content)
    with pytest.raises(StoreMisconfigured, match="credentials cannot be used") as error:
        CredentialsFile(str(file))
    assert error.value.__cause__ is None and "soon" not in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"LABSCALE_S3_ENDPOINT": "file:///etc/passwd"}, "LABSCALE_S3_ENDPOINT is 'file:///etc/passwd'"),
        ({"LABSCALE_S3_ENDPOINT": "127.0.0.1:9000"}, "LABSCALE_S3_ENDPOINT"),
        ({"LABSCALE_S3_ENDPOINT": "http://user:word@host"}, "LABSCALE_S3_ENDPOINT is not the address"),
        ({"LABSCALE_S3_ENDPOINT": "http://host:99999"}, "LABSCALE_S3_ENDPOINT"),
        ({"LABSCALE_S3_ENDPOINT": "http://host/path"}, "LABSCALE_S3_ENDPOINT"),
        ({"LABSCALE_S3_BUCKET": ""}, "LABSCALE_S3_BUCKET"),
        ({"LABSCALE_S3_PATH_STYLE": "yes"}, "LABSCALE_S3_PATH_STYLE"),
        ({"LABSCALE_S3_CA_FILE": "/no/such/file"}, "LABSCALE_S3_CA_FILE"),
    ],
)
def test_a_wrong_variable_is_named(changes: dict[str, str], said: str) -> None:
    good = {"LABSCALE_S3_ENDPOINT": "http://127.0.0.1:9000", "LABSCALE_S3_BUCKET": BUCKET}
    with pytest.raises(StoreMisconfigured) as error:
        place_of({**good, **changes})
    assert said in str(error.value) and "word@" not in str(error.value)
    assert place_of(good).address(BUCKET) == ("127.0.0.1", 9000)
