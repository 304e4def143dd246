"""The worker over real pipes, with real notebooks and commands."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import nbformat
import pytest
from workbench import RUN, SmallDisk, Workbench, notebook

WRITE = "import os\nfrom pathlib import Path\nout = Path(os.environ['LABSCALE_OUTPUT'])\n"


def test_notebook_gets_its_parameters_and_publishes_what_it_wrote(bench: Workbench) -> None:
    document = notebook(
        WRITE + "(out / 'r.txt').write_text(str(sigma))\nprint('said')\nsigma * 2", parameters="sigma = 1.0"
    )
    bench.plan_notebook(document, {"sigma": 2.5})
    worker = bench.worker()
    worker.send(bench.order())
    report = worker.report()

    assert [event["event"] for event in worker.seen if event["event"] != "progress"] == [
        "ready",
        "started",
        "ended",
    ]
    assert (report["state"], report["exitKind"], report["claimed"]) == ("succeeded", "succeeded", True)
    assert (bench.out() / "r.txt").read_text() == "2.5"
    assert [item["path"] for item in report["objects"]] == ["executed.ipynb", "r.txt"]
    assert report["peakMemoryBytes"] > 0 and report["cpuSeconds"] > 0
    assert bench.claim() == report == json.loads((bench.attempt() / "report.json").read_text())
    assert "said" in bench.log()
    assert worker.finish() == 0
    assert not (bench.data / "workers" / "worker-1.json").exists()
    assert list((bench.data / "scratch").rglob("*")) == []


def test_executed_notebook_is_valid_and_the_same_again(bench: Workbench) -> None:
    source = (
        "from IPython.display import display, HTML\nhandle = display(HTML('<b>1</b>'), display_id=True)\n"
        "handle.update(HTML('<b>2</b>'))\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    )
    bench.plan_notebook(
        notebook(source, "%time 1 + 1", "!echo shell", "!echo shell", parameters="n = 1", minor=4), {"n": 3}
    )
    worker = bench.worker()
    worker.send(bench.order(0))
    worker.report(0)
    executed = nbformat.read(bench.out() / "executed.ipynb", as_version=4)
    nbformat.validate(executed)
    assert executed.nbformat_minor == 5
    assert executed.cells[1].metadata.tags == ["injected-parameters"]
    assert executed.cells[1].source == "# Parameters\nn = 3"
    html, picture = executed.cells[2].outputs
    assert html.data["text/html"] == "<b>2</b>"
    assert "image/png" in picture.data
    assert executed.cells[4].outputs[0].text.strip() == "shell"

    bench.plan_notebook(notebook("1", "[2]", parameters="n = 1", minor=4), {"n": 3})
    worker = bench.worker(name="worker-2")
    worker.send(bench.order(1), bench.order(2))
    assert worker.report(1)["objects"] == worker.report(2)["objects"]


def test_each_shard_finds_fresh_state(bench: Workbench) -> None:
    source = (
        WRITE + "import random, sys\nfrom numpy import random as draws\nimport json\n"
        "seen = globals().get('seen', 0) + 1\njson.touched = getattr(json, 'touched', 0) + 1\n"
        "os.environ['LEFT'] = os.environ.get('LEFT', '') + 'x'\n"
        "state = [seen, json.touched, os.environ['LEFT'], sorted(os.listdir('.')), __name__, len(sys.argv)]\n"
        "Path('left').write_text('x')\n"
        "(out / 'state').write_text(json.dumps([state, random.random(), draws.rand()]))"
    )
    bench.plan_notebook(notebook(source))
    worker = bench.worker()
    worker.send(bench.order(0), bench.order(1))
    worker.report(0)
    worker.report(1)
    (first, random_a, numpy_a), (second, random_b, numpy_b) = (
        json.loads((bench.out(index) / "state").read_text()) for index in (0, 1)
    )
    assert first == second == [1, 1, "x", [], "__main__", 1]
    assert random_a != random_b and numpy_a != numpy_b


def test_modules_beside_the_notebook_are_imported_anew_and_first(bench: Workbench) -> None:
    files = {"json5k.py": "import os\nTASK = os.environ['LABSCALE_TASK']", "inner/data.txt": "42"}
    source = WRITE + "import json5k\n(out / 'r').write_text(json5k.TASK + open('inner/data.txt').read())"
    bench.plan_notebook(notebook(source), files=files)
    worker = bench.worker()
    worker.send(bench.order(0), bench.order(1))
    worker.report(0)
    worker.report(1)
    assert [(bench.out(index) / "r").read_text() for index in (0, 1)] == ["042", "142"]
    assert [path.name for path in bench.objects.rglob("__pycache__")] == []


def test_helper_is_importable_in_an_interpreter_without_it(bench: Workbench) -> None:
    bench.plan_notebook(notebook("import labscale", "import command"))
    report = bench.run_one()
    # The package's own modules are not on the path as top-level ones.
    assert report["reason"] == "ModuleNotFoundError: No module named 'command'"


@pytest.mark.parametrize(
    ("cells", "kind", "reason"),
    [
        (["def broken(:"], "exception", "SyntaxError: invalid syntax"),
        (["1", "raise ValueError('no \\x1b[31mred')"], "exception", "ValueError: no red"),
        (["import os; os._exit(0)"], "kernel-died", "exit code 0"),
        (["import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"], "kernel-died", "SIGSEGV"),
        (["import sys; sys.exit(3)"], "exit-code", "exit code 3"),
        (["raise MemoryError()"], "out-of-memory", "the limit is 2 GiB"),
        (["raise OSError(28, 'No space left on device')"], "disk-full", "No space left"),
        (["import nothing_of_that_name"], "exception", "No module named 'nothing_of_that_name'"),
        (
            ["open(__import__('os').environ['LABSCALE_REPORT'], 'a').write('{\"metric\":{\"a\":NaN}}\\n')"],
            "output-unusable",
            "the metric a is nan",
        ),
        (
            ["open(__import__('os').environ['LABSCALE_REPORT'], 'a').write('no json\\n')"],
            "output-unusable",
            "not a JSON object",
        ),
    ],
)
def test_ends_are_told_in_plain_words(bench: Workbench, cells: list[str], kind: str, reason: str) -> None:
    bench.plan_notebook(notebook(*cells))
    report = bench.run_one()
    assert (report["state"], report["exitKind"]) == ("failed", kind)
    assert reason in report["reason"]
    assert "\x1b" not in (report["failureText"] or "")
    assert not report["claimed"] and bench.claims() == []


def test_exit_with_zero_ends_the_notebook_well(bench: Workbench) -> None:
    bench.plan_notebook(notebook("import sys; sys.exit(0)", "raise ValueError"))
    assert bench.run_one()["exitKind"] == "succeeded"


def test_cell_that_should_raise_may(bench: Workbench) -> None:
    document = notebook("1 / 0", "print('after')")
    document["cells"][0]["metadata"]["tags"] = ["raises-exception"]
    bench.plan_notebook(document)
    assert bench.run_one()["exitKind"] == "succeeded"
    assert "after" in bench.log()


def test_open_files_are_written_out_at_the_end(bench: Workbench) -> None:
    bench.plan_notebook(
        notebook(
            WRITE + "f = open(out / 'r', 'w')\nf.write('all')",
            "import json; json.held = open(out / 'held', 'w'); json.held.write('held')",
            "import atexit; atexit.register(lambda: open(out / 'bye', 'w').write('bye'))",
        )
    )
    assert bench.run_one()["exitKind"] == "succeeded"
    assert (bench.out() / "r").read_text() == "all"
    assert (bench.out() / "held").read_text() == "held"
    assert (bench.out() / "bye").read_text() == "bye"


def test_parameters_that_no_variable_can_hold_are_refused(bench: Workbench) -> None:
    bench.plan_notebook(notebook("1", parameters="n = 1"), {"class": 1})
    report = bench.run_one()
    assert (report["exitKind"], report["reason"]) == (
        "parameters-unusable",
        "class cannot be the name of a variable in python",
    )


def test_values_arrive_as_they_are(bench: Workbench) -> None:
    values = {
        "__proto__": 1,
        "text": 'it\'s "so"\n{x}\u2028',
        "none": None,
        "yes": True,
        "many": [1, 2.5, {"a": [False]}],
        "big": 10**30,
    }
    bench.plan_notebook(
        notebook(
            WRITE + f"import json\nnames = {list(values)}\n"
            "(out / 'r').write_text(json.dumps({n: globals()[n] for n in names}))"
        ),
        values,
    )
    assert bench.run_one()["exitKind"] == "succeeded"
    assert json.loads((bench.out() / "r").read_text()) == values


def test_a_number_arrives_as_a_float_and_an_integer_as_an_int(bench: Workbench) -> None:
    types = {"sigma": "number", "none": "number", "n": "integer", "huge": "integer", "free": "any"}
    parameters = [{"name": name, "type": kind, "nullable": True} for name, kind in types.items()]
    # As the server writes its plan: JavaScript has one kind of number.
    values = {"sigma": 2, "none": None, "n": 3, "huge": 1e21, "free": 4}
    bench.plan_notebook(
        notebook(
            WRITE + "import json, os\ngiven = json.load(open(os.environ['LABSCALE_PARAMETERS']))\n"
            f"(out / 'r').write_text(repr([[given[n] for n in {list(types)}], sigma, none, n, huge, free]))",
            parameters="sigma = 1.5\nnone = 0.5\nn = 1\nhuge = 1\nfree = 1",
        ),
        values,
        parameters=parameters,
    )
    assert bench.run_one()["exitKind"] == "succeeded"
    arrived = "2.0, None, 3, 1000000000000000000000, 4"
    assert (bench.out() / "r").read_text() == f"[[{arrived}], {arrived}]"


def test_time_limit_ends_the_notebook(bench: Workbench) -> None:
    bench.plan_notebook(notebook("print('on it')\nimport time\nwhile True: time.sleep(0.01)"))
    report = bench.run_one(timeLimitSeconds=0.5)
    assert (report["exitKind"], report["reason"]) == (
        "time-limit",
        "still running at the time limit of 0.5 s",
    )
    assert "on it" in bench.log()


@pytest.mark.parametrize("forked", [False, True])
def test_memory_limit_counts_the_whole_tree(bench: Workbench, forked: bool) -> None:
    eat = "b = []\nwhile True:\n    b.append(bytearray(b'x') * 1000000)\n    time.sleep(0.001)"
    source = f"import time, os\nif {forked} and os.fork(): os.wait()\n{eat}"
    bench.plan_notebook(notebook(source))
    report = bench.run_one(memoryBytes=150 * 1024**2, timeLimitSeconds=20)
    assert report["exitKind"] == "out-of-memory"
    assert "the limit is 150 MiB" in report["reason"]
    assert report["peakMemoryBytes"] > 150 * 1024**2


def _living(mark: str) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark.encode() in (entry / "cmdline").read_bytes():
                found.append(entry.name)
        except OSError:
            continue
    return found


SPAWN = """
import os, subprocess, sys, time
code = "import os, time\\nif os.fork(): os._exit(0)\\nos.setsid()\\n" \\
    "if os.fork(): os._exit(0)\\ntime.sleep(100)"
