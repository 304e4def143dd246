"""JupyterLab for the screen tests: on loopback, on the port and the project folder that helpers/jupyter-lab.ts chose."""

import os

from jupyterlab.galata import configure_jupyter_server

c = get_config()  # noqa: F821
configure_jupyter_server(c)
c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = int(os.environ["LABSCALE_UI_PORT"])
c.ServerApp.root_dir = os.environ["LABSCALE_UI_PROJECT"]
if os.geteuid() == 0:
    c.ServerApp.allow_root = True
