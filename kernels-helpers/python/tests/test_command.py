"""The labscale command: the whole job on a real server, and what it sends against the contract."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from contractserver import EXAMPLES, ContractServer
from realserver import RealServer
from workbench import notebook

from labscale.chart import Series, draw, nice_ticks
from labscale.command import _parser, main
from labscale.commands.pairs import parse_pairs, size_bytes, span_seconds
from labscale.errors import LabscaleError

NOTEBOOK = notebook(
    "import labscale, own\nshard = labscale.shard()\n"
    "text = shard.path().read_text()\n"
    "if text == 'bad': raise ValueError('a bad shard')\n"
    "(labscale.output() / 'r.txt').write_text(own.join(text, times))\n"
    "labscale.metric(length=len(text) * times)\nprint('did', shard.key)",
    parameters="times = 2  # how often",
)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Any:
    def call(*arguments: str, code: int = 0) -> Any:
        capsys.readouterr()
        assert main(["--json", *arguments]) == code, capsys.readouterr().err
        said = capsys.readouterr()
        return json.loads(said.out if code == 0 or said.out else said.err)

    return call


def _write_project(project: Path, count: int = 6) -> None:
    for at in range(count):
        path = project / "data" / f"sub-{at:02}_run-{at % 2}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"text {at}")
    (project / "own.py").write_text("def join(text, times):\n    return '|'.join([text] * times)\n")
    (project / "repeat.ipynb").write_text(json.dumps(NOTEBOOK))


def test_the_whole_job(
    project: RealServer, run: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _write_project(project.project)
    dataset = run("datasets", "register", "data", "--name", "Texts", "--pattern", "sub-{sub}_run-{run}.txt")
    assert (
        dataset["latestVersion"]["indexing"]["state"] == "ready"
        and dataset["latestVersion"]["shardCount"] == 6
    )
    assert run("datasets", "shards", "Texts", "--filter", "run=1")["total"] == 3
    assert run("datasets", "check", "Texts")["current"] is True

    snippet = run("snippets", "create", "Texts", "--count", "2", "--seed", "7")
    assert len(snippet["shards"]) == 2
    run("snippets", "notebook", snippet["id"], "snippet.ipynb")
    assert run("snippets", "notebook", snippet["id"], "snippet.ipynb", code=1)["field"] == "file"

    analysis = run("analyses", "register", "repeat.ipynb", "--output", "r.txt")
    assert analysis["latestVersion"]["files"] == ["own.py"]
    assert run("analyses", "register", "repeat.ipynb", "--output", "r.txt")["versionCount"] == 1

    saved = run("params", "save", "three", "times=3", "--analysis", "repeat", "--snippet", snippet["id"])
    assert saved["latestVersion"]["values"] == {"times": 3}
    assert run("params", "save", "three", "times=4", "--analysis", "repeat")["versionCount"] == 2
    run("params", "fork", "three", "five", "times=5")
    assert run("params", "compare", "three", "five")["differing"] == ["times"]
    assert run("params", "load", "five") == {"times": 5}
    assert run("params", "list", "--filter", "times=5")["total"] == 1
    assert (
        run("params", "save", "bad", "times=x", "--analysis", "repeat", code=1)["code"] == "PARAMETER_INVALID"
    )
    assert (
        run("params", "save", "bad", "time=1", "--analysis", "repeat", code=1)["code"] == "PARAMETER_UNKNOWN"
    )

    plan = run("plan", "Texts", "--set", "three", "--set", "five", "--filter", "run=0")
    assert (plan["tasks"], plan["toRun"]) == (6, 6)

    run("queries", "save", "Texts", "evens", "run=0")
    assert run("queries", "list", "Texts")["items"][0]["filter"] == "run=0"
    assert run("plan", "Texts", "--set", "three", "--query", "evens")["tasks"] == 3
    assert run("plan", "Texts", "--set", "three", "--query", "odds", code=1)["code"] == "NOT_FOUND"

    trial = run("run", "Texts", "--set", "three", "--trial", "2", "--watch")
    assert (trial["state"], trial["counts"]["succeeded"]) == ("awaiting-release", 2)
    done = run("release", trial["id"], "--watch")
    assert (done["state"], done["counts"]["succeeded"]) == ("succeeded", 6)
    assert run("plan", "Texts", "--set", "three")["reused"] == 6

    tasks = run("tasks", "latest")["items"]
    assert [task["metrics"] for task in tasks] == [{"length": 24}] * 6
    assert "did sub-00_run-0" in run("logs", "latest", "0")["text"]
    assert run("logs", "latest", "--search", "did sub-03")["items"][0]["taskIndex"] == 3
    assert run("derivatives", "list", "latest")["total"] == 6
    fetched = run("derivatives", "fetch", "latest", str(tmp_path / "got"))
    assert fetched["files"] == 12
    assert sorted(path.read_text() for path in (tmp_path / "got").rglob("r.txt"))[0] == "|".join(
        ["text 0"] * 4
    )
    again = run("derivatives", "fetch", "latest", str(tmp_path / "got"))
    assert (again["files"], again["kept"]) == (0, 12)

    run("chart", "latest", "--metric", "length", "--by", "run", "-o", str(tmp_path / "c.svg"))
    assert ElementTree.parse(tmp_path / "c.svg").getroot().tag.endswith("svg")
    assert "length" in run("chart", "latest", "--metric", "nothing", code=1)["mend"]
    lineage = run("lineage", done["id"])
    assert {node["noun"] for node in lineage["nodes"]} >= {"run", "dataset-version", "analysis-version"}
    assert "Texts" in [item["name"] for item in run("datasets", "list")["items"]]

    main(["runs", "show", "latest"])
    main(["tasks", "latest"])
    shown = capsys.readouterr().out
    assert "6 succeeded" in shown and "sub-05_run-1" in shown


def test_a_failure_is_shown_mended_and_retried(
    project: RealServer, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = project.project / "some"
    folder.mkdir()
    (project.project / "flag").unlink(missing_ok=True)
    for at in range(3):
        (folder / f"{at}.txt").write_text(str(at))
    script = f"test -e {project.project}/flag || test $(cat $1) != 1 || {{{{ echo no flag >&2; exit 3; }}}}"
    script += "; cp $1 $2"
    run("datasets", "register", "some", "--name", "Some")
    run(
        "analyses",
        "register",
        "--name",
        "copy",
        "--parameter",
        "n=1",
        "--",
        "sh",
        "-c",
        script,
        "sh",
        "{input}",
        "{output}",
    )
    run("params", "save", "plain", "--analysis", "copy")
    failed = run("run", "Some", "--set", "plain", "--retries", "0", "--watch", code=1)
    assert (failed["state"], failed["counts"]["failed"]) == ("failed", 1)
    assert run("derivatives", "fetch", failed["id"], "x", code=1)["code"] == "STATE_CONFLICT"
    main(["tasks", failed["id"], "--state", "failed"])
    assert "exit code 3" in capsys.readouterr().out
    main(["logs", failed["id"]])
    assert capsys.readouterr().out == "no flag\n"
    (project.project / "flag").touch()
    mended = run("retry", failed["id"], "--watch")
    assert (mended["state"], mended["counts"]["succeeded"]) == ("succeeded", 3)


def test_one_key_starts_one_run(project: RealServer, run: Any) -> None:
    (project.project / "one").mkdir()
    (project.project / "one" / "a.txt").write_text("a")
    run("datasets", "register", "one", "--name", "One")
    run("analyses", "register", "--name", "touch", "--", "touch", "{output}/x", "{output}/{shard}")
    run("params", "save", "none", "--analysis", "touch")
    first = run("run", "One", "--set", "none", "--key", "once", "--watch")
    assert run("run", "One", "--set", "none", "--key", "once")["id"] == first["id"]
    assert (
        run("run", "One", "--set", "none", "--key", "once", "--name", "x", code=1)["code"]
        == "IDEMPOTENCY_CONFLICT"
    )


def test_a_watch_outlives_a_restart_of_the_server(project: RealServer, run: Any) -> None:
    (project.project / "slow").mkdir()
    (project.project / "slow" / "a.txt").write_text("a")
    run("datasets", "register", "slow", "--name", "Slow")
    run("analyses", "register", "--name", "sleep", "--", "sh", "-c", "sleep 3; date > $LABSCALE_OUTPUT/x")
    run("params", "save", "asleep", "--analysis", "sleep")
    started = run("run", "Slow", "--set", "asleep")
    command = [sys.executable, "-m", "labscale.command", "watch", started["id"]]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src")}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=project.project, env=environment, text=True, **pipes) as watch:
        assert watch.stderr is not None
        assert "sleep on Slow" in watch.stderr.readline()
        project.stop()
        project.start()
        out, said = watch.communicate(timeout=60)
    assert (watch.returncode, "1 succeeded" in out) == (0, True), said


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["datasets", "register", "not-there"], 1, "FOLDER_NOT_FOUND"),
        (["datasets", "show", "no such"], 1, "NOT_FOUND"),
        (["runs", "show", "run-00000000000000000000"], 1, "NOT_FOUND"),
        (["analyses", "register", "no.ipynb"], 1, "The notebook no.ipynb is not there"),
        (["analyses", "register", "echo", "hi"], 1, "A command needs a name"),
        (["analyses", "register"], 1, "Nothing to register"),
        (["analyses", "register", "--image", "r.example/a:1"], 1, "A container needs a name"),
        (["analyses", "register", "a.ipynb", "--adapter", "chris"], 1, "--adapter is for images"),
        (["analyses", "register", "--image", "r.example/a:1", "--fresh"], 1, "A container is fresh"),
        (["analyses", "register", "--image", "r.example/a:1", "--name", "a"], 1, "REGISTRY_NOT_ALLOWED"),
    ],
)
def test_problems_go_to_standard_error(
    project: RealServer, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, said: str
) -> None:
    assert main(arguments) == code
    captured = capsys.readouterr()
    assert said in captured.err and captured.out == ""


@pytest.mark.parametrize(
    "arguments",
    [[], ["nothing"], ["run", "Texts"], ["run", "T", "--set", "s", "--memory", "much"], ["logs", "r", "-1"]],
)
def test_wrong_usage_is_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: labscale" in capsys.readouterr().err


def test_what_is_promoted_fits_the_contract(contract: ContractServer, run: Any) -> None:
    example = EXAMPLES["ParameterSet"]
    options = ["--filter", "digit=3", "--trial", "5", "--trial-order", "largest", "--no-reuse"]
    options += ["--cpus", "2", "--memory", "1.5GiB", "--time-limit", "5min", "--retries", "0"]
    options += ["--gpus", "1", "--shards-per-pod", "12"]
    run(
        "run", EXAMPLES["Dataset"]["name"], "--set", example["name"], *options, "--name", "mine", "--key", "k"
    )
    assert contract.sent("createRun") == {
        "name": "mine",
        "promotion": {
            "analysisVersionId": EXAMPLES["Analysis"]["latestVersion"]["id"],
            "parameterSetVersionIds": [example["latestVersion"]["id"]],
            "datasetVersionId": EXAMPLES["Dataset"]["latestVersion"]["id"],
            "filter": "digit=3",
            "trial": {"count": 5, "order": "largest"},
            "reuse": False,
            "shardsPerPod": 12,
            "resources": {
                "cpus": 2,
                "memoryBytes": 3 * 2**29,
                "timeLimitSeconds": 300.0,
                "retries": 0,
                "gpus": 1,
            },
        },
    }
    assert contract.keys[-1] == "k"
    run("retry", EXAMPLES["Run"]["id"], "3", "1", "3", "--memory", "1G")
    assert contract.sent("retryRun") == {"taskIndexes": [1, 3], "resources": {"memoryBytes": 2**30}}


def test_an_image_is_registered_as_the_contract_has_it(
    contract: ContractServer, run: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    image = "registry.example/lab/qc:1.0"
    options = ["--image", image, "--name", "qc", "--adapter", "bids-app", "--output", "*.tsv"]
    run("analyses", "register", *options, "--parameter", "fd=0.5", "--", "--fd", "{fd}")
    assert contract.sent("createAnalysis") == {
        "kind": "container",
        "name": "qc",
        "image": image,
        "adapter": "bids-app",
        "command": ["--fd", "{fd}"],
        "contract": {
            "outputs": [{"path": "*.tsv", "required": True}],
            "parameters": [{"name": "fd", "type": "number", "default": 0.5}],
        },
    }
    run("analyses", "register", "--image", image, "--name", "qc")
    assert contract.sent("createAnalysis") == {"kind": "container", "name": "qc", "image": image}

    digest = "sha256:" + "0" * 64
    version = {
        **EXAMPLES["AnalysisVersion"],
        **{
            "kind": "container",
            "path": None,
            "kernel": None,
            "adapter": "plain",
            "command": ["--fd", "{fd}"],
        },
        "image": {"reference": image, "digest": digest, "entrypoint": ["/run"], "workingDirectory": None},
    }
    contract.answers["getAnalysis"] = {**EXAMPLES["Analysis"], "kind": "container", "latestVersion": version}
    capsys.readouterr()
    assert main(["analyses", "show", EXAMPLES["Analysis"]["id"]]) == 0
    shown = capsys.readouterr().out
    assert f"{image} ({digest})" in shown and "/run" in shown


def test_pairs_are_json_else_text() -> None:
    contract = {"parameters": [{"name": "s", "type": "string"}, {"name": "n", "type": "number"}]}
    pairs = ["n=1.5", "t=two words=2", "b=true", "l=[1,2]", "s=12", 'q="12"', "z=null", "e="]
    values = {"n": 1.5, "t": "two words=2", "b": True, "l": [1, 2], "s": "12", "q": "12", "z": None, "e": ""}
    assert parse_pairs(pairs, contract) == values


@pytest.mark.parametrize(
    "pair", [["a"], ["=1"], ["a b=1"], ["a=NaN"], ["a=-Infinity"], ["a=[1e999]"], ["a=1", "a=2"]]
)
def test_a_bad_pair_is_named(pair: list[str]) -> None:
    with pytest.raises(LabscaleError):
        parse_pairs(pair)


def test_sizes_and_spans() -> None:
    sizes = {"512": 512, "1KiB": 1024, "1kB": 1000, "2G": 2**31, "1.5 GiB": 3 * 2**29, "10B": 10}
    assert {text: size_bytes(text) for text in sizes} == sizes
    spans = {"90": 90, "90s": 90, "5min": 300, "2h": 7200, "1.5 m": 90}
    assert {text: span_seconds(text) for text in spans} == spans
    for parse in (size_bytes, span_seconds):
        with pytest.raises(argparse.ArgumentTypeError):
            parse("-1")


def test_ticks_are_round_and_hold_the_numbers() -> None:
    assert nice_ticks(8.3, 12.1) == [8, 9, 10, 11, 12, 13]
    assert nice_ticks(0.0, 0.0) == [-1.0, -0.5, 0.0, 0.5, 1.0]
    for low, high in ((1e-9, 3e-9), (-5, 5), (7, 7), (0.1, 123456)):
        ticks = nice_ticks(low, high)
        assert ticks[0] <= low and ticks[-1] >= high and 2 <= len(ticks) <= 12


def test_a_chart_has_every_point_and_no_markup_of_its_names() -> None:
    series = [Series("<a>", [(0, 1.5, "x & y"), (1, 2.5, "z")]), Series("b", [(0, 1.0, "z")])]
    root = ElementTree.fromstring(
        draw(title="<t>", series=series, x_label="x", y_label="y", x_ticks=[(0, "0")])
    )
    circles = [item for item in root.iter() if item.tag.endswith("circle") and len(item)]
    assert len(circles) == 3
    assert "<a>, median 2" in [item.text for item in root.iter() if item.tag.endswith("text")]


def test_a_folder_that_changed_gives_a_version(project: RealServer, run: Any) -> None:
    folder = project.project / "growing"
    folder.mkdir()
    (folder / "a.txt").write_text("a")
    run("datasets", "register", "growing", "--name", "Growing", "--metadata", "year=2026")
    assert run("datasets", "update", "Growing")["number"] == 1
    (folder / "b.txt").write_text("b")
    assert run("datasets", "check", "Growing")["changes"]["added"] == 1
    assert run("datasets", "update", "Growing")["number"] == 2
    assert [item["number"] for item in run("datasets", "versions", "Growing")["items"]] == [2, 1]
    assert run("datasets", "delete", "Growing")["deleted"].startswith("ds-")
    assert run("datasets", "show", "Growing", code=1)["code"] == "NOT_FOUND"


def test_a_run_can_be_stopped(project: RealServer, run: Any) -> None:
    (project.project / "long").mkdir()
    (project.project / "long" / "a.txt").write_text("a")
    run("datasets", "register", "long", "--name", "Long")
    run("analyses", "register", "--name", "wait", "--", "sleep", "600")
    run("params", "save", "waiting", "--analysis", "wait")
    started = run("run", "Long", "--set", "waiting")
    assert run("stop", started["id"], "--watch", code=1)["state"] == "stopped"
    assert run("runs", "list", "--state", "stopped")["items"][0]["id"] == started["id"]


def test_help_says_a_word_of_each_command_and_argument() -> None:
    def check(parser: argparse.ArgumentParser) -> None:
        assert parser.description, parser.prog
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                for command in action.choices.values():
                    check(command)
            else:
                assert action.help, f"{parser.prog} {action.option_strings or action.dest}"

    check(_parser())
    assert len(_parser().format_help().splitlines()) < 60
