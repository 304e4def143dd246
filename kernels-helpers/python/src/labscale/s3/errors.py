"""What can go wrong with an object store, by what is to be done about it."""

from __future__ import annotations


class StoreError(Exception):
    """Any of those below; the text is in plain words and names no secret."""


class StoreMisconfigured(StoreError):
    """A variable of the configuration is wrong; the text names it."""


class StoreAway(StoreError):
    """Not to be reached, or not able to answer, for longer than the patience."""


class StoreRefused(StoreError):
    """It answered no, and would again."""

    def __init__(self, text: str, status: int, code: str) -> None:
        super().__init__(text)
        self.status = status
        self.code = code


class CredentialsRefused(StoreRefused):
    """It does not take the credentials: revoked, expired, wrong, or signed by a clock that is off."""


class ObjectMissing(StoreError):
    """There is no such object."""


class ObjectChanged(StoreError):
    """The object, or the file that is uploaded, is not the one that it was a moment ago."""
