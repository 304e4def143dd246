"""Adds what npm has built to the wheel; fetches and builds nothing itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_LABEXTENSION = "share/jupyter/labextensions/jupyterlab-labscale"


class BuiltAssets(BuildHookInterface):
    """Names the built files for a wheel; an editable install takes them from where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files. Raises FileNotFoundError where npm has not built them."""
        if version == "editable":
            return
        root = Path(self.root)
        labextension = root / "jupyterlab_labscale" / "labextension"
        bundle = root.parent / "server" / "dist" / "labscale-server.mjs"
        for built in (labextension / "package.json", bundle):
            if not built.is_file():
                raise FileNotFoundError(f"{built} is missing; run `npm run build` in the repository first")
        build_data["shared_data"][str(labextension)] = _LABEXTENSION
        build_data["shared_data"][str(root / "install.json")] = f"{_LABEXTENSION}/install.json"
        build_data["force_include"][str(bundle.parent)] = "jupyterlab_labscale/server"
        build_data["force_include"][str(root.parent / "LICENSE")] = "jupyterlab_labscale/LICENSE"