subprocess.Popen([sys.executable, '-c', code, '{mark}'], env={{}}).wait()
subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(100)', '{mark}'], start_new_session=True)
"""


@pytest.mark.parametrize("end", ["succeed", "time-limit", "stop", "slot", "worker"])
def test_nothing_of_the_tree_outlives_the_attempt(bench: Workbench, end: str) -> None:
    mark = f"labscale-mark-{os.getpid()}-{end}"
    source = SPAWN.format(mark=mark)
    if end != "succeed":
        source += "\nprint('waiting')\ntime.sleep(100)"
    bench.plan_notebook(notebook(source))
    worker = bench.worker()
    worker.send(bench.order(timeLimitSeconds=3 if end == "time-limit" else 60))
    worker.started()
    if end in ("stop", "slot", "worker"):
        _wait_for(lambda: "waiting" in bench.log())
        _wait_for(lambda: len(_living(mark)) == 2)
    if end == "stop":
        worker.send({"do": "stop", "index": 0, "attempt": 1})
    if end == "slot":
        os.kill(_slots(worker.process.pid)[0], signal.SIGKILL)
    if end == "worker":
        worker.process.kill()
    else:
        report = worker.report()
        expected = {"succeed": "succeeded", "stop": "stopped", "slot": "worker-lost"}.get(end, end)
        assert report["exitKind"] == expected
        assert report["state"] == {"succeed": "succeeded", "stop": "stopped"}.get(end, "failed")
    _wait_for(lambda: _living(mark) == [])


def _slots(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _wait_for(condition) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            if condition():
                return
        except OSError:
            pass
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_new_slot_takes_the_place_of_a_killed_one(bench: Workbench) -> None:
    bench.plan_notebook(notebook("import os, time\nif os.environ['LABSCALE_TASK'] == '0': time.sleep(100)"))
    worker = bench.worker()
    worker.send(bench.order(0), bench.order(1))
    worker.started(0)
    os.kill(_slots(worker.process.pid)[0], signal.SIGKILL)
    assert worker.report(0)["reason"] == "the process of the worker that ran this was lost (signal 9)"
    assert worker.report(1)["exitKind"] == "succeeded"
    assert worker.finish() == 0


def test_attempt_is_marked_in_the_environment_of_its_processes(bench: Workbench) -> None:
    bench.plan_notebook(notebook("print('here')\nimport time\ntime.sleep(100)"))
    worker = bench.worker()
    worker.send(bench.order(7, 2))
    worker.started(7)
    _wait_for(lambda: "here" in bench.log(7, 2))
    slot = _slots(worker.process.pid)[0]
    for pid in (slot, _slots(slot)[0]):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert f"LABSCALE_RUN={RUN}\0LABSCALE_TASK=7\0LABSCALE_ATTEMPT=2\0".encode() in environment
    worker.send({"do": "stop", "index": 7, "attempt": 2})
    assert worker.report(7)["state"] == "stopped"
    assert b"LABSCALE_TASK=7" not in Path(f"/proc/{slot}/environ").read_bytes()


def test_gigabyte_of_output_fills_neither_memory_nor_disk(bench: Workbench) -> None:
    cell = "line = 'x' * 1048575\nprint('first')\nfor _ in range(1024): print(line)\nprint('last')"
    bench.plan_notebook(notebook(cell))
    worker = bench.worker()
    worker.send(bench.order(memoryBytes=300 * 1024**2))
    report = worker.report()
    assert report["exitKind"] == "succeeded"
    log = bench.log()
    assert log.startswith("first\n") and log.endswith("last\n")
    assert "bytes of this log are left out here" in log
    assert report["logSizeBytes"] == (bench.attempt() / "log").stat().st_size <= 16 * 1024**2
    assert (bench.out() / "executed.ipynb").stat().st_size < 3 * 1024**2
    status = Path(f"/proc/{_slots(worker.process.pid)[0]}/status").read_text()
    most = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))
    assert most < 300 * 1024


def test_slot_that_digests_goes_with_its_worker(bench: Workbench) -> None:
    bench.plan_command(["truncate", "--size", "1T", "{output}/large"])
    worker = bench.worker()
    worker.send(bench.order())
    worker.started()
    _wait_for(lambda: (bench.out() / "large").stat().st_size == 2**40)
    slot = _slots(worker.process.pid)[0]
    worker.process.kill()
    _wait_for(
        lambda: not Path(f"/proc/{slot}").exists() or "State:\tZ" in Path(f"/proc/{slot}/status").read_text()
    )


def test_shard_that_changed_or_went_is_told(bench: Workbench) -> None:
    bench.plan_command(["true"])
    shard = bench.shard("a.txt", b"before")
    path = Path(shard["objects"][0]["file"])
    worker = bench.worker()
    path.write_bytes(b"after!")
    worker.send(bench.order(0, shard=shard))
    assert worker.report(0)["exitKind"] == "shard-changed"
    path.unlink()
    worker.send(bench.order(1, shard=shard))
    assert worker.report(1)["exitKind"] == "shard-missing"


def test_shard_that_was_only_touched_is_the_same(bench: Workbench) -> None:
    bench.plan_command(["cp", "{input}", "{output}/copy"])
    shard = bench.shard("a.txt", b"same")
    os.utime(shard["objects"][0]["file"], ns=(1, 1))
    worker = bench.worker()
    worker.send(bench.order(0, shard=shard))
    assert worker.report(0)["exitKind"] == "succeeded"
    assert (bench.out() / "copy").read_bytes() == b"same"


@pytest.mark.parametrize(
    ("body", "outputs", "kind", "reason"),
    [
        ("", [{"path": "*.npy", "required": True}], "output-missing", "the expected output *.npy is missing"),
        ("(out / 'a.npy').touch()", [{"path": "*.npy", "required": True}], "output-empty", "a.npy is empty"),
        ("(out / 'a.npy').touch()", [{"path": "*.npy", "required": False}], "succeeded", None),
        (
            "(out / 'd').mkdir(); (out / 'd/x').write_text('1')",
            [{"path": "d", "required": True}],
            "succeeded",
            None,
        ),
        ("(out / 'l').symlink_to('/etc/passwd')", [], "output-unusable", "l is a symbolic link"),
        ("os.mkfifo(out / 'p')", [], "output-unusable", "not a regular file"),
        ("open(os.fsencode(out) + b'/\\xff', 'w').close()", [], "output-unusable", "\\xff is not UTF-8"),
        (
            "out.rename('gone'); Path('other').mkdir(); out.symlink_to(Path('other').absolute())",
            [],
            "output-unusable",
            "in the place of its output folder",
        ),
        ("(out / 'a\\nb').touch()", [], "output-unusable", "control characters"),
    ],
)
def test_outputs_are_checked(
    bench: Workbench, body: str, outputs: list, kind: str, reason: str | None
) -> None:
    bench.plan_notebook(notebook(WRITE + body), outputs=outputs)
    report = bench.run_one()
    assert report["exitKind"] == kind
    assert reason is None or reason in report["reason"]


def test_command_that_writes_nothing_has_failed(bench: Workbench) -> None:
    bench.plan_command(["true"])
    assert bench.run_one()["exitKind"] == "output-missing"


def test_command_gets_values_without_a_shell(bench: Workbench) -> None:
    code = "import sys, json, os; "
    code += "json.dump([sys.argv[1:], sorted(os.environ), os.listdir()], open(sys.argv[1] + '/r', 'w'))"
    parameters = [{"name": "n", "type": "integer", "default": 3}]
    bench.plan_command(
        [sys.executable, "-c", code, "{output}", "{text}", "--n={n}", "{{n}}", "{flag}{list}", "{shard}"],
        {"text": "$(touch x); 'y'", "flag": True, "list": [1, "ä"]},
        parameters=parameters,
    )
    assert bench.run_one()["exitKind"] == "succeeded"
    arguments, environment, work = json.loads((bench.out() / "r").read_text())
    assert arguments[1:] == ["$(touch x); 'y'", "--n=3", "{n}", 'true[1, "ä"]', "shard-000"]
    assert {
        "LABSCALE_INPUT",
        "LABSCALE_OUTPUT",
        "LABSCALE_PARAMETERS",
        "LABSCALE_SHARD",
        "LABSCALE_REPORT",
    } <= set(environment)
    assert not {"LABSCALE_TOKEN", "LABSCALE_RESULT_FD"} & set(environment)
    assert work == []


@pytest.mark.parametrize(
    ("command", "kind", "code", "reason"),
    [
        (["sh", "-c", "echo why >&2; exit 3"], "exit-code", 3, "exit code 3"),
        (["sh", "-c", "kill -SEGV $$"], "signal", None, "SIGSEGV"),
        (["no-such-program-here"], "exit-code", 127, "the program no-such-program-here was not found"),
        (["echo", "{missing}"], "parameters-unusable", None, "missing, which has no value"),
        (["echo", "{"], "parameters-unusable", None, "a lone {"),
        (["sh", "-c", "echo 'No space left on device'; exit 1"], "disk-full", 1, "the disk is full"),
    ],
)
def test_command_ends_are_told(
    bench: Workbench, command: list[str], kind: str, code: int | None, reason: str
) -> None:
    bench.plan_command(command)
    report = bench.run_one()
    assert (report["exitKind"], report["exitCode"]) == (kind, code)
    assert reason in report["reason"]
    if code == 3:
        assert report["failureText"] == "why\n"


def test_metrics_and_progress_of_any_program(bench: Workbench) -> None:
    script = (
        'echo \'{{"metric":{{"snr":1}}}}\' >> $LABSCALE_REPORT; '
        "echo '{{\"progress\":0.5}}' >> $LABSCALE_REPORT; sleep 0.5; "
        'echo \'{{"metric":{{"snr":12.5,"n":3}}}}\' >> $LABSCALE_REPORT; touch $LABSCALE_OUTPUT/x'
    )
    bench.plan_command(["sh", "-c", script])
    worker = bench.worker()
    worker.send(bench.order())
    assert worker.next(lambda event: event["event"] == "progress")["progress"] == 0.5
    assert worker.report()["metrics"] == {"snr": 12.5, "n": 3}


@pytest.mark.parametrize(
    ("line", "trouble"),
    [
        ('{"cells": ["a", {}]}', None),
        ('{"cells": [1e999, 2]}', None),
        ('{"progress": 1' + "0" * 400 + "}", None),
        ('{"metric": {"snr": 1' + "0" * 400 + "}}", "the metric snr is 1000"),
        ('{"metric": {"\\ud800": 1}}', "the name of the metric '\\ud800' is not Unicode text"),
        ("[" * 100_000, "not a JSON object: [[["),
    ],
)
def test_no_line_of_a_report_ends_the_worker(bench: Workbench, line: str, trouble: str | None) -> None:
    (bench.folder / "line").write_text(line + "\n")
    bench.plan_command(["sh", "-c", f"cat {bench.folder}/line >> $LABSCALE_REPORT; touch $LABSCALE_OUTPUT/x"])
    report = bench.run_one()
    assert report["exitKind"] == ("succeeded" if trouble is None else "output-unusable"), report["reason"]
    assert trouble is None or trouble in report["reason"]


def test_of_two_workers_one_wins_the_claim(bench: Workbench) -> None:
    bench.plan_command(["sh", "-c", "sleep 0.2; date > $LABSCALE_OUTPUT/x"])
    one, other = bench.worker(name="worker-1"), bench.worker(name="worker-2")
    one.send(bench.order(0, 1))
    other.send(bench.order(0, 2))
    reports = {1: one.report(), 2: other.report()}
    assert sorted(report["claimed"] for report in reports.values()) == [False, True]
    winner = bench.claim()["attempt"]
    assert reports[winner]["claimed"] and reports[winner] == bench.claim()
    loser = 3 - winner
    assert reports[loser]["state"] == "succeeded" and reports[loser]["objects"] == []
    assert not bench.out(0, loser).exists()


def test_worker_goes_on_when_its_reader_has_gone(bench: Workbench) -> None:
    bench.plan_command(["sh", "-c", "sleep 0.5; echo 1 > $LABSCALE_OUTPUT/x"])
    worker = bench.worker(slots=2)
    worker.send(bench.order(0), bench.order(1), bench.order(2))
    worker.started(0)
    worker.started(1)
    identity = json.loads((bench.data / "workers" / "worker-1.json").read_text())
    assert (identity["pid"], identity["runId"]) == (worker.process.pid, RUN) and identity["startTicks"] > 0
    worker.let_go_of_output()
    worker.process.stdin.close()
    assert worker.process.wait(20) == 0
    # What had not started is left to whoever comes next.
    assert bench.claims() == ["0.json", "1.json"]


def test_told_twice_it_acts_once(bench: Workbench) -> None:
    bench.plan_command(["sh", "-c", "echo 1 > $LABSCALE_OUTPUT/x"])
    worker = bench.worker()
    worker.send(bench.order(0), bench.order(0), bench.order(1))
    worker.report(0)
    worker.report(1)
    assert sum(event["event"] == "started" for event in worker.seen) == 2


def test_queued_task_can_be_stopped(bench: Workbench) -> None:
    bench.plan_command(["sh", "-c", "sleep 1; echo 1 > $LABSCALE_OUTPUT/x"])
    worker = bench.worker()
    worker.send(bench.order(0), bench.order(1), {"do": "stop", "index": 1, "attempt": 1})
    assert worker.report(1)["state"] == "stopped"
    assert worker.report(0)["state"] == "succeeded"


def test_terminated_worker_takes_everything_with_it(bench: Workbench) -> None:
    mark = f"labscale-mark-{os.getpid()}-term"
    bench.plan_command([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(100)", mark])
    worker = bench.worker()
    worker.send(bench.order())
    worker.started()
    _wait_for(lambda: "up" in bench.log())
    worker.process.terminate()
    assert worker.process.wait(20) == 143
    _wait_for(lambda: _living(mark) == [])
    assert not (bench.data / "workers" / "worker-1.json").exists()


def test_fresh_kernel_runs_the_notebook(bench: Workbench) -> None:
    source = WRITE + "import labscale\n(out / 'r').write_text(str(n))\nprint('from the kernel')"
    bench.plan_notebook(notebook(source, parameters="n = 1"), {"n": 5}, warm=False)
    report = bench.run_one()
    assert report["exitKind"] == "succeeded", report
    assert (bench.out() / "r").read_text() == "5"
    assert "from the kernel" in bench.log() and "cell 3 of 3" in bench.log()
    executed = nbformat.read(bench.out() / "executed.ipynb", as_version=4)
    nbformat.validate(executed)
    assert "execution" not in executed.cells[0].metadata


@pytest.mark.parametrize(
    ("source", "kernel", "kind", "reason"),
    [
        ("print('before')\nraise ValueError('why')", "python3", "exception", "ValueError: why"),
        ("import os; os._exit(1)", "python3", "kernel-died", "the kernel died"),
        ("1", "no-such-kernel", "kernel-missing", "the kernel no-such-kernel is not installed here"),
    ],
)
def test_fresh_kernel_ends_are_told(
    bench: Workbench, source: str, kernel: str, kind: str, reason: str
) -> None:
    bench.plan_notebook(notebook(source), kernel={"name": kernel, "language": "python"}, warm=False)
    report = bench.run_one()
    assert report["exitKind"] == kind
    assert reason in report["reason"]


def test_interpreter_without_ipython_is_told(bench: Workbench, tmp_path: Path) -> None:
    bench.plan_notebook(notebook("1"))
    worker = bench.worker(python=_bare_python(tmp_path))
    worker.send(bench.order())
    report = worker.report()
    assert report["exitKind"] == "kernel-missing"
    assert "install ipykernel in it" in report["reason"]


def test_log_that_lost_lines_fails_the_attempt_though_there_is_room_again(bench: Workbench) -> None:
    with SmallDisk(bench.objects / "runs" / RUN / "attempts", 1024) as disk:
        if not disk.mounted:
            pytest.skip("this user may not mount a small disk, so it cannot be full")
        fill = "head -c 900000 /dev/zero > $1/big; head -c 500000 /dev/zero | tr '\\0' x; "
        fill += "sleep 1; rm $1/big; date > $1/x"
        bench.plan_command(["sh", "-c", fill, "sh", "{output}"])
        report = bench.run_one()
        assert report["exitKind"] == "disk-full" and bench.claims() == []


def test_an_import_that_ends_the_interpreter_fails_the_attempts_and_not_each_worker(
    bench: Workbench, tmp_path: Path
) -> None:
    (tmp_path / "deadly.py").write_text("import os; os._exit(7)")
    bench.plan_notebook(notebook("import deadly"))
    first = bench.worker(name="worker-1", env={"PYTHONPATH": str(tmp_path)})
    first.send(bench.order())
    assert first.process.wait(30) == 7
    second = bench.worker(name="worker-2", env={"PYTHONPATH": str(tmp_path)})
    second.send(bench.order())
    report = second.report()
    assert (report["exitKind"], "exit code 7" in report["reason"]) == ("kernel-died", True)


def test_where_an_import_starts_a_thread_each_shard_gets_a_kernel(bench: Workbench, tmp_path: Path) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, queue\nqueue_in, queue_out = queue.Queue(), queue.Queue()\n"
        "def work():\n    while True: queue_out.put(queue_in.get() + 1)\n"
        "threading.Thread(target=work, daemon=True).start()\n"
    )
    source = WRITE + "import threaded\nthreaded.queue_in.put(1)\n"
    source += "(out / 'r').write_text(str(threaded.queue_out.get(timeout=5)))"
    bench.plan_notebook(notebook(source))
    worker = bench.worker(env={"PYTHONPATH": str(tmp_path)})
    worker.send(bench.order())
    assert worker.report()["exitKind"] == "succeeded"
    assert (bench.out() / "r").read_text() == "2"


def test_helper_is_there_for_programs_that_a_notebook_starts(bench: Workbench) -> None:
    source = WRITE + "import subprocess, sys, labscale\n"
    source += "code = 'import labscale; print(labscale.__file__, labscale.shard().key)'\n"
    source += (
        "said = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)\n"
    )
    source += "(out / 'r').write_text(labscale.__file__ + ' ' + said.stdout)"
    bench.plan_notebook(notebook(source))
    assert bench.run_one()["exitKind"] == "succeeded"
    inside, outside, key = (bench.out() / "r").read_text().split()
    assert (Path(inside).name, Path(outside).name, key) == ("__init__.py", "__init__.py", "shard-000")


def test_told_to_finish_it_still_hears_a_stop(bench: Workbench) -> None:
    bench.plan_command(["sleep", "100"])
    worker = bench.worker()
    worker.send(bench.order(), {"do": "finish"})
    worker.started()
    worker.send({"do": "stop", "index": 0, "attempt": 1})
    assert worker.report()["state"] == "stopped"
    assert worker.process.wait(20) == 0


def _bare_python(folder: Path) -> str:
    import venv

    venv.create(folder / "bare", with_pip=False, symlinks=True)
    return str(folder / "bare" / "bin" / "python")


FILL = """
try:
    with open('{path}', 'wb', buffering=0) as file:
        while True: file.write(b'x' * 4096)
