"""The kernels that Jupyter would offer: run by its path with Jupyter's interpreter, it prints JSON.

`{"python3": {"displayName": ..., "language": ..., "interpreter": "/abs/python" or null, "argv": [...]}}`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys


def describe_kernelspecs() -> dict[str, dict[str, object]]:
    """Every kernelspec by name; `interpreter` is that of a Python kernel, null for others.

    Raises
    ------
    ImportError
        Where this interpreter has no jupyter_client.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    described: dict[str, dict[str, object]] = {}
    for name, entry in sorted(KernelSpecManager().get_all_specs().items()):
        spec = entry["spec"]
        described[name] = {
            "displayName": spec.get("display_name", name),
            "language": spec.get("language", ""),
            "interpreter": _interpreter(spec.get("language", ""), spec.get("argv", [])),
            "argv": spec.get("argv", []),
        }
    return described


def _interpreter(language: str, argv: list[str]) -> str | None:
    if language.lower() != "python" or not argv:
        return None
    program = argv[0]
    major = ".".join(map(str, sys.version_info[:1]))
    minor = ".".join(map(str, sys.version_info[:2]))
    # jupyter_client starts these names as the interpreter that it runs in itself.
    if program in ("python", f"python{major}", f"python{minor}"):
        return os.path.abspath(sys.executable)
    found = shutil.which(program)
    if found is None or not os.path.basename(found).startswith("python"):
        return None
    return os.path.abspath(found)


if __name__ == "__main__":
    # Modules beside this file must not be taken for others of the same name.
    sys.path[:] = [
        entry for entry in sys.path if os.path.abspath(entry) != os.path.dirname(os.path.abspath(__file__))
    ]
    try:
        print(json.dumps(describe_kernelspecs()))
    except ImportError as error:
        print(f"{sys.executable} cannot list kernels: {error}", file=sys.stderr)
        sys.exit(1)
