"""JupyterLab for the screen tests: on loopback, on a project of its own with the examples in it."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp

from jupyterlab.galata import configure_jupyter_server

c = get_config()  # noqa: F821
configure_jupyter_server(c)
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = int(os.environ["LABSCALE_UI_PORT"])
if os.geteuid() == 0:
    c.ServerApp.allow_root = True

project = Path(os.environ.get("LABSCALE_UI_PROJECT") or mkdtemp(prefix="labscale-ui-"))
make_examples = Path(__file__).resolve().parent.parent / "examples" / "make-examples.py"
subprocess.run([sys.executable, str(make_examples), "--into", str(project)], check=True)
c.ServerApp.root_dir = str(project)
