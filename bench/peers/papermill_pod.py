"""One notebook in one pod, as a script beside a hand-made Job does it: fetch the shard, papermill, bring the results."""

import os
import shutil
import subprocess
from pathlib import Path

from labscale.s3.credentials import CredentialsFile
from labscale.s3.patience import Patience
from labscale.s3.place import place_of
from labscale.s3.store import ObjectStore

index = os.environ["JOB_COMPLETION_INDEX"]
store = ObjectStore(
    place_of(os.environ), CredentialsFile(os.environ["LABSCALE_S3_CREDENTIALS_FILE"]), Patience(30)
)
work, inputs, outputs = (Path("/tmp") / name for name in ("work", "in", "out"))
for folder in (work, inputs, outputs):
    folder.mkdir()
for name in ("smoothing.ipynb", "smoothing.py"):
    shutil.copy(Path("/work") / name, work)
(inputs / "image.npy").write_bytes(store.get(f"bench/papermill/in/{index}/image.npy"))
subprocess.run(
    [
        *(
            "papermill",
            "smoothing.ipynb",
            str(outputs / "executed.ipynb"),
            "-p",
            "sigma",
            os.environ["SIGMA"],
        ),
        *("--no-progress-bar", "--autosave-cell-every", "0", "--log-level", "ERROR"),
    ],
    cwd=work,
    env={**os.environ, "LABSCALE_INPUT": str(inputs), "LABSCALE_OUTPUT": str(outputs)},
    check=True,
)
for path in outputs.iterdir():
    store.put(f"bench/papermill/out/{index}/{path.name}", path.read_bytes())
