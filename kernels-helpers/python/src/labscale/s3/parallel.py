"""The same thing done for many at once, by a few threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


def in_parallel(do: Callable[[T], object], items: Iterable[T], threads: int) -> None:
    """Call `do` for each of `items`, which are drawn one by one; the first error ends it and is raised.

    No more than `threads` items are held at once.
    """
    if isinstance(items, list) and len(items) < 2:
        for item in items:
            do(item)
        return
    waiting = iter(items)
    lock = threading.Lock()
    errors: list[BaseException] = []

    def work() -> None:
        while not errors:
            try:
                with lock:
                    item = next(waiting)
                do(item)
                del item
            except StopIteration:
                return
            except BaseException as error:
                errors.append(error)

    crew = [threading.Thread(target=work, daemon=True) for _ in range(threads - 1)]
    for thread in crew:
        thread.start()
    work()
    for thread in crew:
        thread.join()
    if errors:
        raise errors[0]
