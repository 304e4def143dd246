"""What is told of attempts by whatever runs their programs."""

from __future__ import annotations

from typing import Protocol

from labscale.transfer.said import Said

Name = tuple[int, int]
"""Index and attempt."""


class Hearing(Protocol):
    """Takes it; may be called by any thread, once for each attempt that was ordered but for progress."""

    def ready(self) -> None: ...

    def started(self, name: Name, at: str) -> None: ...

    def progress(self, name: Name, progress: float) -> None: ...

    def ended(self, name: Name, said: Said) -> None: ...

    def gone(self, detail: str) -> None:
        """Nothing more will come."""
        ...
