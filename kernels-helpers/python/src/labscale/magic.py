"""`%labscale`: the few things that a notebook wants to ask in one line."""

from __future__ import annotations

import shlex
import sys
from typing import Any

from labscale.errors import LabscaleError

USAGE = "%labscale status | shards | runs | save NAME | load NAME"


def register(ipython: Any) -> None:
    ipython.register_magic_function(lambda line: _run(ipython, line), "line", "labscale")


def _run(ipython: Any, line: str) -> None:
    words = shlex.split(line)
    action, arguments = (words[0], words[1:]) if words else ("", [])
    actions = {
        "status": (_status, 0),
        "shards": (_shards, 0),
        "runs": (_runs, 0),
        "save": (_save, 1),
        "load": (_load, 1),
    }
    if action not in actions or len(arguments) != actions[action][1]:
        print(f"Use: {USAGE}", file=sys.stderr)
        return
    try:
        actions[action][0](ipython, *arguments)
    except LabscaleError as error:
        # The traceback of a magic tells a user nothing that the message does not.
        print(error, file=sys.stderr)


def _status(ipython: Any) -> None:
    from labscale import tuning
    from labscale.client import call

    server = call("getServer", answer_seconds=5)
    print(f"labscale {server['version']} as {server['user']}, {server['cpus']} CPUs")
    print(f"project: {server['projectFolder']}")
    snippet = tuning.known_snippet()
    print(f"snippet: {snippet.name} ({snippet.id})" if snippet is not None else "snippet: none opened yet")
    for name, value in tuning.metrics.items():
        print(f"{name}: {value:g}")


def _shards(ipython: Any) -> None:
    from labscale import snippet

    for at, shard in enumerate(snippet()):
        print(f"{at}  {shard.key}  {', '.join(f'{name}={label}' for name, label in shard.entities.items())}")


def _runs(ipython: Any) -> None:
    from labscale.client import call

    for run in call("listRuns", query={"limit": 10}, answer_seconds=5)["items"]:
        print(f"{run['id']}  {run['state']}  {run['name']}: {run['headline']}")


def _save(ipython: Any, name: str) -> None:
    from labscale import save_parameters

    saved = save_parameters(name)
    if saved is not None:
        print(f"saved {saved!r}")


def _load(ipython: Any, name: str) -> None:
    from labscale import load_parameters

    loaded = load_parameters(name)
    ipython.push(dict(loaded))
    print(f"set {', '.join(f'{name} = {value!r}' for name, value in loaded.items())}")
