"""The real bundled server over a temporary project folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[3]
BUNDLE = ROOT / "server" / "dist" / "labscale-server.mjs"


class RealServer:
    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.environment = dict(environment or {})
        self.project = folder / "project"
        self.project.mkdir()
        self.log = folder / "server.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        environment |= {
            "LABSCALE_PROJECT": str(self.project),
            "LABSCALE_PYTHON": sys.executable,
            "LABSCALE_HELPERS": str(Path(__file__).parents[1] / "src"),
            **self.environment,
        }
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                [ROOT / "node_modules" / ".bin" / "node", BUNDLE],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert b"listening" in line, self.log.read_text()
        self.url = json.loads(line)["listening"]

    def stop(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
