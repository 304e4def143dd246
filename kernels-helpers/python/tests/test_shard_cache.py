"""Tuning where the objects are not on this disk: a real server on a real MinIO."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from objectstore import Minio, minio_program
from realserver import BUNDLE, RealServer
from test_kernel import Kernel
from workbench import notebook

import labscale
from labscale import shard_cache
from labscale.client import call
from labscale.command import main
from labscale.commands.datasets import wait_for_indexing
from labscale.errors import LabscaleError


@pytest.fixture(scope="module")
def minio() -> Iterator[Minio]:
    program = minio_program()
    if program is None:
        pytest.skip("there is no MinIO program on this machine: npm run cluster -- up builds one")
    minio = Minio(program)
    yield minio
    minio.close()


@pytest.fixture(scope="module")
def far_server(minio: Minio) -> Iterator[RealServer]:
    if not BUNDLE.exists():
        pytest.skip("the server is not bundled: npm run bundle --workspace server")
    server = RealServer(
        Path(tempfile.mkdtemp(prefix="labscale-test-")), {"LABSCALE_OBJECTS": "minio", **minio.environment}
    )
    yield server
    server.close()


@pytest.fixture
def far(far_server: RealServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[RealServer]:
    """A shell in the project of that server, with a cache of its own."""
    for name in ("LABSCALE_URL", "LABSCALE_TOKEN", "LABSCALE_CONNECTION_FILE", "LABSCALE_CACHE_BYTES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(far_server.project)
    yield far_server
    _let_go()


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call_command(*arguments: str) -> Any:
        capsys.readouterr()
        assert main(["--json", *arguments]) == 0, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return call_command


def _let_go() -> None:
    """As if this process had ended."""
    for descriptor in shard_cache._in_use.values():
        os.close(descriptor)
    shard_cache._in_use.clear()


def _snippet(
    far: RealServer, files: dict[str, str], name: str, layout: str = "file-per-shard"
) -> dict[str, Any]:
    for path, text in files.items():
        file = far.project / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    source = {"kind": "folder", "path": name, "layout": layout}
    dataset = call("createDataset", body={"name": name, "source": source})
    assert dataset["source"]["upload"] is True
    version = wait_for_indexing(dataset["latestVersion"], True, True)
    return call("createSnippet", body={"datasetVersionId": version["id"], "count": 10})


def _cached(far: RealServer) -> list[Path]:
    return sorted(
        path for path in shard_cache.cache_folder().rglob("*") if path.is_file() and path.suffix == ".txt"
    )


def test_a_notebook_gets_paths_as_always(far: RealServer) -> None:
    snippet = _snippet(far, {"a b.txt": "one", "é.txt": "two"}, "paths")
    path = far.project / "far.ipynb"
    document = notebook("labscale.shard()")
    document["metadata"]["labscale"] = {"snippetId": snippet["id"]}
    path.write_text(json.dumps(document))
    kernel = Kernel(far.project, path)
    try:
        said = kernel.run(
            "import labscale\nfor shard in labscale.snippet():\n"
            "    print(shard.key, shard.path().name, shard.path().read_text(), shard.open(mode='r').read())"
        )
        assert said.splitlines() == ["a b.txt a b.txt one one", "é.txt é.txt two two"]
    finally:
        kernel.close()
    # Another kernel finds them there: nothing is brought twice.
    before = [file.stat().st_ino for file in _cached(far)]
    assert len(before) == 2
    assert [shard.path().read_text() for shard in labscale.snippet(snippet["id"])] == ["one", "two"]
    assert [file.stat().st_ino for file in _cached(far)] == before


def test_a_shard_of_several_files_is_a_folder(far: RealServer) -> None:
    snippet = _snippet(far, {"w/x.txt": "x", "w/y.txt": "y"}, "several", "folder-per-shard")
    shard = labscale.snippet(snippet["id"])[0]
    assert shard.path("y.txt").read_text() == "y"
    assert shard.path() / "x.txt" == shard.files[0]


def test_what_was_changed_in_the_cache_is_brought_anew(
    far: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippet = _snippet(far, {"a.txt": "whole"}, "changed")
    path = labscale.snippet(snippet["id"])[0].path()
    for text in ("w", "other"):
        path.chmod(0o600)
        path.write_text(text)
        monkeypatch.setattr(labscale.tuning, "_fetched", {})
        assert labscale.snippet(snippet["id"])[0].path().read_text() == "whole"


def test_the_longest_unused_go_where_there_are_too_many_and_the_used_stay(
    far: RealServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippets = [_snippet(far, {"a.txt": str(n) * 1000}, f"many-{n}") for n in range(4)]
    monkeypatch.setenv("LABSCALE_CACHE_BYTES", "2500")
    labscale.snippet(snippets[0]["id"])
    _let_go()
    labscale.snippet(snippets[1]["id"])
    assert len(_cached(far)) == 2
    labscale.snippet(snippets[2]["id"])
    # The first is no longer used; the second is this kernel's, and the third is wanted.
    assert sorted(file.read_text()[0] for file in _cached(far)) == ["1", "2"]
    labscale.snippet(snippets[3]["id"])
    assert sorted(file.read_text()[0] for file in _cached(far)) == ["1", "2", "3"]


def test_kernels_that_want_one_shard_at_once_all_get_it_whole(far: RealServer) -> None:
    snippet = _snippet(far, {"a.txt": "x" * 3_000_000}, "at-once")
    source = str(Path(__file__).parents[1] / "src")
    read = (
        f"import sys; sys.path.insert(0, {source!r}); import labscale; "
        f"path = labscale.snippet({snippet['id']!r})[0].path(); "
        "print(len(path.read_text()), path.stat().st_ino)"
    )
    kernels = [
        subprocess.Popen([sys.executable, "-c", read], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    said = {kernel.communicate(timeout=60)[0] for kernel in kernels}
    [file] = _cached(far)
    # It was brought once: each saw the same file.
    assert said == {f"3000000 {file.stat().st_ino}\n"}


def test_a_cache_that_cannot_be_is_said(
    far: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippet = _snippet(far, {"a.txt": "a"}, "nowhere")
    monkeypatch.setenv("LABSCALE_CACHE_BYTES", "1e9")
    with pytest.raises(LabscaleError, match="LABSCALE_CACHE_BYTES is '1e9'"):
        labscale.snippet(snippet["id"])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(LabscaleError) as caught:
        labscale.snippet(snippet["id"])
    assert caught.value.code == "CACHE" and "XDG_CACHE_HOME" in caught.value.mend


def test_a_prefix_is_registered_by_its_address(
    far: RealServer, minio: Minio, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    minio.store().put("study/sub-1/a b.txt", b"there")
    dataset = run("datasets", "register", "s3://labscale/study", "--layout", "folder-per-shard")
    assert (dataset["name"], dataset["latestVersion"]["indexing"]["state"]) == ("study", "ready")
    snippet = run("snippets", "create", "study")
    assert labscale.snippet(snippet["id"])[0].path().read_text() == "there"
    assert main(["datasets", "show", "study"]) == 0
    assert "s3://labscale/study/" in capsys.readouterr().out
    assert run("datasets", "check", "study")["current"] is True
    minio.store().put("study/sub-1/a b.txt", b"other")
    assert run("datasets", "update", "study")["changes"]["modified"] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["s3://labscale/nothing/"], "no file that could be data"),
        (["s3://labscale/datasets/x"], "the server's own"),
        (["s3:///x"], "names no bucket"),
        (["s3://labscale/x", "--upload"], "read where they are"),
        (["s3://other/x"], "LABSCALE_S3_DATA_BUCKETS"),
    ],
)
def test_what_cannot_be_registered_is_said(
    far: RealServer, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datasets", "register", "--name", "n", *arguments]) == 1
    assert said in capsys.readouterr().err


def test_a_folder_is_uploaded_or_not_as_is_said(far: RealServer, run: Any) -> None:
    (far.project / "said").mkdir()
    (far.project / "said" / "a.txt").write_text("a")
    for flag, uploaded in (("--upload", True), ("--no-upload", False)):
        dataset = run("datasets", "register", "said", "--name", flag.strip("-"), flag)
        assert dataset["source"]["upload"] is uploaded
