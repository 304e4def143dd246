from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from contractserver import ContractServer
from objectstore import Minio, minio_program
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


def _new_minio() -> Minio:
    program = minio_program()
    if program is None:
        why = "there is no MinIO program on this machine; `npm run cluster -- up` builds one"
        if os.environ.get("LABSCALE_TEST_CLUSTER_REQUIRED") == "1":
            pytest.fail(why)
        pytest.skip(why)
    return Minio(program)


@pytest.fixture(scope="session")
def minio() -> Iterator[Minio]:
    """One MinIO for all tests that do not stop it."""
    server = _new_minio()
    yield server
    server.close()


@pytest.fixture
def minio_of_ones_own() -> Iterator[Minio]:
    server = _new_minio()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a kernel of its own: what tuning remembers goes."""
    from labscale import tuning

    for name, value in (("_snippet", None), ("_fetched", {}), ("_cell_seconds", {}), ("metrics", {})):
        monkeypatch.setattr(tuning, name, value)
