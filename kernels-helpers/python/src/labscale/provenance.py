"""What a parameter set should remember of where it came from, as far as a kernel can say it."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from labscale import tuning

GIT_SECONDS = 0.5


def describe_provenance() -> dict[str, Any]:
    """Fields of the contract's `Provenance` that this kernel knows; None for what it cannot find out."""
    snippet = tuning.known_snippet()
    commit, dirty = _git()
    return {
        "languageVersion": ".".join(map(str, sys.version_info[:3])),
        "packages": imported_packages(),
        "gitCommit": commit,
        "gitDirty": dirty,
        "snippetId": snippet.id if snippet is not None else None,
        "datasetVersionId": snippet.dataset_version_id if snippet is not None else None,
        "secondsPerShard": tuning.seconds_per_shard(),
    }


def imported_packages() -> dict[str, str]:
    """Distributions of which a module is imported, name to version."""
    from importlib.metadata import PackageNotFoundError, version

    modules = sorted({name.partition(".")[0] for name in list(sys.modules)} - sys.stdlib_module_names)
    found: dict[str, str] = {}
    for module in modules:
        if module.startswith("_"):
            continue
        for distribution in _distributions().get(module, [module]):
            try:
                found[distribution] = version(distribution)
            except PackageNotFoundError:
                continue
    return found


@cache
def _distributions() -> dict[str, list[str]]:
    from importlib.metadata import packages_distributions

    return {module: sorted(set(names)) for module, names in packages_distributions().items()}


def _git() -> tuple[str | None, bool | None]:
    notebook = tuning.notebook_path()
    folder = notebook.parent if notebook is not None else Path.cwd()
    commit = _ask_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    changes = _ask_git(folder, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else changes != ""


def _ask_git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_SECONDS,
            text=True,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
