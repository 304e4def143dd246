"""AWS Signature Version 4 for S3, in the headers of a request."""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import lru_cache

from labscale.s3.credentials import Credentials
from labscale.s3.place import encoded_query

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


def signed_headers(
    method: str,
    path: str,
    query: dict[str, str],
    headers: dict[str, str],
    body_sha256: str,
    credentials: Credentials,
    region: str,
    at: float | None = None,
) -> dict[str, str]:
    """`headers`, which must have `host`, with all that signs them.

    Parameters
    ----------
    path
        Already encoded.
    body_sha256
        In hex; the store compares it with what arrives.
    at
        Seconds since 1970; now where left out.
    """
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(at))
    day = moment[:8]
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    signed["x-amz-date"] = moment
    signed["x-amz-content-sha256"] = body_sha256
    if credentials.session_token:
        signed["x-amz-security-token"] = credentials.session_token
    names = sorted(signed)
    listed = ";".join(names)
    canonical = "\n".join(
        [
            method,
            path,
            encoded_query(query),
            *(f"{name}:{signed[name]}" for name in names),
            "",
            listed,
            body_sha256,
        ]
    )
    scope = f"{day}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    signature = _hmac(_signing_key(credentials.secret_key, day, region), text).hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, "
        f"SignedHeaders={listed}, Signature={signature}"
    )
    return signed


@lru_cache(maxsize=4)
def _signing_key(secret: str, day: str, region: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _hmac(key, part)
    return key


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
