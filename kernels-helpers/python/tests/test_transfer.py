"""The transfer of a pod with a real worker and a real MinIO."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from objectstore import CuttingProxy, Minio
from podbench import Wave, wait_for
from workbench import SmallDisk, notebook

from labscale.s3.upload import PART_BYTES

COPY = ["sh", "-c", 'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy"; echo done']


@pytest.fixture
def wave(minio: Minio, tmp_path: Path) -> Iterator[Wave]:
    opened = Wave(minio, tmp_path)
    yield opened
    opened.close()


def test_pack_is_done_and_published(wave: Wave) -> None:
    wave.plan_command(COPY)
    wave.submit([[], [wave.order(index) for index in range(5)]])
    pod = wave.pod(pack=1)
    assert pod.wait() == 0, pod.log.read_text()
    assert wave.claims() == [0, 1, 2, 3, 4]
    for index in range(5):
        assert wave.check_outputs(index) == {"copy": b"shard %d" % index}
        assert wave.claim(index) == wave.report(index)
        assert wave.log(index) == "done\n"
    journal = wave.journal(1)
    assert (journal["pod"], journal["ended"], journal["detail"]) == ("pod-0", True, None)
    assert [entry["report"] for entry in journal["tasks"]] == [wave.claim(index) for index in range(5)]
    assert wave.json("attempts/0/1/lease.json")["pod"] == "pod-0"
    assert os.listdir(pod.root / "shards") == []
    assert list((pod.root / "objects" / "runs" / wave.run / "attempts").rglob("out")) == []


def test_notebook_runs_in_a_warm_worker(wave: Wave) -> None:
    source = (
        "import os, lib\nfrom pathlib import Path\n"
        "text = next(Path(os.environ['LABSCALE_INPUT']).iterdir()).read_text()\n"
        "Path(os.environ['LABSCALE_OUTPUT'], 'r').write_text(text + lib.SAID + str(n))"
    )
    wave.plan_notebook(notebook(source, parameters="n = 1"), {"n": 7}, {"lib.py": "SAID = ' said '"})
    wave.submit([[wave.order(0), wave.order(1)]])
    pod = wave.pod()
    assert pod.wait() == 0, pod.log.read_text()
    for index in (0, 1):
        outputs = wave.check_outputs(index)
        assert outputs["r"] == b"shard %d said 7" % index
        assert json.loads(outputs["executed.ipynb"])["nbformat"] == 4


def test_what_failed_is_reported_and_not_to_be_tried_again(wave: Wave) -> None:
    wave.plan_command(
        ["sh", "-c", 'echo on it; [ "$LABSCALE_TASK" = 1 ] && exit 3; echo x > "$LABSCALE_OUTPUT/r"']
    )
    wave.submit([[wave.order(index) for index in range(3)]])
    assert wave.pod().wait() == 65
    assert wave.claims() == [0, 2]
    report = wave.report(1)
    assert (report["state"], report["exitKind"], report["exitCode"]) == ("failed", "exit-code", 3)
    assert not report["claimed"] and report["objects"] == [] and wave.log(1) == "on it\n"
    # Another pod of the same index leaves it to the server to decide, and runs nothing again.
    assert wave.pod().wait() == 65
    assert wave.keys("attempts/1/") == ["1/lease.json", "1/log", "1/report.json"]
    assert wave.keys("attempts/0/") == ["1/lease.json", "1/log", "1/out/r", "1/report.json"]
    assert [entry["report"]["exitKind"] for entry in wave.journal()["tasks"]].count("exit-code") == 1


def test_shards_that_are_gone_or_changed_are_told(wave: Wave) -> None:
    wave.plan_command(COPY)
    orders = [wave.order(index) for index in range(5)]
    keys = [order["shard"]["objects"][0]["key"] for order in orders]
    wave.store.delete(keys[0])
    wave.store.put(keys[1], b"longer than it was")
    wave.store.put(keys[2], b"shard X")
    orders[3]["shard"]["objects"][0]["bucket"] = "nosuchbucket"
    wave.submit([orders])
    assert wave.pod().wait() == 65
    assert wave.claims() == [4]
    told = [(wave.report(index)["exitKind"], wave.report(index)["reason"]) for index in range(4)]
    assert told == [
        ("shard-missing", "the object shard-000.txt of the shard shard-000.txt is gone"),
        ("shard-changed", "the object shard-001.txt of the shard shard-001.txt has another size now"),
        (
            "shard-changed",
            "the object shard-002.txt of the shard shard-002.txt is no longer what was registered; "
            "update the dataset and plan anew",
        ),
        (
            "shard-missing",
            "the object shard-003.txt of the shard shard-003.txt cannot be read: "
            f"{keys[3]}: the store has no such bucket",
        ),
    ]


def test_a_program_that_writes_to_its_input_spoils_it_for_nobody(wave: Wave) -> None:
    command = (
        'cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/r"; f=$(readlink "$LABSCALE_INPUT"/*); chmod u+w "$f"; '
    )
    wave.plan_command(["sh", "-c", command + 'printf SPOILED > "$f"'])
    shard = wave.shard("same", b"content")
    wave.submit([[wave.order(0, shard=shard), wave.order(1, shard=shard), wave.order(2, shard=shard)]])
    assert wave.pod().wait() in (0, 65)
    good = [index for index in range(3) if index in wave.claims()]
    assert 0 in good
    assert [wave.check_outputs(index) for index in good] == [{"r": b"content"}] * len(good)
    for index in set(range(3)) - set(good):
        assert wave.report(index)["exitKind"] == "shard-changed"


HOSTILE = """
import hashlib, json, os, socket, sys, time
root, run, what = sys.argv[1:]
channel = socket.socket(socket.AF_UNIX)
while True:
    try:
        channel.connect(root + "/channel.sock")
        break
    except OSError:
        time.sleep(0.02)
