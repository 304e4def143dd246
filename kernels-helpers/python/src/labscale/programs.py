"""The three ways to run an analysis on a shard: warm notebook, kernel of its own, command."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from labscale.commandline import expand
from labscale.contract import defaults
from labscale.document import read_notebook
from labscale.failure import AttemptFailure
from labscale.warm import limit_threads


@dataclass(frozen=True)
class ProgramTask:
    """What the fork of a slot runs: `run` returns, raises AttemptFailure, or replaces the process."""

    run: Callable[[int], None]
    speaks: bool
    """Whether the program says itself how it ended; one that should and does not has died."""


class Program(Protocol):
    def task(
        self,
        *,
        values: dict[str, Any],
        order: dict[str, Any],
        environment: dict[str, str],
        input: str,
        output: str,
        work: str,
        scratch: str,
        helpers: str,
        report: str,
    ) -> ProgramTask: ...


class WarmNotebook:
    """A notebook in a fork of this process, which has imported what the notebook imports."""

    def __init__(self, notebook: dict[str, Any], shell: Any) -> None:
        self._notebook = notebook
        self._shell = shell

    def task(
        self, *, values, order, environment, input, output, work, scratch, helpers, report
    ) -> ProgramTask:
        from labscale.notebook import run_notebook

        limit_threads(order["resources"]["cpus"], environment)

        environment = _with_helpers(environment, helpers)

        def run(_: int) -> None:
            os.environ.clear()
            os.environ.update(environment)
            run_notebook(self._shell, self._notebook, values, output, report, work)

        return ProgramTask(run=run, speaks=True)


class FreshNotebook:
    """A notebook in a kernel of its own, started by nbclient in Jupyter's interpreter."""

    def __init__(self, notebook_path: str, kernel: dict[str, Any], jupyter_python: str) -> None:
        self._notebook_path = notebook_path
        self._kernel = kernel
        self._jupyter_python = jupyter_python

    def task(
        self, *, values, order, environment, input, output, work, scratch, helpers, report
    ) -> ProgramTask:
        limit_threads(order["resources"]["cpus"], environment)
        environment = _with_helpers(environment, helpers)
        # Connection files and histories of the kernel go with the attempt.
        environment["JUPYTER_RUNTIME_DIR"] = os.path.join(scratch, "runtime")
        environment["IPYTHONDIR"] = os.path.join(scratch, "ipython")
        settings = {
            "notebook": self._notebook_path,
            "kernel": self._kernel,
            "values": values,
            "output": output,
            "work": work,
            "report": report,
        }
        settings_path = os.path.join(scratch, "fresh.json")
        with open(settings_path, "w", encoding="utf-8") as file:
            json.dump(settings, file)
        # The first entry of the path would be the folder of the program; a file `json.py` there must not
        # be taken for json.
        code = "import sys; sys.path.pop(0); sys.path.append(sys.argv.pop(1)); import labscale.fresh as fresh"
        code += "; fresh.main()"
        return _exec([self._jupyter_python, "-c", code, helpers, settings_path], environment, speaks=True)


class Command:
    """Any program, by its argument list."""

    def __init__(self, command: list[str], contract: dict[str, Any]) -> None:
        self._command = command
        self._defaults = defaults(contract.get("parameters", []))

    def task(
        self, *, values, order, environment, input, output, work, scratch, helpers, report
    ) -> ProgramTask:
        limit_threads(order["resources"]["cpus"], environment)
        shard = order["shard"]
        own = {
            # One file is what a program for files wants to be given; several have their folder.
            "input": os.path.join(input, shard["objects"][0]["path"])
            if len(shard["objects"]) == 1
            else input,
            "output": output,
            "shard": shard["key"],
        }
        arguments = expand(self._command, {**self._defaults, **values}, own)
        return _exec(arguments, _with_helpers(environment, helpers), speaks=False)


def _with_helpers(environment: dict[str, str], helpers: str) -> dict[str, str]:
    others = environment.get("PYTHONPATH")
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, [others, helpers]))}


def _exec(arguments: list[str], environment: dict[str, str], speaks: bool) -> ProgramTask:
    if speaks:
        path = environment.get("PATH")
    else:
        # `python` in a command means the interpreter of the run, not whatever the server was started with.
        path = os.pathsep.join(filter(None, [os.path.dirname(sys.executable), environment.get("PATH")]))
    environment = {**environment, "PATH": path or os.defpath}

    def run(result: int) -> None:
        if speaks:
            os.set_inheritable(result, True)
            environment["LABSCALE_RESULT_FD"] = str(result)
        try:
            os.execvpe(arguments[0], arguments, environment)
        except FileNotFoundError:
            raise AttemptFailure(
                "exit-code", f"the program {arguments[0]} was not found", None, 127
            ) from None
        except PermissionError:
            raise AttemptFailure(
                "exit-code", f"the program {arguments[0]} may not be executed", None, 126
            ) from None
        except OSError as error:
            raise AttemptFailure(
                "exit-code", f"{arguments[0]} cannot be started: {error}", None, 126
            ) from None

    return ProgramTask(run=run, speaks=speaks)


def choose_program(
    plan: dict[str, Any], objects: str, jupyter_python: str | None, cpus: int, ipython: str
) -> Program:
    """The program of a plan, with all that can be paid once paid.

    Raises
    ------
    AttemptFailure
        `kernel-missing` where this interpreter cannot run the notebook.
    """
    analysis = plan["analysis"]
    if analysis["kind"] == "command":
        return Command(analysis["command"], analysis["contract"])
    path = os.path.join(objects, analysis["notebook"])
    kernel = analysis.get("kernel") or {"name": "python3", "language": "python"}
    if not plan.get("warm", False) or kernel["language"].lower() != "python":
        return FreshNotebook(path, kernel, jupyter_python or sys.executable)
    from labscale import warm

    limit_threads(cpus, os.environ)
    try:
        from labscale.shell import make_shell
    except ImportError as error:
        raise AttemptFailure(
            "kernel-missing",
            f"the interpreter {sys.executable} of the kernel {kernel['name']} cannot run notebooks: {error}; "
            "install ipykernel in it",
        ) from error
    shell = make_shell(ipython)
    notebook = read_notebook(path)
    bundled = [(item["path"], os.path.join(objects, item["key"])) for item in analysis.get("files", [])]
    own = frozenset(name.partition("/")[0].removesuffix(".py") for name, _ in bundled)
    sources = list(warm.notebook_sources(notebook.get("cells", []), shell.transform_cell))
    for name, file in bundled:
        if name.endswith(".py"):
            with open(file, encoding="utf-8", errors="replace") as text:
                sources.append(text.read())
    # The notebook's own modules are imported anew for each shard: they may look at the shard's environment.
    warm.import_all(
        warm.imported_modules(sources, own), os.path.join(os.path.dirname(ipython), "..", "warming")
    )
    if threading.active_count() > 1:
        # A fork has one thread only; whatever waits for another would wait for ever.
        print("an import has started a thread: each shard gets a kernel of its own", file=sys.stderr)
        return FreshNotebook(path, kernel, jupyter_python or sys.executable)
    warm.settle(shell)
    return WarmNotebook(notebook, shell)
