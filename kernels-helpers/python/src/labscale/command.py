"""The `labscale` command: the main job from a terminal or a script.

Exit codes: 0 done, 1 a problem (its code, detail and mend on standard error), 2 wrong usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Any

from labscale import __version__
from labscale.commands import (
    analyses,
    charts,
    datasets,
    derivatives,
    params,
    queries,
    runs,
    server,
    snippets,
    tasks,
)
from labscale.commands.answer import Answer
from labscale.errors import LabscaleError

THE_JOB = """\
from a folder to derivatives:
  labscale datasets register scans
  labscale snippets create scans --name cut
  labscale snippets notebook cut tune.ipynb
  labscale params save soft sigma=2.0 --analysis tune.ipynb --snippet cut
  labscale plan scans --set soft
  labscale run scans --set soft --watch
  labscale derivatives fetch latest results

The server is that of the project which the current folder is in, or that of LABSCALE_URL and LABSCALE_TOKEN.
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    options = _parser().parse_args(arguments)
    as_json = getattr(options, "json", False)
    try:
        answer: Answer = options.action(options)
        if as_json:
            print(json.dumps(answer.value, ensure_ascii=False))
        elif answer.text:
            print(answer.text)
        return answer.exit_code
    except LabscaleError as error:
        if as_json:
            print(json.dumps(error.as_problem(), ensure_ascii=False), file=sys.stderr)
        else:
            where = f" ({error.field})" if error.field else ""
            print(
                f"{error.code}{where}: {error.detail}", *filter(None, [error.mend]), sep="\n", file=sys.stderr
            )
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, as `head`, has seen enough; Python must not complain of it again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


class _Parser(argparse.ArgumentParser):
    """Says of each command what the list of commands says of it."""

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self.register("action", "parsers", _Commands)
        self._positionals.title = "arguments"

    def add_subparsers(self, **options: Any) -> Any:
        return super().add_subparsers(title="commands", required=True, **options)


class _Commands(argparse._SubParsersAction):
    def add_parser(self, name: str, **options: Any) -> Any:
        text = options["help"]
        return super().add_parser(name, description=f"{text[0].upper()}{text[1:]}.", **options)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="labscale",
        description="Tune on a snippet, run on every shard.",
        epilog=THE_JOB,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"labscale {__version__}")
    parser.add_argument("--json", action="store_true", help="print the answer as one line of JSON")
    nouns = parser.add_subparsers(metavar="COMMAND")
    # The flag may also stand at the end, where it must not undo the one before.
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    for module in (datasets, queries, snippets, analyses, params, runs, tasks, derivatives, charts, server):
        module.add(nouns, shared)
    return parser


if __name__ == "__main__":
    sys.exit(main())
