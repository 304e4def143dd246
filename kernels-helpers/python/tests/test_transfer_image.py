"""Images that are run untouched: busybox and a script beside the transfer, with a real MinIO.

Where a pod has mounts at /in, /out and /params.json, these programs are told the folders behind them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from objectstore import Minio
from podbench import SCRIPT, Wave, wait_for

from labscale.claim import now

pytestmark = pytest.mark.skipif(shutil.which("busybox") is None, reason="there is no busybox on this machine")


@pytest.fixture
def wave(minio: Minio, tmp_path: Path) -> Iterator[Wave]:
    opened = Wave(minio, tmp_path)
    yield opened
    opened.close()


def _image(tmp_path: Path, script: str, *more: str) -> list[str]:
    """A program with the folders of the first pod as $IN, $OUT and $PARAMS."""
    task = tmp_path / "pod-0" / "task"
    return ["sh", "-c", f"IN={task}/in OUT={task}/out PARAMS={task}/params.json; {script}", "image", *more]


def test_each_task_finds_its_own_and_leaves_its_own(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container(
        {"sigma": 2, "text": "$(reboot)\n'\"{{}}"}, parameters=[{"name": "sigma", "type": "number"}]
    )
    orders = [wave.order(index) for index in range(3)]
    orders[1]["shard"]["objects"][0]["path"] = "sub-01/anat/a b.txt"
    wave.submit([orders])
    arguments = ["two words", "$(touch /nowhere)", "line\nfeed", "'\"`\\", "", "$HOME", "*"]
    script = (
        'mkdir -p "$OUT/deep"; find "$IN" -type f -exec cat "{}" + > "$OUT/deep/copy";'
        'cat "$PARAMS" > "$OUT/params";'
        'printf "%s\\0" "$@" > "$OUT/arguments"; ls "$OUT" | wc -l; echo "$$" > "$OUT/pid"'
    )
    pod = wave.pod(image=_image(tmp_path, script, *arguments))
    assert pod.wait() == 0, pod.log.read_text()
    assert pod.program is not None and pod.program.returncode == 0
    pids = set()
    for index in range(3):
        outputs = wave.check_outputs(index)
        assert outputs["deep/copy"] == b"shard %d" % index
        assert json.loads(outputs["params"]) == {"sigma": 2.0, "text": "$(reboot)\n'\"{{}}"}
        assert outputs["params"].startswith(b'{"sigma": 2.0')
        assert outputs["arguments"].decode().split("\0")[:-1] == arguments
        assert wave.log(index).strip() == "3"
        pids.add(outputs["pid"])
        claim = wave.claim(index)
        assert claim["exitCode"] == 0 and claim["durationSeconds"] > 0 and claim["metrics"] == {}
    assert len(pids) == 3


@pytest.mark.parametrize(
    ("script", "kind", "reason"),
    [
        ("echo last words; exit 3", "exit-code", "the program ended with exit code 3"),
        ("exec /no/such/program", "exit-code", "the program cannot be started (exit code 127)"),
        ("kill -SEGV $$", "signal", "the program was ended by SIGSEGV"),
        ("true", "output-missing", "the program wrote nothing to its output folder"),
        ('echo x > "$IN/elsewhere"', "output-missing", "the program wrote nothing to its output folder"),
        ('ln -s /etc/passwd "$OUT/x"', "output-unusable", "the output x is a symbolic link"),
        ('mkfifo "$OUT/x"', "output-unusable", "the output x is not a regular file"),
        ("sleep 60", "time-limit", "still running at the time limit of 2 s"),
        ("echo No space left on device; exit 1", "disk-full", "the disk is full"),
    ],
)
def test_ends_are_told_in_plain_words(
    wave: Wave, tmp_path: Path, script: str, kind: str, reason: str
) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0, timeLimitSeconds=2)]])
    pod = wave.pod(image=_image(tmp_path, script))
    assert pod.wait() == 65, pod.log.read_text()
    report = wave.report(0)
    assert report["exitKind"] == kind and reason in report["reason"]
    assert wave.claims() == []
    if "last words" in script:
        assert report["failureText"] == wave.log(0) == "last words\n"


def test_what_an_image_takes_to_come_is_no_time_of_a_task(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    pulled = tmp_path / "pulled"
    pod = wave.pod(image=_image(tmp_path, 'echo x > "$OUT/r"'), after=pulled)
    wait_for(lambda: any(path.is_file() for path in (pod.root / "shards").rglob("*")))
    before = now()
    pulled.touch()
    assert pod.wait() == 0, pod.log.read_text()
    assert wave.claim(0)["startedAt"] >= before


def test_the_programs_are_those_of_the_image(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    # The name of one of busybox's own commands.
    pod = wave.pod(image=["readlink", "/proc/self/exe"])
    assert pod.wait() == 65
    real = shutil.which("readlink")
    assert real is not None and wave.log(0).strip() == os.path.realpath(real)
    wave.submit([[wave.order(1)]], wave=2)
    assert wave.pod(image=["no-such-program"], number_of_wave=2).wait() == 65
    assert wave.report(1)["reason"] == "the program cannot be started (exit code 127)"


def test_a_flood_of_output_is_kept_as_its_head_and_tail(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    script = 'echo first; yes | head -c 30000000; echo last; echo x > "$OUT/r"'
    assert wave.pod(image=_image(tmp_path, script)).wait() == 0
    log = wave.log(0)
    assert log.startswith("first\n") and log.endswith("last\n")
    assert "bytes of this log are left out here" in log and len(log) <= 16 * 1024**2


def test_a_container_that_dies_is_noticed(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    pod = wave.pod(image=_image(tmp_path, "echo on it; sleep 60"))
    log = pod.root / "objects" / "runs" / wave.run / "attempts" / "0" / "1" / "log"
    wait_for(lambda: log.exists() and log.read_text() == "on it\n")
    assert pod.program is not None
    os.killpg(pod.program.pid, signal.SIGKILL)
    assert pod.wait() == 75
    assert wave.journal()["detail"] == (
        "the container of the program has gone while task 0 was running: its program ended"
    )
    assert wave.log(0) == "on it\n"


def test_a_container_ends_when_nobody_is_left_to_publish(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    pod = wave.pod(image=_image(tmp_path, 'echo x > "$OUT/r"; sleep 1'))
    wait_for(lambda: (pod.root / "task" / "out" / "r").exists())
    pod.transfer.kill()
    assert pod.program is not None and pod.program.wait(20) == 75


def test_the_end_of_the_pod_ends_the_program(wave: Wave, tmp_path: Path) -> None:
    wave.plan_container()
    wave.submit([[wave.order(0)]])
    pod = wave.pod(image=_image(tmp_path, 'echo on it; echo x > "$OUT/r"; exec sleep 61'))
    wait_for(lambda: (pod.root / "task" / "out" / "r").exists())
    assert pod.program is not None
    for process in (pod.program, pod.transfer):
        process.terminate()
    assert pod.wait() == 75 and pod.program.returncode == 143
    assert wave.report(0)["exitKind"] == "stopped" and wave.log(0) == "on it\n"


def test_nothing_of_a_task_outlives_it_in_a_container(tmp_path: Path) -> None:
    """The script as the first process of its own space, as in a container: it sees nothing of the machine."""
    space = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if subprocess.run([*space, "true"], capture_output=True).returncode != 0:
        pytest.skip("this user may not make a space of processes")
    (tmp_path / "task").mkdir()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SCRIPT.parents[2]),
        "LABSCALE_KIND": "container",
    }
    subprocess.run(
        [sys.executable, "-m", "labscale.transfer", "bring", str(tmp_path)], env=environment, check=True
    )
    shell = tmp_path / "bin" / "busybox"
    program = [
        "sh",
        "-c",
        f"sleep 1000 & sleep 0.2; ls -l /proc/[0-9]*/exe | grep -c sleep > {tmp_path}/seen",
    ]
    environment |= {"LABSCALE_ROOT": str(tmp_path), "LABSCALE_BUSYBOX": str(shell)}
    script = subprocess.Popen(
        [*space, shell, "sh", tmp_path / "bin" / "run-tasks", *program], env=environment
    )
    seen = []
    with (
        open(os.open(tmp_path / "turn" / "orders", os.O_RDWR), "w") as orders,
        open(tmp_path / "turn" / "log", "r+b", buffering=0),
    ):
        orders.write("hello\n")
        for number in range(1, 4):
            orders.write(f"{number} 60\n")
            orders.flush()
            wait_for(lambda of=number: _result(tmp_path).startswith(f"{of} 0 "))
            seen.append(int((tmp_path / "seen").read_text()))
        orders.write("finish\n")
        orders.flush()
        assert script.wait(10) == 0
    # What the tasks before left would be counted.
    assert seen == [1, 1, 1]


def _result(root: Path) -> str:
    file = root / "turn" / "result"
    return file.read_text() if file.exists() else ""
