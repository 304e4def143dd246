"""`python3 -m labscale.transfer`, or by its path with an interpreter that knows nothing of labscale."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def _find_package() -> None:
    """Make `import labscale` give the package that this file lies in, and nothing else of its folders."""
    if "labscale" in sys.modules:
        return
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != FOLDER]
    above = os.path.dirname(FOLDER)
    spec = importlib.util.spec_from_file_location(
        "labscale", os.path.join(above, "__init__.py"), submodule_search_locations=[above]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["labscale"] = module
    spec.loader.exec_module(module)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="labscale transfer", description="Carries shards and outputs for programs without credentials."
    )
    modes = parser.add_subparsers(dest="mode", required=True)
    pod = modes.add_parser("pod", help="a pack of tasks, configured by the environment")
    pod.add_argument("--root", default="/labscale", help="the folder that the containers share")
    bring = modes.add_parser("bring", help="what the other container needs")
    bring.add_argument("root")
    local = modes.add_parser("local", help="in the place of a worker of this machine")
    for name in ("data", "run", "worker"):
        local.add_argument(f"--{name}", required=True)
    local.add_argument("--slots", type=int, required=True)
    local.add_argument("--jupyter-python")
    options = parser.parse_args()
    if options.mode == "pod":
        from labscale.transfer.pod import main as pod_main

        return pod_main(options.root, os.environ)
    if options.mode == "bring":
        from labscale.transfer.bring import bring as bring_main

        return bring_main(options.root, os.environ.get("LABSCALE_KIND", "worker"))
    from labscale.transfer.local import main as local_main

    return local_main(options, os.environ)


if __name__ == "__main__":
    _find_package()
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Threads that wait for a store that is away are not waited for.
    os._exit(code)