except OSError as error:
    {then}
"""


@pytest.mark.parametrize(
    "where", ["program", "program that hides it", "command that hides it", "scratch", "log"]
)
def test_full_disk_is_told_and_publishes_nothing(bench: Workbench, where: str) -> None:
    small = bench.data / "scratch" if where == "scratch" else bench.objects / "runs" / RUN / "attempts"
    fill = FILL.format(path=bench.out() / "big", then="raise" if where == "program" else "print('hidden')")
    if where == "scratch":
        fill = "open('big', 'wb').write(b'x' * 2**21)"
    if where == "log":
        fill = "for _ in range(2000): print('x' * 1000)"
    with SmallDisk(small, 1024) as disk:
        if not disk.mounted:
            pytest.skip("this user may not mount a small disk, so it cannot be full")
        if where == "command that hides it":
            bench.plan_command([sys.executable, "-c", fill.replace("{", "{{").replace("}", "}}")])
        else:
            bench.plan_notebook(notebook(fill))
        worker = bench.worker()
        worker.send(bench.order())
        report = worker.report()
        assert (report["state"], report["exitKind"]) == ("failed", "disk-full"), report
        assert bench.claims() == [] and not report["claimed"]
        assert list(bench.objects.rglob("*.new")) == []
        if where != "log":
            # The objects of a failed attempt made room for its report.
            assert json.loads((bench.attempt() / "report.json").read_text()) == report
        assert worker.finish() == 0
