"""The helper in a real kernel of a real notebook, with the real server."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.manager import start_new_kernel
from realserver import RealServer
from workbench import notebook

from labscale.client import call
from labscale.command import main


class Kernel:
    def __init__(self, cwd: Path, session: Path) -> None:
        source = str(Path(__file__).parents[1] / "src")
        environment = {**os.environ, "PYTHONPATH": source, "JPY_SESSION_NAME": str(session)}
        self._manager, self._client = start_new_kernel(kernel_name="python3", cwd=str(cwd), env=environment)

    def run(self, source: str) -> str:
        """All that a cell prints or shows; fails where it raises."""
        return "".join(text for _, text in self.outputs(source))

    def outputs(self, source: str) -> list[tuple[str, str]]:
        """What a cell shows, each with its stream or the kind of its message; fails where it raises."""
        said: list[tuple[str, str]] = []

        def hook(message: dict[str, Any]) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append((content["name"], content["text"]))
            elif message["msg_type"] == "execute_result":
                said.append(("execute_result", content["data"]["text/plain"]))
            elif message["msg_type"] == "error":
                said.append(("error", "\n".join(content["traceback"])))

        reply = self._client.execute_interactive(source, output_hook=hook, timeout=60)
        assert reply["content"]["status"] == "ok", said
        return said

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def tuned(project: RealServer, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[Kernel, dict[str, Any]]]:
    """A kernel of a notebook that was opened on a snippet of two shards."""
    folder = project.project / "kernel-data"
    folder.mkdir(exist_ok=True)
    for at in range(3):
        (folder / f"{at}.txt").write_text(f"number {at}")
    if not [item for item in call("listDatasets")["items"] if item["name"] == "Kernel data"]:
        assert main(["datasets", "register", "kernel-data", "--name", "Kernel data"]) == 0
    capsys.readouterr()
    assert main(["--json", "snippets", "create", "Kernel data", "--count", "2", "--seed", "1"]) == 0
    snippet = json.loads(capsys.readouterr().out)
    path = project.project / "tune.ipynb"
    document = notebook("import labscale", parameters="sigma = 1.0\nname = 'x'")
    document["metadata"]["labscale"] = {"snippetId": snippet["id"]}
    path.write_text(json.dumps(document))
    kernel = Kernel(project.project, path)
    yield kernel, snippet
    kernel.close()


def test_tune_save_and_load_in_a_notebook(tuned: tuple[Kernel, dict[str, Any]], project: RealServer) -> None:
    kernel, snippet = tuned
    keys = [shard["key"] for shard in snippet["shards"]]
    kernel.run("import labscale\n%load_ext labscale\nsigma = 2.5\nname = 'tuned'")
    assert kernel.run("labscale.shard().key") == repr(keys[0])
    assert "number" in kernel.run("print([shard.path().read_text() for shard in labscale.snippet()])")
    assert f"/.labscale/tuning/{snippet['id']}" in kernel.run("str(labscale.output())")
    kernel.run("labscale.metric(snr=12.5)")
    assert "saved" in kernel.run("%labscale save mine")
    saved = call("listParameterSets", query={"search": "mine"})["items"][0]["latestVersion"]
    assert saved["values"] == {"sigma": 2.5, "name": "tuned"}
    assert saved["metrics"] == {"snr": 12.5}
    provenance = saved["provenance"]
    assert provenance["notebookPath"] == "tune.ipynb"
    assert (provenance["snippetId"], provenance["datasetVersionId"]) == (
        snippet["id"],
        snippet["datasetVersionId"],
    )
    assert provenance["secondsPerShard"] > 0
    assert provenance["languageVersion"] == ".".join(map(str, sys.version_info[:3]))

    kernel.run("sigma = 0")
    kernel.run("%labscale load mine")
    assert kernel.run("sigma") == "2.5"
    assert kernel.run("labscale.load_parameters('mine').sigma") == "2.5"
    assert keys[1] in kernel.run("%labscale shards")
    assert snippet["id"] in kernel.run("%labscale status")
    assert "Use: %labscale" in kernel.run("%labscale nonsense")
    assert "no parameter set named nothing" in kernel.run("%labscale load nothing")
    described = kernel.run(
        "import json\nfrom labscale.parameters import describe_kernel\njson.dumps(describe_kernel(['sigma']))"
    )
    assert '"values": {"sigma": 2.5}' in described


def test_the_newest_snippet_is_told_as_plain_output(
    tuned: tuple[Kernel, dict[str, Any]], project: RealServer
) -> None:
    _, snippet = tuned
    path = project.project / "bare.ipynb"
    path.write_text(json.dumps(notebook("import labscale")))
    kernel = Kernel(project.project, path)
    try:
        said = kernel.outputs("import labscale\nlabscale.shard();")
    finally:
        kernel.close()
    assert [stream for stream, _ in said] == ["stdout"]
    assert snippet["id"] in said[0][1]


def test_a_saved_set_runs_over_every_shard(
    tuned: tuple[Kernel, dict[str, Any]], project: RealServer, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel, _ = tuned
    kernel.run("import labscale\nsigma = 3.5\nname = 'all'\nlabscale.save_parameters('promoted')")
    capsys.readouterr()
    assert main(["--json", "run", "Kernel data", "--set", "promoted", "--watch"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"]["succeeded"] == 3
