"""Starting, adopting, restarting and stopping the labscale server of a folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Jupyter, is_alive, until
from jupyterlab_labscale.connection import is_labscale_server, read_connection


def server_pid(jupyter: Jupyter) -> int:
    """Use the API, and give the pid of the server behind it."""
    answer = jupyter.session().get(f"{jupyter.api}/server", timeout=60)
    assert answer.ok, answer.text
    return int(jupyter.connection()["pid"])


def test_a_folder_without_labscale_is_left_alone(start: Callable[..., Jupyter], project: Path) -> None:
    jupyter = start()
    jupyter.session().get(f"{jupyter.url}/api/contents", timeout=30)
    jupyter.stop()
    assert not (project / ".labscale").exists()


def test_the_server_is_stopped_with_jupyter(start: Callable[..., Jupyter], project: Path) -> None:
    jupyter = start()
    pid = server_pid(jupyter)
    assert is_alive(pid)
    jupyter.stop()
    until(lambda: not is_alive(pid))
    assert not (project / ".labscale" / "server.json").exists()


def test_a_folder_with_labscale_gets_its_server_without_being_asked(
    start: Callable[..., Jupyter], project: Path
) -> None:
    first = start()
    server_pid(first)
    first.stop()
    start()
    until((project / ".labscale" / "server.json").exists)


def test_two_jupyters_share_one_server(start: Callable[..., Jupyter]) -> None:
    first, second = start(), start()
    pid = server_pid(first)
    assert server_pid(second) == pid
    # The one that adopted it leaves it running.
    second.stop()
    assert is_alive(pid)
    assert server_pid(first) == pid


def test_the_other_jupyter_goes_on_when_the_owner_stops(start: Callable[..., Jupyter]) -> None:
    first, second = start(), start()
    pid = server_pid(first)
    assert server_pid(second) == pid
    first.stop()
    assert server_pid(second) != pid


def test_a_killed_server_is_started_again(start: Callable[..., Jupyter], project: Path) -> None:
    jupyter = start()
    pid = server_pid(jupyter)
    token = jupyter.connection()["token"]
    os.kill(pid, signal.SIGKILL)
    again = server_pid(jupyter)
    assert again != pid
    assert jupyter.connection()["token"] != token


def test_a_server_outlives_a_killed_jupyter_and_is_adopted(start: Callable[..., Jupyter]) -> None:
    first = start()
    pid = server_pid(first)
    first.kill()
    assert is_alive(pid)
    assert server_pid(start()) == pid


def test_a_server_in_a_terminal_is_adopted_and_left_running(
    start: Callable[..., Jupyter], project: Path
) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LABSCALE_")}
    served = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab_labscale.serve", "--project", str(project)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert served.stdout is not None
        listening = json.loads(served.stdout.readline())
        assert listening["pid"] == served.pid
        jupyter = start()
        assert server_pid(jupyter) == served.pid
        jupyter.stop()
        assert is_alive(served.pid)
    finally:
        served.terminate()
        served.wait(30)


def test_serve_says_which_folder_is_missing(home: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "jupyterlab_labscale.serve", "--project", str(home / "nowhere")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "nowhere" in ended.stderr
    assert "--project" in ended.stderr


def write_connection(file: Path, mode: int = 0o600, **change: object) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(
        json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": os.getpid(), "version": "1"} | change)
    )
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    ("mode", "change"),
    [
        (0o644, {}),
        (0o620, {}),
        (0o600, {"url": "http://192.0.2.1:80"}),
        (0o600, {"url": "http://127.0.0.1.example.org"}),
        (0o600, {"token": ""}),
        (0o600, {"pid": "1"}),
        (0o600, {"pid": -1}),
    ],
)
def test_a_connection_file_that_others_could_have_written_is_not_trusted(
    home: Path, mode: int, change: dict[str, object]
) -> None:
    assert read_connection(write_connection(home / "good.json")) is not None
    assert read_connection(write_connection(home / "bad.json", mode, **change)) is None


def test_a_stale_connection_file_is_not_used(start: Callable[..., Jupyter], project: Path) -> None:
    # Its pid was given to another process, this one, which is no labscale server.
    assert not is_labscale_server(os.getpid())
    write_connection(project / ".labscale" / "server.json")
    jupyter = start()
    pid = server_pid(jupyter)
    assert pid != os.getpid()
    assert is_labscale_server(pid)


def test_a_connection_does_not_print_its_token(home: Path) -> None:
    connection = read_connection(write_connection(home / "c.json", token="secret-token"))
    assert connection is not None
    assert "secret-token" not in f"{connection} {connection!r}"
