from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from labscale.environment import installed_packages

PACKAGE = Path(__file__).parents[1] / "src" / "labscale"


def _run(name: str) -> dict:
    return json.loads(
        subprocess.run([sys.executable, PACKAGE / name], capture_output=True, check=True).stdout
    )


def test_environment_names_what_is_installed() -> None:
    said = _run("environment.py")
    assert said["packages"]["nbformat"] == version("nbformat")
    assert said["packages"]["jupyter-client"] == version("jupyter_client")
    assert said["digest"].startswith("sha256:") and said == _run("environment.py")


def test_first_on_the_path_is_the_one(tmp_path: Path) -> None:
    for place, number in (("a", "1.0"), ("b", "2.0")):
        (tmp_path / place / f"Some_Thing-{number}.dist-info").mkdir(parents=True)
    (tmp_path / "b" / "other-1.0.post1-py3.11.egg-info").mkdir()
    found = installed_packages([str(tmp_path / "a"), str(tmp_path / "missing"), str(tmp_path / "b")])
    assert found == {"other": "1.0.post1", "some-thing": "1.0"}


def test_kernelspecs_name_their_interpreter() -> None:
    said = _run("kernelspecs.py")["python3"]
    assert said["interpreter"] == os.path.abspath(sys.executable)
    assert said["language"] == "python" and said["argv"][0] == "python"
