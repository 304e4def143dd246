"""How long and how often something is tried again."""

from __future__ import annotations

import random
import threading
import time

FIRST_SECONDS = 0.1
LONGEST_SECONDS = 10.0


class Patience:
    """Bounded by `seconds` after the first failure of each operation, and by one end for all when cut."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._end = float("inf")
        self._cut = threading.Event()

    def cut(self, seconds: float) -> None:
        """From now on nothing is tried for longer than that, what waits now included."""
        self._end = time.monotonic() + seconds
        self._cut.set()

    def start(self) -> Tries:
        return Tries(self)

    def end_of(self, first_failure: float) -> float:
        return min(first_failure + self.seconds, self._end)

    def wait(self, seconds: float) -> None:
        if self._cut.is_set():
            time.sleep(min(seconds, 0.5))
        else:
            self._cut.wait(seconds)


class Tries:
    """Those of one operation."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._first_failure: float | None = None
        self._pause = FIRST_SECONDS

    def may_go_on(self) -> bool:
        """After a failure: waits and says True, or False where the patience is at its end."""
        now = time.monotonic()
        if self._first_failure is None:
            self._first_failure = now
        left = self._patience.end_of(self._first_failure) - now
        if left <= 0:
            return False
        # Spread out, so that a thousand pods do not come back to a store in the same instant.
        self._patience.wait(min(left, self._pause * random.uniform(0.5, 1.0)))
        self._pause = min(self._pause * 2, LONGEST_SECONDS)
        return True
