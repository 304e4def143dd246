"""MLflow's store asked directly, without its server: one JSON line of seconds and names for each line read."""

from __future__ import annotations

import json
import sys
import time

from mlflow.entities import ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

database, artifacts, experiment, filter_text, order, limit = sys.argv[1:7]
store = SqlAlchemyStore(f"sqlite:///{database}", artifacts)
for _ in sys.stdin:
    start = time.perf_counter()
    found = store.search_runs([experiment], filter_text, ViewType.ACTIVE_ONLY, int(limit), [order])
    seconds = time.perf_counter() - start
    print(
        json.dumps({"seconds": seconds, "names": [run.info.run_name for run in found]}),
        flush=True,
    )
