"""What a task of a fault script does; `SCRIPT` and `GATE` are set before it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

out = Path(os.environ["LABSCALE_OUTPUT"])
number = int(next(Path(os.environ["LABSCALE_INPUT"]).iterdir()).read_text())
attempt = int(os.environ["LABSCALE_ATTEMPT"])
behaviours = json.loads(SCRIPT)[number]  # noqa: F821
act = behaviours[min(attempt, len(behaviours)) - 1]
result = out / "result.txt"


def _report(line):
    with open(os.environ["LABSCALE_REPORT"], "a", encoding="utf-8", errors="surrogatepass") as file:
        file.write(line + "\n")


def _hold():
    """Until the gate says to go on; whatever closes the connection ends the program."""
    with socket.create_connection(GATE) as gate:  # noqa: F821
        name = [os.environ["LABSCALE_RUN"], number, attempt, socket.gethostname()]
        gate.sendall(json.dumps(name).encode() + b"\n")
        if gate.recv(2) != b"go":
            os._exit(111)


def _write_names(names):
    for name in names:
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{name}\n", encoding="utf-8")


def _leave_orphan(script):
    devnull = subprocess.DEVNULL
    subprocess.Popen(["sh", "-c", script], start_new_session=True, stdout=devnull, stderr=devnull)


def _output(how):
    result.write_text(f"{number * 2}\n")
    match how:
        case "empty":
            result.write_text("")
        case "misnamed":
            result.rename(out / "results.txt")
        case "symlink":
            (out / "link.txt").symlink_to("/etc/hostname")
        case "dangling-symlink":
            result.unlink()
            result.symlink_to("nowhere.txt")
        case "pipe":
            os.mkfifo(out / "pipe")
        case "newline-in-name":
            (out / "a\nb.txt").write_text("x")
        case "name-not-utf8":
            with open(os.fsencode(out) + b"/a\xff.txt", "w") as file:
                file.write("x")
        case "folder-removed":
            shutil.rmtree(out)
        case "folder-replaced-by-symlink":
            shutil.rmtree(out)
            Path("elsewhere").mkdir()
            out.symlink_to(Path("elsewhere").absolute())
        case "folder-replaced-by-file":
            shutil.rmtree(out)
            out.write_text("x")
        case "beside":
            (out / ".." / "beside.txt").write_text("x")
            Path("here.txt").write_text("x")
        case "odd-names":
            _write_names(
                ["a b+c%20#?&=.txt", "ünï/ço de.txt", 'it\'s "so".txt', "back\\slash.txt", ".hidden", "~/$x;"]
            )
        case "long-names":
            _write_names(["/".join(["n" * 200] * 4), "m" * 255])
        case "folder-in-its-place":
            result.unlink()
            _write_names(["result.txt/part-0", "result.txt/part-1"])
        case "eight-mebibytes":
            (out / "large.bin").write_bytes(bytes([number]) * (8 * 2**20 + 1))


def _bad_report(how):
    file = Path(os.environ["LABSCALE_REPORT"])
    result.write_text(f"{number * 2}\n")
    _report('{"metric": {"kept": 1.5}}')
    match how:
        case "text":
            _report("half way")
        case "list":
            _report("[1, 2]")
        case "cut-line":
            _report('{"metric": {"cut"')
        case "nan":
            _report('{"metric": {"broken": NaN}}')
        case "infinity":
            _report('{"metric": {"broken": -1e400}}')
        case "word":
            _report('{"metric": {"broken": "1"}}')
        case "truth":
            _report('{"metric": {"broken": true}}')
        case "huge-whole-number":
            _report('{"metric": {"broken": 1' + "0" * 400 + "}}")
        case "large-whole-number":
            _report('{"metric": {"large": 1' + "0" * 40 + ', "exact": 9007199254740993}}')
        case "odd-names":
            _report('{"metric": {"": 1, "__proto__": 2, "a b/c": 3, "\\u00fc\\u0000": 4}, "other": {}}')
        case "too-many-metrics":
            _report(json.dumps({"metric": {f"m{place}": place for place in range(1001)}}))
        case "odd-progress":
            _report(
                '{"progress": "half"}\n{"progress": -4}\n{"progress": NaN}\n{"progress": null}\n{"cells": 3}'
            )
        case "removed":
            file.unlink()
        case "folder-in-its-place":
            file.unlink()
            file.mkdir()
        case "too-large":
            _report("\n" * (17 * 2**20))


def _perform():
    print(f"task {number} does {act['does']}", flush=True)
    match act["does"]:
        case "succeed":
            result.write_text(f"{number * 2}\n")
        case "measure":
            result.write_text(f"{number * 2}\n")
            _write_names(["more/table.csv", "more/picture.png", "notes.json"])
            _report(json.dumps({"metric": {"double": number * 2, "third": number / 3}, "progress": 0.5}))
            _report(json.dumps({"metric": {"third": (number + 1) / 3}}))
        case "exit":
            result.write_text("half\n")
            raise SystemExit(act["code"])
        case "die":
            result.write_text("half\n")
            os.kill(os.getpid(), act["signal"])
            time.sleep(600)
        case "raise":
            raise ValueError(f"cannot do {number}")
        case "output":
            _output(act["how"])
        case "report":
            _bad_report(act["how"])
        case "print":
            result.write_text(f"{number * 2}\n")
            line = "x" * 99 + "\n"
            for _ in range(act["mebibytes"] * 2**20 // 10_000):
                os.write(1, (line * 100).encode())
        case "allocate":
            result.write_text(f"{number * 2}\n")
            held = b"x" * (act["mebibytes"] * 2**20)
            time.sleep(0.5)
            print(len(held), flush=True)
        case "orphan":
            result.write_text(f"{number * 2}\n")
            _leave_orphan(f"sleep 60; echo late > '{out}/late.txt'; sleep 600")
        case "kill-slot":
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(600)
        case "outlast":
            time.sleep(8)
            result.write_text(f"{number * 2}\n")
        case "nothing":
            pass


if act.get("holds"):
    _hold()
_perform()
