"""Real Jupyter servers in front of the real labscale server, on loopback and in folders of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

JUPYTER_TOKEN = "token-of-jupyter"
REPOSITORY = Path(__file__).resolve().parents[2]
OPENAPI = json.loads((REPOSITORY / "schema" / "generated" / "openapi.json").read_text())


def free_port() -> int:
    """Give a port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(what: Callable[[], Any], seconds: float = 40) -> Any:
    """Give the first true value of `what`; fail where there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("did not happen in time")


def is_alive(pid: int) -> bool:
    """Tell whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Jupyter:
    """A Jupyter server with the extension, on a project folder."""

    def __init__(
        self, project: Path, home: Path, environment: dict[str, str] | None = None, *options: str
    ) -> None:
        self.project = project
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = f"{self.url}/labscale/api/v1"
        self.log = home / f"jupyter-{self.port}.log"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("LABSCALE_", "JUPYTER"))
        }
        self._output = open(self.log, "wb")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyter_server",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={self.port}",
                "--ServerApp.port_retries=0",
                "--ServerApp.open_browser=False",
                "--ServerApp.allow_root=True",
                f"--IdentityProvider.token={JUPYTER_TOKEN}",
                f"--ServerApp.root_dir={project}",
                "--ServerApp.jpserver_extensions={'jupyterlab_labscale': True}",
                *options,
            ],
            # A home of its own: the user's settings and runtime files have no part in this.
            env={**inherited, "HOME": str(home), "JUPYTER_NO_CONFIG": "1", **(environment or {})},
            cwd=project,
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )
        until(self._answers)

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(self.log.read_text())
        try:
            return requests.get(f"{self.url}/api", timeout=5).ok
        except requests.ConnectionError:
            return False

    def session(self) -> requests.Session:
        """Give a signed-in session, as a browser has one: cookies and no token."""
        session = requests.Session()
        assert session.get(f"{self.url}/api/status", params={"token": JUPYTER_TOKEN}, timeout=10).ok
        # The XSRF cookie comes with the first page.
        assert session.get(f"{self.url}/login", timeout=10).ok
        assert session.get(f"{self.url}/api/status", timeout=10).ok
        session.headers["X-XSRFToken"] = session.cookies.get("_xsrf") or ""
        return session

    def connection(self) -> dict[str, Any]:
        """Give what server.json says."""
        content: dict[str, Any] = json.loads((self.project / ".labscale" / "server.json").read_text())
        return content

    def stop(self) -> None:
        """Stop Jupyter in good order, and wait until it has ended."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)
        self._output.close()

    def kill(self) -> None:
        """Kill Jupyter: it can tidy up nothing."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)
        self._output.close()


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder for one test; what was started on it is ended with it."""
    with tempfile.TemporaryDirectory(prefix="labscale-test-") as folder:
        path = Path(folder)
        yield path
        for file in path.rglob("server.json"):
            pid = json.loads(file.read_text()).get("pid", 0)
            if is_alive(pid):
                os.kill(pid, signal.SIGTERM)
                until(lambda pid=pid: not is_alive(pid))


@pytest.fixture
def project(home: Path) -> Path:
    """A project folder with three files to register."""
    folder = home / "project"
    data = folder / "data"
    data.mkdir(parents=True)
    for number in range(3):
        (data / f"item-{number}.csv").write_text(f"a,b\n{number},{number}\n")
    (data / "page.html").write_text("<script>alert(1)</script>")
    return folder


@pytest.fixture
def start(home: Path, project: Path) -> Iterator[Callable[..., Jupyter]]:
    """Start Jupyter servers on the project; those still running at the end are stopped."""
    started: list[Jupyter] = []

    def run(environment: dict[str, str] | None = None, *options: str) -> Jupyter:
        started.append(Jupyter(project, home, environment, *options))
        return started[-1]

    yield run
    for jupyter in started:
        jupyter.stop()
