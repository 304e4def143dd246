from __future__ import annotations

from pathlib import Path

import pytest

from labscale.memory_kills import count_memory_kills


@pytest.mark.parametrize(
    ("groups", "file", "content"),
    [
        (
            "0::/user.slice/a b\n",
            "user.slice/a b/memory.events",
            "oom 1\noom_kill 3\noom_group_kill 0\n",
        ),
        ("0::/\n", "memory.events", "oom 1\noom_kill 3\n"),
        (
            "9:cpu:/x\n8:memory:/pod\n0::/\n",
            "memory/pod/memory.oom_control",
            "under_oom 0\noom_kill 3\n",
        ),
        ("8:memory:/pod\n", "memory/memory.oom_control", "oom_kill_disable 0\noom_kill 3\n"),
    ],
)
def test_the_kernels_count_is_found_in_both_versions_and_in_a_container(
    tmp_path: Path, groups: str, file: str, content: str
) -> None:
    own = tmp_path / "cgroup"
    own.write_text(groups)
    counts = tmp_path / "mount" / file
    counts.parent.mkdir(parents=True)
    counts.write_text(content)
    assert count_memory_kills(str(own), str(tmp_path / "mount")) == 3


def test_a_machine_that_does_not_count_has_none(tmp_path: Path) -> None:
    assert count_memory_kills(str(tmp_path / "cgroup"), str(tmp_path)) == 0