file = channel.makefile("rwb")
def say(**event):
    file.write(json.dumps(event).encode() + b"\\n")
    file.flush()
say(event="ready", pid=1, slots=1)
order = json.loads(file.readline())
index, attempt = order["index"], order["attempt"]
folder = root + f"/objects/runs/{run}/attempts/{index}/{attempt}"
os.makedirs(folder + "/out")
open(folder + "/out/r", "w").write("made")
open(folder + "/log", "w").write("log")
good = {"path": "r", "sizeBytes": 4, "digest": "sha256:" + hashlib.sha256(b"made").hexdigest()}
report = {"version": 1, "runId": run, "index": index, "attempt": attempt, "state": "succeeded",
    "exitKind": "succeeded", "exitCode": 0, "durationSeconds": 1, "cpuSeconds": 1, "peakMemoryBytes": 1,
    "metrics": {}, "objects": [good], "startedAt": "2026-01-01T00:00:00.000Z", "shardKey": "forged",
    "parameterSetVersionId": "forged", "claimed": True, "reason": None}
say(event="started", index=index, attempt=attempt, at="now")
exec(what)
say(event="ended", index=index, attempt=attempt, report=report)
file.readline()
"""

SECRET = "a secret of the transfer"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("report['runId'] = 'run-of-another'", "it is of another task"),
        ("report['index'] = 5", "it is of another task"),
        ("report['attempt'] = 9", "it is of another task"),
        ("report = ['no', 'report']", "it is no object"),
        ("report['metrics'] = {'snr': float('nan')}", "the metric snr is nan"),
        ("report['metrics'] = {'a\\ud800': 1}", "cannot be used"),
        ("report['durationSeconds'] = 'long'", "durationSeconds is long"),
        ("report['cpuSeconds'] = -1", "cpuSeconds is -1"),
        ("report['peakMemoryBytes'] = 10**400", "peakMemoryBytes"),
        ("report['exitKind'] = 'promoted'", "promoted is no kind of exit"),
        ("good['path'] = '../../../../../claims/7.json'", "is no path of an output"),
        ("good['path'] = '/etc/passwd'", "is no path of an output"),
        ("good['path'] = 'a\\x00b'", "is no path of an output"),
        ("good['sizeBytes'] = True", "the size or digest of r"),
        ("good['digest'] = 'sha256:' + '0' * 64", "the output r was changed after the program had ended"),
        ("good['sizeBytes'] = 5", "the output r was changed after the program had ended"),
        ("os.remove(folder + '/out/r')", "the output r is gone"),
        ("os.remove(folder + '/out/r'); os.mkfifo(folder + '/out/r')", "the output r is no regular file"),
        (
            "os.remove(folder + '/out/r'); os.symlink(root + '.secret', folder + '/out/r')",
            "the output r is reached through a symbolic link",
        ),
        (
            "os.rename(folder + '/out', root + '/away'); os.symlink(root + '/away', folder + '/out')",
            "the output r is reached through a symbolic link",
        ),
        (
            "os.rename(folder, root + '/away'); os.symlink(root + '/away', folder)",
            "the output folder is gone",
        ),
        ("report['objects'] = []", "the expected output r is missing"),
        ("report['objects'] = [{}]", "cannot be used"),
        ("report['objects'] = {}", "objects is no list"),
    ],
)
def test_a_forged_report_is_refused(wave: Wave, tmp_path: Path, what: str, reason: str) -> None:
    wave.plan_command(["true"], outputs=[{"path": "r", "required": True}])
    wave.submit([[wave.order(0)]])
    secret = tmp_path / "pod-0.secret"
    secret.write_text(SECRET)
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    pod = wave.pod(program=[sys.executable, str(program), str(tmp_path / "pod-0"), wave.run, what])
    assert pod.wait() == 65, pod.log.read_text()
    assert wave.claims() == []
    report = wave.report(0)
    assert report["exitKind"] in ("output-unusable", "output-missing") and reason in report["reason"]
    assert report["objects"] == [] and not report["claimed"]
    everything = b"".join(wave.store.get(f"runs/{wave.run}/{key}") for key in wave.keys(""))
    assert SECRET.encode() not in everything


@pytest.mark.parametrize(
    "what",
    [
        "say(event='ended', index=1, attempt=1, report={**report, 'index': 1})",
        "say(event='started', index=1, attempt=1, at='now'); say(event='ended', index=-1, attempt=1)",
        "say(event='ended', index=index, attempt=attempt + 1, report=report)",
        "say(event='ended', index=[1], attempt={}, report=report)",
        "say(event='started', index=index, attempt=attempt, at='now')",
        "say(event='progress', index=index, attempt=attempt, progress='much')",
        "say(event='progress', index=index, attempt=attempt, progress=7)",
        "file.write(b'no json\\n' + b'[' * 100000 + b'\\n' + b'1' * 1000000 + b'\\n\\xff\\n[]\\n1\\n')",
        "os.symlink('/etc', root + '/objects/runs/' + run + '/attempts/1')",
    ],
)
def test_what_was_not_asked_for_is_not_heard(wave: Wave, tmp_path: Path, what: str) -> None:
    wave.plan_command(["true"])
    wave.submit([[wave.order(0)]])
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    pod = wave.pod(program=[sys.executable, str(program), str(tmp_path / "pod-0"), wave.run, what])
    assert pod.wait() == 0, pod.log.read_text()
    assert wave.claims() == [0] and wave.check_outputs(0) == {"r": b"made"}
    claim = wave.claim(0)
    assert (claim["shardKey"], claim["parameterSetVersionId"]) == ("shard-000.txt", "pv-0000000000000000000a")


def test_a_line_without_end_ends_the_connection(wave: Wave, tmp_path: Path) -> None:
    wave.plan_command(["true"])
    wave.submit([[wave.order(0)]])
    program = tmp_path / "hostile.py"
    program.write_text(HOSTILE)
    what = "[file.write(b'x' * 1000000) for _ in range(100)]"
    pod = wave.pod(program=[sys.executable, str(program), str(tmp_path / "pod-0"), wave.run, what])
    assert pod.wait() == 75
    assert wave.claims() == [] and "it said a line of more than" in wave.journal()["detail"]


def test_an_attempts_folder_that_is_a_link_is_not_followed(wave: Wave, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "log").write_text(SECRET)
    # The task before puts a link where the next attempt will write.
    attempts = tmp_path / "pod-0" / "objects" / "runs" / wave.run / "attempts"
    wave.plan_command(["sh", "-c", f'ln -s {elsewhere} {attempts}/1; echo x > "$LABSCALE_OUTPUT/r"'])
    wave.submit([[wave.order(0), wave.order(1)]])
    wave.pod().wait()
    assert 0 in wave.claims() and 1 not in wave.claims()
    assert (elsewhere / "log").read_text() == SECRET or (elsewhere / "1").exists()
    assert not any(
        SECRET in wave.store.get(f"runs/{wave.run}/{key}").decode("latin1") for key in wave.keys("")
    )


def test_two_pods_of_one_pack_publish_each_task_once(wave: Wave) -> None:
    wave.plan_command(["sh", "-c", 'echo "$LABSCALE_ATTEMPT" > "$LABSCALE_OUTPUT/by"; sleep 0.02'])
    wave.submit([[wave.order(index) for index in range(40)]])
    pods = [wave.pod(), wave.pod()]
    assert [pod.wait() for pod in pods] == [0, 0]
    assert wave.claims() == list(range(40))
    lost = 0
    for index in range(40):
        claim = wave.claim(index)
        assert wave.check_outputs(index) == {"by": b"%d\n" % claim["attempt"]}
        reports = [
            wave.json(f"attempts/{index}/{key}") for key in wave.keys(f"attempts/{index}/") if "report" in key
        ]
        assert [report["attempt"] for report in reports if report["claimed"]] == [claim["attempt"]]
        losers = [report for report in reports if not report["claimed"]]
        assert all(report["objects"] == [] and report["state"] == "succeeded" for report in losers)
        lost += len(losers)
    assert lost > 0


def test_the_death_of_a_pod_costs_what_was_unfinished(wave: Wave) -> None:
    wave.plan_command(
        [
            "sh",
            "-c",
            'echo x > "$LABSCALE_OUTPUT/r"; [ "$LABSCALE_TASK$LABSCALE_ATTEMPT" = 21 ] && sleep 60; true',
        ]
    )
    wave.submit([[wave.order(index) for index in range(4)]])
    first = wave.pod()
    wait_for(lambda: wave.claims() == [0, 1] and wave.keys("attempts/3/"))
    first.transfer.kill()
    # Without it there is nobody to publish: the other container ends by itself.
    assert first.program is not None and first.program.wait(10) == 75
    before = [wave.claim(0), wave.claim(1)]
    assert wave.pod().wait() == 0
    assert wave.claims() == [0, 1, 2, 3]
    assert [wave.claim(0), wave.claim(1)] == before
    assert [wave.claim(index)["attempt"] for index in range(4)] == [1, 1, 2, 2]
    journal = wave.journal()
    assert {entry["index"]: entry["report"]["attempt"] for entry in journal["tasks"]} == {
        0: 1,
        1: 1,
        2: 2,
        3: 2,
    }
    assert {entry["orderedAttempt"] for entry in journal["tasks"]} == {1}


def test_a_pod_that_wakes_up_late_changes_nothing(wave: Wave) -> None:
    wave.plan_command(["sh", "-c", 'echo "$LABSCALE_ATTEMPT" > "$LABSCALE_OUTPUT/by"; sleep 0.5'])
    wave.submit([[wave.order(0)]])
    late = wave.pod()
    wait_for(lambda: wave.keys("attempts/0/"))
    late.transfer.send_signal(signal.SIGSTOP)
    assert wave.pod().wait() == 0
    before = wave.claim(0), wave.check_outputs(0)
    assert before[0]["attempt"] == 2
    late.transfer.send_signal(signal.SIGCONT)
    assert late.wait() == 0
    assert (wave.claim(0), wave.check_outputs(0)) == before
    assert not wave.report(0, 1)["claimed"]


def test_a_claim_of_another_wave_is_left_alone(wave: Wave) -> None:
    wave.plan_command(COPY)
    wave.submit([[wave.order(0), wave.order(1)]])
    claim = {"version": 1, "runId": wave.run, "index": 0, "attempt": 9, "state": "succeeded", "claimed": True}
    wave.store.put(f"runs/{wave.run}/claims/0.json", json.dumps(claim).encode())
    assert wave.pod().wait() == 0
    assert wave.claim(0) == claim and wave.keys("attempts/0/") == []
    assert wave.journal()["tasks"][0]["report"] == claim


def test_a_worker_that_dies_gives_its_task_to_another_pod(wave: Wave) -> None:
    wave.plan_command(["sh", "-c", "echo before; sleep 60"])
    wave.submit([[wave.order(0), wave.order(1)]])
    pod = wave.pod()
    wait_for(lambda: "before" in _log_of(pod, wave, 0))
    assert pod.program is not None
    pod.program.kill()
    assert pod.wait() == 75
    journal = wave.journal()
    assert journal["ended"] and journal["detail"].startswith(
        "the container of the program has gone while task 0 was running"
    )
    assert [entry["state"] for entry in journal["tasks"]] == ["running"]
    assert wave.claims() == [] and wave.log(0) == "before\n"


def _log_of(pod, wave: Wave, index: int) -> str:
    path = pod.root / "objects" / "runs" / wave.run / "attempts" / str(index) / "1" / "log"
    return path.read_text() if path.exists() else ""


def test_a_pod_that_is_ended_says_what_it_knows(wave: Wave) -> None:
    wave.plan_command(
        ["sh", "-c", '[ "$LABSCALE_TASK" = 0 ] || (echo before; sleep 60); echo x > "$LABSCALE_OUTPUT/r"']
    )
    wave.submit([[wave.order(index) for index in range(3)]])
    pod = wave.pod()
    wait_for(lambda: "before" in _log_of(pod, wave, 1))
    pod.transfer.terminate()
    assert pod.wait() == 75
    assert wave.claims() == [0]
    report = wave.report(1)
    assert (report["state"], report["exitKind"], wave.log(1)) == ("stopped", "stopped", "before\n")
    journal = wave.journal()
    assert journal["ended"] and journal["detail"] == "the pod was ended by the cluster"
    assert {entry["index"] for entry in journal["tasks"]} == {0, 1}


def test_the_log_grows_in_the_store_while_it_is_written(wave: Wave) -> None:
    wave.plan_command(["sh", "-c", "echo first; sleep 60"])
    wave.submit([[wave.order(0)]])
    pod = wave.pod()
    wait_for(lambda: wave.store.get(f"runs/{wave.run}/attempts/0/1/log", missing=b"") == b"first\n")
    running = wave.journal()
    assert (running["ended"], running["tasks"][0]["state"]) == (False, "running")
    assert pod.transfer.poll() is None


def test_a_store_that_is_restarted_meanwhile_is_waited_for(minio_of_ones_own: Minio, tmp_path: Path) -> None:
    minio = minio_of_ones_own
    wave = Wave(minio, tmp_path)
    try:
        wave.plan_command(["sh", "-c", 'sleep 0.1; cat "$LABSCALE_INPUT"/* > "$LABSCALE_OUTPUT/copy"'])
        wave.submit([[wave.order(index) for index in range(12)]])
        pod = wave.pod()
        for count in (2, 5):
            wait_for(lambda least=count: len(wave.claims()) >= least)
            minio.kill()
            minio.start()
        assert pod.wait() == 0, pod.log.read_text()
        assert [wave.check_outputs(index)["copy"] for index in range(12)] == [
            b"shard %d" % i for i in range(12)
        ]
    finally:
        wave.close()


def test_a_store_that_stays_away_ends_the_pod_and_nothing_half_is_seen(
    minio_of_ones_own: Minio, tmp_path: Path
) -> None:
    wave = Wave(minio_of_ones_own, tmp_path)
    try:
        wave.plan_command(["sh", "-c", 'sleep 1; echo x > "$LABSCALE_OUTPUT/r"'])
        wave.submit([[wave.order(0), wave.order(1)]])
        pod = wave.pod(patience=1)
        wait_for(lambda: wave.keys("attempts/0/"))
        minio_of_ones_own.kill()
        assert pod.wait() == 75
        assert "the object store cannot be reached" in pod.log.read_text()
        minio_of_ones_own.start()
        assert wave.claims() == []
        assert wave.pod().wait() == 0
        assert wave.check_outputs(0) == wave.check_outputs(1) == {"r": b"x\n"}
    finally:
        wave.close()


def test_a_bad_line_makes_it_slower_and_nothing_else(wave: Wave) -> None:
    proxy = CuttingProxy(wave.minio.port)
    content = os.urandom(3 * PART_BYTES)
    wave.plan_command(COPY)
    wave.submit([[wave.order(0, shard=wave.shard("large", content)), wave.order(1)]])
    proxy.cuts = [0, 120, 5_000_000, 700, 0, 0, 9_000_000, 50, 10, 400, 0, 30]
    proxy.delay = 0.005
    try:
        assert wave.pod(port=proxy.port).wait() == 0
    finally:
        proxy.close()
    assert wave.check_outputs(0) == {"copy": content} and wave.check_outputs(1) == {"copy": b"shard 1"}


def test_room_is_made_for_the_next_shard(wave: Wave, tmp_path: Path) -> None:
    root = tmp_path / "pod-0"
    with SmallDisk(root, 20 * 1024) as disk:
        if not disk.mounted:
            pytest.skip("this user may not mount a small disk")
        wave.plan_command(["sh", "-c", 'sleep 0.2; cat "$LABSCALE_INPUT"/* | wc -c > "$LABSCALE_OUTPUT/r"'])
        sizes = [8, 12, 12, 40, 1]
        orders = [
            wave.order(index, shard=wave.shard(f"s{index}", os.urandom(size * 1024 * 1024)))
            for index, size in enumerate(sizes)
        ]
        wave.submit([orders])
        pod = wave.pod()
        assert pod.wait() == 65
        assert wave.claims() == [0, 1, 2, 4]
        report = wave.report(3)
        assert (report["exitKind"], report["reason"]) == (
            "disk-full",
            "the disk is full: no room for s3 of the shard s3",
        )
        pod.close()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"LABSCALE_S3_ENDPOINT": "ftp://nowhere"}, "LABSCALE_S3_ENDPOINT is 'ftp://nowhere'"),
        ({"LABSCALE_S3_CREDENTIALS_FILE": "/nowhere"}, "the credentials file /nowhere cannot be used"),
        ({"LABSCALE_S3_BUCKET": "nosuchbucket"}, "the store has no such bucket"),
        ({"LABSCALE_PACK": "7"}, "it has no pack 7"),
        ({"LABSCALE_RUN": "run-unknown"}, "there is no such object"),
        ({"LABSCALE_WAVE": "first"}, "the pod is not set up right"),
    ],
)
def test_a_pod_that_cannot_begin_says_why_and_both_containers_end(
    wave: Wave, changes: dict[str, str], said: str
) -> None:
    wave.plan_command(COPY)
    wave.submit([[wave.order(0)]])
    pod = wave.pod(environment=changes, patience=0.5)
    assert pod.wait() == 75
    assert said in pod.log.read_text() and "Traceback" not in pod.log.read_text()
    assert pod.program is not None and pod.program.returncode == 75
    assert wave.minio.secret_key not in pod.log.read_text()


def test_credentials_that_are_renewed_are_taken(wave: Wave, minio: Minio, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    wait = f"until [ -e {gate} ]; do sleep 0.02; done"
    wave.plan_command(["sh", "-c", f'{wait}; echo x > "$LABSCALE_OUTPUT/r"'])
    wave.submit([[wave.order(0)]])
    soon = (datetime.now(timezone.utc) + timedelta(minutes=1)).isoformat()
    minio.write_credentials(minio.secret_key, expiresAt=soon)
    proxy = CuttingProxy(minio.port)
    try:
        pod = wave.pod(port=proxy.port)
        wait_for(lambda: wave.keys("attempts/0/"))
        minio.write_credentials("revoked", expiresAt=soon)
        # Near their end credentials are looked at by each request half a second after the last look.
        time.sleep(0.6)
        gate.touch()
        wait_for(lambda: proxy.refused > 0)
        assert pod.transfer.poll() is None
    finally:
        minio.write_credentials(minio.secret_key)
    assert pod.wait() == 0
    assert wave.claims() == [0]
    proxy.close()
