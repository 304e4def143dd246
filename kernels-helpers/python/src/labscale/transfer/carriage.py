"""Brings shards and publishes outputs, each in a thread of its own, for whatever runs the programs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from typing import Any

from labscale.failure import AttemptFailure
from labscale.s3.errors import StoreError
from labscale.s3.store import ObjectStore
from labscale.transfer import keys
from labscale.transfer.folder import Folder
from labscale.transfer.publication import Ended, forget_attempt, publish, put_log
from labscale.transfer.said import Said
from labscale.transfer.shelf import NoRoom, Shelf

ROOM_SECONDS = 1.0


class Carriage:
    """What the pod and the local runner have in common.

    Parameters
    ----------
    attempts
        The folder `runs/<run>/attempts` that the program's side writes to.
    """

    def __init__(self, store: ObjectStore, plan: dict[str, Any], shelf: Shelf, attempts: Folder) -> None:
        self.store = store
        self.plan = plan
        self._shelf = shelf
        self._attempts = attempts
        self._room = threading.Condition()
        self._held = 0

    def bring(
        self, order: dict[str, Any], is_wanted: Callable[[], bool] = lambda: True
    ) -> dict[str, Any] | None:
        """The order as the program's side takes it; None where it is not wanted any more.

        On a full disk it waits until something has gone that takes room.

        Raises
        ------
        AttemptFailure
        StoreError
        """
        while is_wanted():
            with self._room:
                held = self._held
            try:
                brought = self._shelf.fetch(order)
            except NoRoom as error:
                if held == 0:
                    raise AttemptFailure("disk-full", str(error)) from None
                with self._room:
                    self._room.wait_for(lambda before=held: self._held < before, ROOM_SECONDS)
                continue
            with self._room:
                self._held += 1
            return brought
        return None

    def publish(
        self,
        order: dict[str, Any],
        said: Said,
        started_at: str,
        started: float,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> dict[str, Any]:
        """Raises StoreError."""
        with contextlib.ExitStack() as opened:
            folder: Folder | None = None
            with contextlib.suppress(OSError):
                folder = opened.enter_context(self._attempts.folder(*_names(order)))
            ended = Ended(order, folder, said, started_at, started)
            return publish(self.store, self.plan, ended, is_wanted)

    def publish_log(self, order: dict[str, Any]) -> None:
        """Of an attempt that nobody will report; what fails is not worth more."""
        key = f"{keys.attempt(self.plan['runId'], order['index'], order['attempt'])}/log"
        with contextlib.suppress(OSError, StoreError), self._attempts.folder(*_names(order)) as folder:
            put_log(self.store, key, folder)

    def clear(self, order: dict[str, Any], brought: bool) -> None:
        """Remove what an attempt that has ended takes on the disk."""
        forget_attempt(self._attempts, order)
        if brought:
            self._shelf.release(order)
            with self._room:
                self._held -= 1
                self._room.notify_all()


def _names(order: dict[str, Any]) -> tuple[str, str]:
    return str(order["index"]), str(order["attempt"])
