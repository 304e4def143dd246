"""The worker: a process per run that imports once and forks for each shard; here it begins and ends.

Started by its path with the interpreter of the analysis, which may know nothing of labscale; the protocol is
in ARCHITECTURE.md, "The worker protocol".
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import signal
import sys

FOLDER = os.path.dirname(os.path.abspath(__file__))


def _find_package() -> None:
    """Make `import labscale` give this package, and nothing else of the folder that it lies in.

    The interpreter put this file's folder first on the path, where `import log` would find ours; and the
    folder above may be the site-packages of another interpreter.
    """
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or os.curdir) != FOLDER]
    if "labscale" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "labscale", os.path.join(FOLDER, "__init__.py"), submodule_search_locations=[FOLDER]
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["labscale"] = module
    spec.loader.exec_module(module)


_find_package()

from labscale import identity, processes  # noqa: E402
from labscale.channel import connect  # noqa: E402
from labscale.dispatcher import Dispatcher  # noqa: E402
from labscale.places import Places  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="labscale worker", description="Runs the tasks of one run; started by the server."
    )
    for name in ("data", "objects", "run", "worker"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--slots", type=int, required=True)
    parser.add_argument("--jupyter-python")
    parser.add_argument("--channel", help="a socket instead of standard input and output")
    options = parser.parse_args()
    own = os.path.join(os.path.abspath(options.data), "scratch", options.run, f"worker-{options.worker}")
    places = Places(
        os.path.abspath(options.data), os.path.abspath(options.objects), os.path.join(own, "helpers")
    )
    # What is at the other end of the channel puts the plan in its place before it listens.
    channel = connect(options.channel) if options.channel else None
    try:
        with open(os.path.join(places.objects, "runs", options.run, "plan.json"), encoding="utf-8") as file:
            plan = json.load(file)
    except (OSError, ValueError) as error:
        print(f"the plan of the run cannot be read: {error}", file=sys.stderr)
        return 1
    # Nothing that is imported or run here may read the protocol's input or write to its output.
    input, output = (os.dup(0), os.dup(1)) if channel is None else (channel, os.dup(channel))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    processes.adopt_orphans()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    options.ipython = os.path.join(own, "ipython")
    record = os.path.join(places.data, "workers", f"{options.worker}.json")
    dispatcher = Dispatcher(places, plan, options, input, output)

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        dispatcher.end_slots()
        identity.forget(record, own)
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    identity.introduce(record, options.run)
    shutil.rmtree(own, ignore_errors=True)
    os.makedirs(places.helpers)
    os.symlink(FOLDER, os.path.join(places.helpers, "labscale"))
    try:
        dispatcher.serve()
    finally:
        identity.forget(record, own)
    sys.stderr.flush()
    # What the notebook imported may leave threads or handlers that would keep an ordinary exit waiting.
    os._exit(dispatcher.exit_code)


if __name__ == "__main__":
    sys.exit(main())
