"""Finds how many passes make the asked seconds of work on one shard of this machine; prints it."""

from __future__ import annotations

import json
import sys
import tempfile
import time

source, shard, wanted = sys.argv[1:4]
sys.path.insert(0, source)
from smoothing import smooth

with tempfile.TemporaryDirectory() as output:
    smooth(shard, output, 1.0, 10)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        smooth(shard, output, 1.0, 500)
        times.append(time.perf_counter() - start)
print(json.dumps({"passes": max(1, round(500 * float(wanted) / min(times)))}))
