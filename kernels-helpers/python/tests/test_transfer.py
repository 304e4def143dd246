"""The transfer of a pod with a real worker and a real MinIO."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from objectstore import Minio
from podbench import Wave

COPY = ["sh", "-c", 'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy"; echo done']


@pytest.fixture
def wave(minio: Minio, tmp_path: Path) -> Iterator[Wave]:
    opened = Wave(minio, tmp_path)
    yield opened
    opened.close()


def test_pack_is_done_and_published(wave: Wave) -> None:
    wave.plan_command(COPY)
    wave.submit([[], [wave.order(index) for index in range(5)]])
    pod = wave.pod(pack=1)
    assert pod.wait() == 0, pod.log.read_text()
    assert wave.claims() == [0, 1, 2, 3, 4]
    for index in range(5):
        assert wave.check_outputs(index) == {"copy": b"shard %d" % index}
        assert wave.claim(index) == wave.report(index)
        assert wave.log(index) == "done\n"
    journal = wave.journal(1)
    assert (journal["pod"], journal["ended"], journal["detail"]) == ("pod-0", True, None)
    assert [entry["report"] for entry in journal["tasks"]] == [wave.claim(index) for index in range(5)]
    assert wave.json("attempts/0/1/lease.json")["pod"] == "pod-0"
    assert os.listdir(pod.root / "shards") == []
    assert list((pod.root / "objects" / "runs" / wave.run / "attempts").rglob("out")) == []
