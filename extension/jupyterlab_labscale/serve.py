"""Runs the labscale server of a project folder in the foreground, without Jupyter.

`python -m jupyterlab_labscale.serve [--project FOLDER]`
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from .programs import ServerUnavailable, find_node, server_command, server_environment


def main(arguments: list[str] | None = None) -> int:
    """Start the server in the place of this process; it ends with Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m jupyterlab_labscale.serve", description=__doc__)
    parser.add_argument("--project", default=".", help="the project folder (default: the current one)")
    project = Path(parser.parse_args(arguments).project).expanduser().resolve()
    if not project.is_dir():
        print(
            f"{project} is not a folder; name an existing one with --project",
            file=sys.stderr,
        )
        return 1
    try:
        command = server_command(find_node())
        environment = server_environment(project)
    except ServerUnavailable as problem:
        print(f"{problem} {problem.mend}", file=sys.stderr)
        return 1
    if sys.platform == "win32":
        return subprocess.call(command, env=environment)
    os.execve(command[0], command, environment)


if __name__ == "__main__":
    sys.exit(main())
