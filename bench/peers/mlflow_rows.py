"""Puts runs into MLflow's SQLite by SQL, in the rows that its own client would leave; then ANALYZE.

Reads JSON lines {"name", "params": {...}, "metrics": {...}} on standard input; prints the id of the experiment.
Logging them over HTTP would take more than an hour at 100,000; the tags are there because its pages need them.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import uuid

from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

database, artifacts = sys.argv[1:3]
store = SqlAlchemyStore(f"sqlite:///{database}", artifacts)
experiment = store.create_experiment("bench")
store.engine.dispose()

runs, params, metrics, latest, tags = [], [], [], [], []
begin = int(time.time() * 1000) - 1_000_000
for place, line in enumerate(sys.stdin):
    given = json.loads(line)
    run, at = uuid.uuid4().hex, begin + place
    runs.append(
        (run, given["name"], "UNKNOWN", "", "", "bench", "FINISHED", at, at + 1, "", "active",
         f"{artifacts}/{experiment}/{run}/artifacts", int(experiment))
    )  # fmt: skip
    params += [(key, str(value), run) for key, value in given["params"].items()]
    for key, value in given["metrics"].items():
        metrics.append((key, value, at, run, 0, 0))
        latest.append((key, value, at, 0, 0, run))
    tags += [("mlflow.runName", given["name"], run), ("mlflow.user", "bench", run),
             ("mlflow.source.name", "bench.py", run), ("mlflow.source.type", "LOCAL", run)]  # fmt: skip

connection = sqlite3.connect(database)
with connection:
    connection.executemany(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,"
        " end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
        " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        runs,
    )
    connection.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?,?,?)", params)
    connection.executemany(
        "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) VALUES (?,?,?,?,?,?)",
        metrics,
    )
    connection.executemany(
        "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid) VALUES (?,?,?,?,?,?)",
        latest,
    )
    connection.executemany("INSERT INTO tags (key, value, run_uuid) VALUES (?,?,?)", tags)
connection.execute("ANALYZE")
connection.close()
print(json.dumps({"experimentId": experiment, "runs": len(runs)}))
