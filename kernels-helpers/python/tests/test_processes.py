from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="process trees are followed on Linux only")

# Each process of such a program ends as soon as it has a successor, so that its tree is never at rest.
HOPPING = """
import os, time
end = time.monotonic() + 20
while time.monotonic() < end:
    if os.fork(): os._exit(0)
"""

END_IT = f"""
import os, subprocess, sys, time
from labscale import processes

processes.adopt_orphans()
for _ in range(3):
    subprocess.Popen([sys.executable, "-S", "-E", "-c", {HOPPING!r}], start_new_session=True)
time.sleep(0.2)
processes.end_children()
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("nothing is left")
else:
    time.sleep(0.1)
    processes.end_children()
"""


def test_program_that_hops_from_process_to_process_is_ended() -> None:
    said = subprocess.run([sys.executable, "-c", END_IT], capture_output=True, text=True, timeout=60)
    assert said.stdout == "nothing is left\n", said.stderr
