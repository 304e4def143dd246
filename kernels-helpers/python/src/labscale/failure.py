"""Why an attempt did not succeed."""

from __future__ import annotations

import errno
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT)


class AttemptFailure(Exception):
    """The end of an attempt: an exit kind of the contract, a reason in plain words, the failure's text."""

    def __init__(
        self, exit_kind: str, reason: str, text: str | None = None, exit_code: int | None = None
    ) -> None:
        super().__init__(reason)
        self.exit_kind = exit_kind
        self.reason = reason
        self.text = text
        self.exit_code = exit_code

    def said(self) -> dict[str, Any]:
        """As a program says it of itself, through the pipe for its result."""
        return {
            "exitKind": self.exit_kind,
            "reason": self.reason[:4000],
            "failureText": self.text,
            "exitCode": self.exit_code,
        }


def from_os_error(error: OSError) -> AttemptFailure:
    """The failure that an error of the file system around a program means."""
    if error.errno in FULL:
        return AttemptFailure("disk-full", f"the disk is full: {error}")
    return AttemptFailure("store-unavailable", f"the object store cannot be used: {error}")


def readable_bytes(size: float) -> str:
    """Bytes as people write them, as `1.5 GiB`."""
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.3g} {unit}"
        size /= 1024
    raise AssertionError("unreachable")
