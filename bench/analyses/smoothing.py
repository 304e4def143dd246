"""The one function that every arm runs: smooth a picture, keep what stands out, and say how clear it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np


def smooth(input_folder: str, output_folder: str, sigma: float, passes: int) -> float:
    """Reads `image.npy` (2-D float32), writes `smooth.npy` and `snr.json`, and gives the signal-to-noise ratio.

    `passes` averagings over the four neighbours set how much work it is; elementwise numpy, so one thread.
    """
    image = np.load(Path(input_folder) / "image.npy")
    for _ in range(passes):
        image = (
            image
            + np.roll(image, 1, 0)
            + np.roll(image, -1, 0)
            + np.roll(image, 1, 1)
            + np.roll(image, -1, 1)
        ) / np.float32(5)
    bright = image > image.mean() + sigma * image.std()
    background = image[~bright]
    snr = float(image.mean() / max(float(background.std()), 1e-9))
    target = Path(output_folder)
    np.save(target / "smooth.npy", image)
    (target / "snr.json").write_text(json.dumps({"snr": snr}))
    return snr
