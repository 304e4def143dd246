"""Where an object store is, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from labscale.s3.errors import StoreMisconfigured

# What AWS signs without encoding; everything else is encoded byte by byte.
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class StorePlace:
    """An endpoint and what is to be known to speak with it."""

    secure: bool
    host: str
    port: int
    bucket: str
    region: str
    path_style: bool
    ca_file: str | None

    def authority(self, bucket: str) -> str:
        """The `Host` of requests for a bucket."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if not self.path_style:
            host = f"{bucket}.{host}"
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    def path(self, bucket: str, key: str) -> str:
        """The path of an object, or of its bucket where `key` is empty, encoded as it is signed."""
        parts = [bucket] if self.path_style else []
        if key or not parts:
            parts.append(quote(key, safe="/" + _UNRESERVED))
        return "/" + "/".join(parts)

    def address(self, bucket: str) -> tuple[str, int]:
        """Host and port to connect to."""
        return (self.host if self.path_style else f"{bucket}.{self.host}", self.port)


def encoded_query(query: Mapping[str, str]) -> str:
    """As it is signed: sorted, each part encoded."""
    pairs = sorted(
        (quote(name, safe=_UNRESERVED), quote(value, safe=_UNRESERVED)) for name, value in query.items()
    )
    return "&".join(f"{name}={value}" for name, value in pairs)


def place_of(environment: Mapping[str, str]) -> StorePlace:
    """From LABSCALE_S3_ENDPOINT, _BUCKET, _REGION, _PATH_STYLE and _CA_FILE.

    Raises
    ------
    StoreMisconfigured
        Names the variable at fault.
    """
    endpoint = environment.get("LABSCALE_S3_ENDPOINT", "")
    wanted = "it must be http://HOST[:PORT] or https://HOST[:PORT]"
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError:
        raise StoreMisconfigured(f"LABSCALE_S3_ENDPOINT is {endpoint!r}; {wanted}") from None
    plain = parts.path in ("", "/") and not (parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        # An endpoint with a name and password in it is not repeated.
        shown = "not the address of a store" if "@" in endpoint else repr(endpoint)
        raise StoreMisconfigured(f"LABSCALE_S3_ENDPOINT is {shown}; {wanted}")
    bucket = environment.get("LABSCALE_S3_BUCKET", "")
    if not bucket or "/" in bucket:
        raise StoreMisconfigured(f"LABSCALE_S3_BUCKET is {bucket!r}; it must name a bucket")
    style = environment.get("LABSCALE_S3_PATH_STYLE") or "true"
    if style not in ("true", "false"):
        raise StoreMisconfigured(f"LABSCALE_S3_PATH_STYLE is {style!r}; it can be true or false")
    ca_file = environment.get("LABSCALE_S3_CA_FILE") or None
    if ca_file is not None and not os.path.isfile(ca_file):
        raise StoreMisconfigured(f"LABSCALE_S3_CA_FILE is {ca_file!r}; there is no such file")
    secure = parts.scheme == "https"
    return StorePlace(
        secure=secure,
        host=parts.hostname,
        port=port or (443 if secure else 80),
        bucket=bucket,
        region=environment.get("LABSCALE_S3_REGION") or "us-east-1",
        path_style=style == "true",
        ca_file=ca_file,
    )
