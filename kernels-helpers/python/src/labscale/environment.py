"""What an interpreter has installed: run by its path with that interpreter, it prints JSON.

`{"python": "3.11.7", "packages": {"numpy": "2.4.6", ...}, "digest": "sha256:..."}`. Interpreters of one
digest are taken to give the same derivatives.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys

_FOLDER = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(?:-py[0-9.]+[^/]*)?\.(?:dist|egg)-info")


def installed_packages(path: list[str]) -> dict[str, str]:
    """Distributions on an import path, name to version; the first of a name is the one that is imported.

    Read from the names of the folders that installers leave: importlib.metadata opens a file for each.
    """
    found: dict[str, str] = {}
    for folder in path:
        try:
            names = sorted(os.listdir(folder or os.curdir))
        except OSError:
            continue
        for entry in names:
            match = _FOLDER.fullmatch(entry)
            if match:
                name = re.sub(r"[-_.]+", "-", match["name"]).lower()
                found.setdefault(name, match["version"])
    return dict(sorted(found.items()))


def describe_environment() -> dict[str, object]:
    """Python, packages, and the digest over both and the platform."""
    # The interpreter put this file's own folder first.
    own = os.path.dirname(os.path.abspath(__file__))
    packages = installed_packages([entry for entry in sys.path if os.path.abspath(entry or os.curdir) != own])
    python = ".".join(map(str, sys.version_info[:3]))
    lines = [f"{sys.implementation.name}=={python}", f"{sys.platform} {os.uname().machine}"]
    lines += [f"{name}=={version}" for name, version in packages.items()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return {"python": python, "packages": packages, "digest": f"sha256:{digest}"}


if __name__ == "__main__":
    print(json.dumps(describe_environment()))
