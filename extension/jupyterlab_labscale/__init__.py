"""Labscale in JupyterLab: starts the labscale server of the project folder and forwards to it."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "labextension", "dest": "jupyterlab-labscale"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    from jupyterlab_labscale.extension import LabscaleExtension

    return [{"module": "jupyterlab_labscale", "app": LabscaleExtension}]
