"""What a store answered, and what that means."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labscale.s3.errors import CredentialsRefused, ObjectMissing, StoreRefused

# The last four are answers of a store that is about to work again: full disks are cleared, locks are let go.
_RETRIED_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504, 507})
_RETRIED_CODES = frozenset(
    {"RequestTimeout", "ConditionalRequestConflict", "OperationAborted", "IncompleteBody"}
)
_CREDENTIAL_CODES = frozenset(
    {
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidTokenId",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "TokenRefreshRequired",
    }
)


@dataclass(frozen=True)
class Answer:
    """Status, headers by lower-case name, and the body where it is small."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def code(self) -> str:
        return text_of(self.body, "Code")

    def is_retried(self) -> bool:
        return self.status in _RETRIED_STATUS or self.code in _RETRIED_CODES

    def describe(self) -> str:
        return f"{self.status} {self.code}".strip()


def text_of(body: bytes, name: str) -> str:
    """The text of the first element of that name in a small XML document; empty where there is none."""
    found = re.search(rb"<%s>([^<]*)</%s>" % (name.encode(), name.encode()), body)
    return html.unescape(found[1].decode("utf-8", "replace")) if found else ""


def refusal(answer: Answer, what: str) -> Exception:
    """The error of an answer that is neither a success nor tried again."""
    code = answer.code
    if answer.status == 404 and code in ("", "NoSuchKey", "NoSuchVersion"):
        return ObjectMissing(f"{what}: there is no such object")
    if 300 <= answer.status < 400:
        region = answer.headers.get("x-amz-bucket-region")
        mend = f"; the bucket is in the region {region}" if region else ""
        return StoreRefused(
            f"{what}: the store points to another place, which is not followed{mend}", answer.status, code
        )
    if code == "RequestTimeTooSkewed":
        return CredentialsRefused(
            f"{what}: the clock of this machine and that of the store are too far apart", answer.status, code
        )
    if code in _CREDENTIAL_CODES:
        return CredentialsRefused(
            f"{what}: the store does not take the credentials ({answer.describe()})", answer.status, code
        )
    if code == "NoSuchBucket":
        return StoreRefused(f"{what}: the store has no such bucket", answer.status, code)
    return StoreRefused(f"{what}: the store refused it ({answer.describe()})", answer.status, code)
