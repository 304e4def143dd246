"""The same function on a dask LocalCluster of two workers. Prints the seconds of map and gather, and of the start."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from dask.distributed import Client, LocalCluster

source, shards, outputs, sigma, passes = sys.argv[1:6]
# A worker finds the module by name: it is started by spawn and gets the function by reference.
os.environ["PYTHONPATH"] = source
sys.path.insert(0, source)
from smoothing import smooth

if __name__ == "__main__":
    names = sorted(path.name for path in Path(shards).iterdir())
    begin = time.perf_counter()
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        ready = time.perf_counter()
        futures = client.map(
            smooth,
            [f"{shards}/{name}" for name in names],
            [f"{outputs}/{name}" for name in names],
            sigma=float(sigma),
            passes=int(passes),
        )
        client.gather(futures)
        seconds = time.perf_counter() - ready
    print(json.dumps({"seconds": seconds, "clusterStartSeconds": ready - begin}))
