"""A MinIO of the test's own on loopback, and a proxy that cuts what goes through it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from labscale.s3.credentials import CredentialsFile
from labscale.s3.patience import Patience
from labscale.s3.place import place_of
from labscale.s3.store import ObjectStore

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "labscale"
BUCKET = "labscale"


def minio_program() -> Path | None:
    """That of the test cluster, or the newest that was built for one."""
    cluster = Path(os.environ.get("LABSCALE_TEST_CLUSTER") or CACHE / "test-cluster" / "cluster.json")
    if cluster.exists():
        named = json.loads(cluster.read_text()).get("programs", {}).get("minio")
        if named and Path(named).exists():
            return Path(named)
    built = CACHE.glob("cluster/minio-*/minio")
    return max(built, key=lambda file: file.stat().st_mtime, default=None)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Minio:
    """One server with one bucket."""

    def __init__(self, program: Path, folder: Path | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="labscale-minio-"))
        self.data = folder or self.folder / "data"
        self.data.mkdir(exist_ok=True)
        self.port = free_port()
        self.access_key, self.secret_key = "root-of-test", secrets.token_hex(16)
        self.credentials = self.folder / "credentials"
        self.write_credentials(self.secret_key)
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.start()
        self.store().ask("PUT", "")

    def write_credentials(self, secret_key: str, **more: str) -> None:
        new = self.folder / "credentials.new"
        new.write_text(json.dumps({"accessKey": self.access_key, "secretKey": secret_key, **more}))
        new.chmod(0o600)
        new.rename(self.credentials)

    @property
    def environment(self) -> dict[str, str]:
        return self.environment_at(self.port)

    def environment_at(self, port: int) -> dict[str, str]:
        return {
            "LABSCALE_S3_ENDPOINT": f"http://127.0.0.1:{port}",
            "LABSCALE_S3_BUCKET": BUCKET,
            "LABSCALE_S3_CREDENTIALS_FILE": str(self.credentials),
        }

    def store(self, port: int | None = None, patience: float = 20.0) -> ObjectStore:
        place = place_of(self.environment_at(port or self.port))
        return ObjectStore(place, CredentialsFile(str(self.credentials)), Patience(patience))

    def start(self) -> None:
        with open(self.folder / "minio.log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    str(self._program),
                    "server",
                    "--quiet",
                    "--address",
                    f"127.0.0.1:{self.port}",
                    str(self.data),
                ],
                env={
                    "HOME": str(self.folder),
                    "PATH": os.environ["PATH"],
                    "MINIO_ROOT_USER": self.access_key,
                    "MINIO_ROOT_PASSWORD": self.secret_key,
                    "MINIO_BROWSER": "off",
                    "MINIO_UPDATE": "off",
                    "MINIO_CI_CD": "on",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + 30
        while not self._is_ready():
            assert self._process.poll() is None, (self.folder / "minio.log").read_text()
            assert time.monotonic() < deadline, "MinIO does not become ready"
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/minio/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class CuttingProxy:
    """Passes bytes on to a port of loopback, and resets connections after so many bytes of an answer.

    Attributes
    ----------
    cuts
        Byte counts, one for each connection that is yet to be cut; the others stay whole.
    connections
        How many came.
    refused
        How many requests the store answered with 403.
    """

    def __init__(self, port: int, cuts: list[int] | None = None) -> None:
        self.cuts = cuts or []
        self.delay = 0.0
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        self.refused = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            cut = self.cuts.pop(0) if self.cuts else None
            threading.Thread(target=self._serve, args=(client, cut), daemon=True).start()

    def _serve(self, client: socket.socket, cut: int | None) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        threading.Thread(target=self._pump, args=(client, server, None), daemon=True).start()
        self._pump(server, client, cut)

    def _pump(self, source: socket.socket, target: socket.socket, cut: int | None) -> None:
        try:
            while data := source.recv(65536):
                self.refused += data.startswith(b"HTTP/1.1 403")
                if self.delay:
                    time.sleep(self.delay)
                if cut is not None:
                    data, cut = data[:cut], cut - len(data)
                target.sendall(data)
                if cut is not None and cut <= 0:
                    break
        except OSError:
            pass
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def close(self) -> None:
        self._listener.close()
