"""Tune on a snippet, run on every shard.

The same notebook runs unchanged in tuning and in a run::

    import labscale

    sigma = 2.0                       # in the cell tagged `parameters`
    shard = labscale.shard()          # tuning: a shard of the snippet; in a run: the task's shard
    out = labscale.output()           # tuning: a scratch folder; in a run: what gets published
    labscale.metric(snr=12.3)         # kept with the parameter set, or with the task
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labscale.errors import LabscaleError, RefusedError, ServerAwayError

if TYPE_CHECKING:
    from labscale.parameters import Parameters
    from labscale.shards import Shard, Snippet

__version__ = "0.1.0"
__all__ = [
    "LabscaleError",
    "RefusedError",
    "ServerAwayError",
    "load_ipython_extension",
    "load_parameters",
    "metric",
    "output",
    "progress",
    "save_parameters",
    "shard",
    "snippet",
]


def shard(which: int | str = 0) -> Shard:
    """The shard to work on.

    Parameters
    ----------
    which
        While tuning: the place of a shard in the snippet, or its key. In a run there is one, the task's.

    Returns
    -------
    Shard
        With `key`, `entities`, `metadata`, `files`, `path()` and `open()`.

    Raises
    ------
    LabscaleError
        While tuning: where there is no snippet or no such shard in it, or the server is away.
    """
    from labscale.shards import in_run, shard_of_task

    if in_run():
        return shard_of_task()
    from labscale import tuning

    tuning.count_shard()
    shards = tuning.current_snippet()
    found = (
        [item for item in shards if item.key == which]
        if isinstance(which, str)
        else shards[which : which + 1 or None]
    )
    if not found:
        raise LabscaleError(
            f"The snippet {shards.name} has no shard {which!r}; it has {len(shards)}.", code="NOT_FOUND"
        )
    return found[0]


def snippet(id: str | None = None) -> Snippet:
    """The shards that the notebook is tuned on, as a list; in a run, a list of the task's shard alone.

    Parameters
    ----------
    id
        Of a snippet, which then is this kernel's; left out: the one named before, that the notebook was
        opened on, or the newest.

    Raises
    ------
    LabscaleError
        Where there is none, or the server is away.
    """
    from labscale.shards import Snippet, in_run, shard_of_task

    if in_run():
        return Snippet([shard_of_task()])
    from labscale import tuning

    return tuning.current_snippet(id)


def output() -> Path:
    """The folder to write to: published in a run, a scratch folder of the project while tuning."""
    if "LABSCALE_OUTPUT" in os.environ:
        return Path(os.environ["LABSCALE_OUTPUT"])
    from labscale import tuning

    return tuning.scratch_folder()


def metric(values: Mapping[str, Any] | None = None, /, **named: Any) -> None:
    """Keep metrics of the shard: with the task in a run, for the parameter set while tuning.

    Parameters
    ----------
    values, named
        Finite numbers by name; numpy's become plain ones.

    Raises
    ------
    LabscaleError
        For what is no finite number.
    """
    from labscale.report import keep_metrics

    keep_metrics({**(values or {}), **named})


def progress(fraction: float) -> None:
    """Say how far the work on the shard is, from 0 to 1; shown with the task of a run."""
    from labscale.report import keep_progress

    keep_progress(fraction)


def save_parameters(
    name: str,
    values: Mapping[str, Any] | None = None,
    *,
    note: str = "",
    tags: Iterable[str] = (),
) -> Parameters | None:
    """Save the values of the `parameters` cell, as they are now, as a parameter set.

    A set of that name gets a new version. In a run nothing is saved and None is returned.

    Parameters
    ----------
    values
        Instead of those that the kernel has; names of the tagged cell.

    Raises
    ------
    LabscaleError
        Where the notebook or a value cannot be kept, or the server is away.
    """
    from labscale.parameters import save

    return save(name, values, note=note, tags=tags)


def load_parameters(which: str | None = None) -> Parameters:
    """Values of a parameter set, as a mapping and as attributes; in a run, those of the task.

    Parameters
    ----------
    which
        Name or id of a set, or id of a version of one. May be left out in a run.

    Raises
    ------
    LabscaleError
        Where there is no such set, or the server is away.
    """
    from labscale.parameters import load

    return load(which)


def load_ipython_extension(ipython: Any) -> None:
    """`%load_ext labscale` gives `%labscale status|shards|runs|save NAME|load NAME`."""
    from labscale.magic import register

    register(ipython)
