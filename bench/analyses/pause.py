"""A program that lasts a second and leaves a file: what it costs to run it is all that is measured."""

import os
import time
from pathlib import Path

time.sleep(1)
(Path(os.environ["LABSCALE_OUTPUT"]) / "done.txt").write_text("done\n")
