"""Keys of the objects of a run; ARCHITECTURE.md, "The data folder", has the layout."""

from __future__ import annotations


def plan(run: str) -> str:
    return f"runs/{run}/plan.json"


def attempt(run: str, index: int, number: int) -> str:
    return f"runs/{run}/attempts/{index}/{number}"


def claim(run: str, index: int) -> str:
    return f"runs/{run}/claims/{index}.json"


def orders(run: str, wave: int) -> str:
    return f"runs/{run}/waves/{wave}/orders"


def journal(run: str, wave: int, pack: int) -> str:
    return f"runs/{run}/waves/{wave}/pods/{pack}.json"
