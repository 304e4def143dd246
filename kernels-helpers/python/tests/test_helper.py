"""The notebook helper: in a run by its environment, while tuning against the contract."""

from __future__ import annotations

import json
import math
import os
import socket
import time
from pathlib import Path

import numpy as np
import pytest
from contractserver import EXAMPLES, ContractServer

import labscale
from labscale import tuning
from labscale.errors import LabscaleError, RefusedError, ServerAwayError
from labscale.parameters import describe_kernel


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment that a worker gives to a task of a shard with two files."""
    (tmp_path / "in" / "anat").mkdir(parents=True)
    (tmp_path / "in" / "anat" / "a.txt").write_text("one")
    (tmp_path / "in" / "b.txt").write_text("two")
    files = [{"path": "anat/a.txt"}, {"path": "b.txt"}]
    shard = {
        "key": "sub-01",
        "entities": {"sub": "01"},
        "metadata": {"age": 30},
        "digest": "x",
        "files": files,
    }
    (tmp_path / "shard.json").write_text(json.dumps(shard))
    (tmp_path / "parameters.json").write_text('{"sigma": 2.5, "values": 1}')
    for name, value in (
        ("SHARD", "shard.json"),
        ("INPUT", "in"),
        ("OUTPUT", "out"),
        ("REPORT", "report.jsonl"),
    ):
        monkeypatch.setenv(f"LABSCALE_{name}", str(tmp_path / value))
    monkeypatch.setenv("LABSCALE_PARAMETERS", str(tmp_path / "parameters.json"))
    return tmp_path


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LABSCALE_URL", "LABSCALE_TOKEN", "LABSCALE_CONNECTION_FILE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_a_run_the_shard_is_the_tasks(task: Path) -> None:
    shard = labscale.shard(3)
    assert (shard.key, shard.entities, shard.metadata) == ("sub-01", {"sub": "01"}, {"age": 30})
    assert shard.path() == task / "in"
    assert shard.path("b.txt").read_text() == "two"
    with shard.open("anat/a.txt", "r") as file:
        assert file.read() == "one"
    assert [path.name for path in shard.files] == ["a.txt", "b.txt"]
    assert [item.key for item in labscale.snippet("sn-whatever")] == ["sub-01"]
    assert labscale.output() == task / "out"
    with pytest.raises(LabscaleError, match=r"no file 'c.txt'; it has anat/a.txt, b.txt"):
        shard.path("c.txt")
    with pytest.raises(LabscaleError, match="has 2 files"):
        shard.open()


def test_calling_it_again_still_works(task: Path) -> None:
    # A module of the name of a function would take its place in the package at the first import.
    for _ in range(2):
        assert labscale.shard().key == "sub-01" and labscale.load_parameters().sigma == 2.5
        assert callable(labscale.snippet) and callable(labscale.metric) and callable(labscale.progress)


def test_in_a_run_metrics_and_progress_are_lines_of_the_report(task: Path) -> None:
    labscale.metric(snr=np.float32(0.5), n=np.int64(3))
    labscale.metric({"a b": 1})
    labscale.progress(1.5)
    lines = [json.loads(line) for line in (task / "report.jsonl").read_text().splitlines()]
    assert lines == [{"metric": {"snr": 0.5, "n": 3}}, {"metric": {"a b": 1}}, {"progress": 1.0}]


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, np.float64("nan"), "12", True, None, [1], np.arange(2), 10**400]
)
def test_what_is_no_finite_number_is_no_metric(task: Path, value: object) -> None:
    with pytest.raises(LabscaleError, match="The metric snr is"):
        labscale.metric(fine=1, snr=value)
    assert not (task / "report.jsonl").exists()


def test_parameters_of_a_task_are_a_mapping_and_attributes(task: Path) -> None:
    loaded = labscale.load_parameters("any name")
    assert dict(loaded) == {"sigma": 2.5, "values": 1}
    assert loaded.sigma == loaded["sigma"] == 2.5
    assert loaded["values"] == 1
    with pytest.raises(AttributeError, match="no parameter theta"):
        _ = loaded.theta
    assert labscale.save_parameters("x") is None


def test_without_a_server_a_call_says_so(nowhere: Path) -> None:
    with pytest.raises(ServerAwayError, match="labscale serve"):
        labscale.shard()
    labscale.metric(snr=1.5)
    labscale.progress(0.5)
    assert tuning.metrics == {"snr": 1.5}
    assert labscale.output() == nowhere / ".labscale" / "tuning" / "scratch"


def test_a_server_that_does_not_listen_is_away(nowhere: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("LABSCALE_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        monkeypatch.setenv("LABSCALE_TOKEN", "x")
        with pytest.raises(ServerAwayError, match="is away"):
            labscale.snippet("sn-1")


def test_a_connection_that_is_not_taken_blocks_no_cell(
    nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        # The queue of connections is full after these: the kernel lets the next one wait.
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        monkeypatch.setenv("LABSCALE_URL", f"http://127.0.0.1:{full.getsockname()[1]}")
        monkeypatch.setenv("LABSCALE_TOKEN", "x")
        started = time.monotonic()
        with pytest.raises(ServerAwayError, match="does not answer"):
            labscale.snippet("sn-1")
        # Not a measurement: without the limit it would take minutes.
        assert time.monotonic() - started < 20
        for one in waiting:
            one.close()


def _connection(folder: Path, url: str, mode: int = 0o600) -> None:
    (folder / ".labscale").mkdir(exist_ok=True)
    file = folder / ".labscale" / "server.json"
    file.write_text(json.dumps({"url": url, "token": ContractServer.TOKEN, "pid": 1, "version": "0"}))
    file.chmod(mode)


def test_the_connection_file_is_found_above_and_read_anew(
    contract: ContractServer, nowhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nowhere / "deep" / "er").mkdir(parents=True)
    monkeypatch.chdir(nowhere / "deep" / "er")
    _connection(nowhere, "http://127.0.0.1:9")
    with pytest.raises(ServerAwayError):
        labscale.snippet(EXAMPLES["Snippet"]["id"])
    _connection(nowhere, contract.url)
    assert labscale.snippet(EXAMPLES["Snippet"]["id"]).id == EXAMPLES["Snippet"]["id"]


@pytest.mark.parametrize(
    ("url", "mode", "why"),
    [("http://127.0.0.1:9", 0o644, "not yours alone"), ("http://192.0.2.1:9", 0o600, "another machine")],
)
def test_a_connection_file_that_others_could_write_is_not_trusted(
    nowhere: Path, url: str, mode: int, why: str
) -> None:
    _connection(nowhere, url, mode)
    with pytest.raises(LabscaleError, match=why):
        labscale.snippet("sn-1")


def test_no_token_in_what_is_printed(nowhere: Path) -> None:
    from labscale.connection import find_connection

    _connection(nowhere, "http://127.0.0.1:9")
    assert ContractServer.TOKEN not in repr(find_connection())
    with pytest.raises(ServerAwayError) as caught:
        labscale.snippet("sn-1")
    assert ContractServer.TOKEN not in str(caught.value)


def test_while_tuning_shards_come_from_the_snippet(contract: ContractServer) -> None:
    snippet = labscale.snippet(EXAMPLES["Snippet"]["id"])
    keys = [shard["key"] for shard in EXAMPLES["Snippet"]["shards"]]
    assert [shard.key for shard in snippet] == keys
    assert labscale.shard().key == keys[0]
    assert labscale.shard(-1).key == keys[-1] == labscale.shard(keys[-1]).key
    assert labscale.shard().path() == contract.folder / keys[0]
    with pytest.raises(LabscaleError, match="no shard 99; it has 2"):
        labscale.shard(99)


def test_a_snippet_that_was_read_serves_without_the_server(contract: ContractServer) -> None:
    labscale.snippet(EXAMPLES["Snippet"]["id"])
    before = len(contract.calls)
    labscale.shard()
    assert len(contract.calls) == before


def test_the_snippet_is_that_of_the_notebook_else_the_newest(
    contract: ContractServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {"labscale": {"snippetId": "sn-of-the-notebook"}}}))
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    labscale.shard()
    assert [name for name, _ in contract.calls] == ["getSnippet", "getSnippetFiles"]
    path.unlink()
    monkeypatch.setattr(tuning, "_snippet", None)
    labscale.shard()
    assert "listSnippets" in [name for name, _ in contract.calls]
    assert "tuning on the newest snippet" in capsys.readouterr().err


def test_a_refusal_keeps_code_field_and_mend(contract: ContractServer) -> None:
    contract.answers["getSnippet"] = {
        "status": 404,
        "code": "NOT_FOUND",
        "detail": "gone",
        "mend": "cut one",
        "field": "x",
    }
    with pytest.raises(RefusedError) as caught:
        labscale.snippet("sn-1")
    assert (caught.value.code, caught.value.mend, caught.value.field) == ("NOT_FOUND", "cut one", "x")


def _main(monkeypatch: pytest.MonkeyPatch, **variables: object) -> None:
    import __main__

    for name, value in variables.items():
        monkeypatch.setattr(__main__, name, value, raising=False)


@pytest.fixture
def saved_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "tune.ipynb"
    cell = {
        "cell_type": "code",
        "metadata": {},
        "source": "%matplotlib inline\nimport own, json",
        "outputs": [],
    }
    path.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    (tmp_path / "own.py").write_text("import other.inner")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text("")
    (tmp_path / "other" / "inner.py").write_text("x = 1")
    (tmp_path / "not_imported.py").write_text("")
    monkeypatch.setenv("JPY_SESSION_NAME", str(path))
    return path


def test_saving_sends_what_the_contract_takes(
    contract: ContractServer, saved_notebook: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _main(monkeypatch, sigma=np.float64(2.5), threshold=7, keep_edges=True)
    labscale.metric(psnr=12.5)
    saved = labscale.save_parameters("a name of its own", note="why", tags=["good"])
    sent = contract.sent("createParameterSet")
    assert sent["values"] == {"sigma": 2.5, "threshold": 7, "keep_edges": True}
    assert sent["metrics"] == {"psnr": 12.5}
    assert (sent["note"], sent["tags"]) == ("why", ["good"])
    assert sent["provenance"]["capturedFrom"] == ["kernel"]
    assert sent["provenance"]["packages"]["numpy"] == np.__version__
    files = {item["path"]: item["text"] for item in contract.sent("createAnalysis")["files"]}
    assert files == {"own.py": "import other.inner", "other/__init__.py": "", "other/inner.py": "x = 1"}
    assert saved is not None and saved.version_id == EXAMPLES["ParameterSet"]["latestVersion"]["id"]
    assert contract.keys[-1] is not None


def test_saving_under_a_name_again_makes_a_version(contract: ContractServer, saved_notebook: Path) -> None:
    labscale.save_parameters(EXAMPLES["ParameterSet"]["name"], {"sigma": 1.5})
    assert contract.sent("createParameterSetVersion")["values"] == {"sigma": 1.5}
    assert contract.sent("createParameterSetVersion")["provenance"]["capturedFrom"] == ["call"]


@pytest.mark.parametrize("value", [math.nan, object(), {1: 2}])
def test_a_value_that_cannot_be_kept_is_named(
    contract: ContractServer, saved_notebook: Path, monkeypatch: pytest.MonkeyPatch, value: object
) -> None:
    _main(monkeypatch, sigma=value)
    with pytest.raises(LabscaleError, match="The parameter sigma"):
        labscale.save_parameters("x")
    with pytest.raises(LabscaleError, match="The parameter sigma"):
        labscale.save_parameters("x", {"sigma": value})


def test_loading_by_name_or_id(contract: ContractServer) -> None:
    example = EXAMPLES["ParameterSet"]
    by_name = labscale.load_parameters(example["name"])
    assert (
        dict(by_name) == example["latestVersion"]["values"] == dict(labscale.load_parameters(example["id"]))
    )
    assert by_name.sigma == example["latestVersion"]["values"]["sigma"]
    with pytest.raises(LabscaleError, match="no parameter set named nothing"):
        labscale.load_parameters("nothing")


def test_a_whole_number_is_loaded_as_the_float_that_it_was(contract: ContractServer) -> None:
    example = EXAMPLES["ParameterSet"]
    version = {**example["latestVersion"], "values": {**example["latestVersion"]["values"], "sigma": 2}}
    contract.answers["getParameterSet"] = {**example, "latestVersion": version}
    contract.answers["getParameterSetVersion"] = version
    assert repr(labscale.load_parameters(example["id"]).sigma) == "2.0"
    assert repr(labscale.load_parameters(version["id"]).sigma) == "2.0"


def test_the_kernel_is_described_in_json(monkeypatch: pytest.MonkeyPatch, nowhere: Path) -> None:
    import ipywidgets

    slider = ipywidgets.FloatSlider(value=1.5, description="alpha")
    box = ipywidgets.VBox([ipywidgets.IntText(value=3, description="Two words"), ipywidgets.HTML("<b>")])
    container = ipywidgets.interactive(lambda beta: None, beta=(0, 10))
    _main(
        monkeypatch,
        sigma=np.float32(2.5),
        broken=math.nan,
        other=[1, np.int64(2)],
        slider=slider,
        box=box,
        container=container,
        module=os,
    )
    labscale.metric(snr=1.5)
    described = json.loads(json.dumps(describe_kernel(["sigma", "broken", "missing"]), allow_nan=False))
    assert described["values"] == {"sigma": 2.5}
    assert list(described["problems"]) == ["broken"]
    assert {"name": "other", "type": "array", "value": [1, 2]} in described["variables"]
    assert {item["name"]: item["value"] for item in described["widgets"]} == {"alpha": 1.5, "beta": 5}
    assert described["metrics"] == {"snr": 1.5}
    assert not {"sigma", "module", "slider"} & {item["name"] for item in described["variables"]}
