"""The bare loop: joblib over the shards with two processes. Prints its seconds, pool start included, imports not."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from joblib import Parallel, delayed

source, shards, outputs, sigma, passes = sys.argv[1:6]
sys.path.insert(0, source)
from smoothing import smooth

if __name__ == "__main__":
    names = sorted(path.name for path in Path(shards).iterdir())
    start = time.perf_counter()
    Parallel(n_jobs=2)(
        delayed(smooth)(f"{shards}/{name}", f"{outputs}/{name}", float(sigma), int(passes)) for name in names
    )
    print(json.dumps({"seconds": time.perf_counter() - start}))
