"""The example data are complete and the same each time; the notebooks are as they are to be committed."""

import ast
import hashlib
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

EXAMPLES = Path(__file__).resolve().parent.parent
DATASETS = json.loads((EXAMPLES / "datasets.json").read_text())
NOTEBOOKS = [entry["notebook"] for entry in DATASETS]


def make(into: Path) -> str:
    command = [sys.executable, str(EXAMPLES / "make-examples.py"), "--into", str(into)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make(folder)
    return folder


def test_the_same_bytes_are_made_each_time(project: Path, tmp_path: Path) -> None:
    make(tmp_path)
    assert digests(tmp_path) == digests(project)


@pytest.mark.parametrize("entry", DATASETS, ids=lambda entry: entry["name"])
def test_a_dataset_has_at_least_64_shards(project: Path, entry: dict) -> None:
    data = project / entry["source"]["path"]
    shards = [path for path in data.rglob("*") if path.is_file()]
    if entry["source"]["layout"] == "folder-per-shard":
        shards = list(data.iterdir())
    assert len(shards) >= 64


def test_what_a_user_changed_is_kept(tmp_path: Path) -> None:
    make(tmp_path)
    notebook = tmp_path / NOTEBOOKS[0]
    notebook.write_text("mine")
    assert "nothing changed" in make(tmp_path)
    assert notebook.read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make(tmp_path / "file")
    assert refused.value.returncode == 2
    assert "is not a folder" in refused.value.stderr


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_is_valid_and_without_outputs(path: str) -> None:
    notebook = nbformat.read(EXAMPLES / path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) == (4, 5)
    assert notebook.metadata.kernelspec.name == "python3"
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_every_parameter_has_its_help(path: str) -> None:
    notebook = nbformat.read(EXAMPLES / path, as_version=4)
    [tagged] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    lines = tagged.source.splitlines()
    assert all(isinstance(node, ast.Assign) for node in ast.parse(tagged.source).body)
    assert len(lines) >= 2
    assert all("  # " in line for line in lines)
