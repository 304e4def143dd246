"""An authorizer that lets everybody read and nobody write."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth import Authorizer


class ReadingOnly(Authorizer):
    """Refuses every action on labscale but `read`."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        """Tell whether the action is allowed."""
        return action == "read" or resource != "labscale"
