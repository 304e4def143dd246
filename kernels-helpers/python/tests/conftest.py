from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from workbench import Workbench


@pytest.fixture
def bench() -> Iterator[Workbench]:
    workbench = Workbench(Path(tempfile.mkdtemp(prefix="labscale-test-")))
    yield workbench
    workbench.close()
