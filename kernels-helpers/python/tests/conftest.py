from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from contractserver import ContractServer
from realserver import BUNDLE, RealServer
from workbench import Workbench


@pytest.fixture
def bench() -> Iterator[Workbench]:
    workbench = Workbench(Path(tempfile.mkdtemp(prefix="labscale-test-")))
    yield workbench
    workbench.close()


@pytest.fixture
def contract(monkeypatch: pytest.MonkeyPatch) -> Iterator[ContractServer]:
    server = ContractServer()
    monkeypatch.setenv("LABSCALE_URL", server.url)
    monkeypatch.setenv("LABSCALE_TOKEN", ContractServer.TOKEN)
    yield server
    server.close()


@pytest.fixture(scope="session")
def real_server() -> Iterator[RealServer]:
    """One real server for all tests that want one, over a project folder of its own."""
    if not BUNDLE.exists():
        pytest.skip("the server is not bundled: npm run bundle --workspace server")
    server = RealServer(Path(tempfile.mkdtemp(prefix="labscale-test-")))
    yield server
    server.close()


@pytest.fixture
def project(real_server: RealServer, monkeypatch: pytest.MonkeyPatch) -> RealServer:
    """The real server, as a shell in its project folder finds it."""
    for name in ("LABSCALE_URL", "LABSCALE_TOKEN", "LABSCALE_CONNECTION_FILE", "JPY_SESSION_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(real_server.project)
    return real_server


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a kernel of its own: what tuning remembers goes."""
    from labscale import tuning

    for name, value in (("_snippet", None), ("_fetched", {}), ("_cell_seconds", {}), ("metrics", {})):
        monkeypatch.setattr(tuning, name, value)
