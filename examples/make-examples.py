"""Make a demo project: real data cut into shards from installed packages, with a notebook for each.

The data come from scikit-learn, nibabel and statsmodels as they are installed; nothing is fetched. Every run writes the
same bytes. A file that exists is left as it is, so a project that somebody works in can be brought up to date.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent
BATCHES_PER_DIGIT = 10
HISTORY_YEARS = 66
FUTURE_YEARS = 11
YEARS_BETWEEN_WINDOWS = 3


def digit_shards() -> Iterator[tuple[str, bytes]]:
    """Yield 100 stacks of handwritten digits: arrays (n, 8, 8) of uint8, grey levels 0 (paper) to 16 (ink)."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    for digit in range(10):
        images = digits.images[digits.target == digit].astype(np.uint8)
        for batch, part in enumerate(np.array_split(images, BATCHES_PER_DIGIT), start=1):
            buffer = io.BytesIO()
            np.save(buffer, part)
            yield f"digit-{digit}_batch-{batch:02d}.npy", buffer.getvalue()


def brain_shards() -> Iterator[tuple[str, bytes]]:
    """Yield axial slices of two people's brains as NIfTI-1 files with BIDS names; each keeps its place in space."""
    import nibabel
    import numpy as np
    from nibabel.testing import data_path

    sources = (("01", "example4d.nii.gz"), ("02", "scaled+tlrc.BRIK"))
    for subject, name in sources:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            image = nibabel.load(Path(data_path) / name)
            data = np.asarray(image.dataobj, dtype=np.float32)
        for run in range(data.shape[3]):
            for slice_index in range(data.shape[2]):
                plane = data[:, :, slice_index : slice_index + 1, run]
                affine = image.affine @ nibabel.affines.from_matvec(np.eye(3), (0, 0, slice_index))
                key = f"sub-{subject}/func/sub-{subject}_run-{run + 1}_chunk-{slice_index + 1:02d}_bold.nii"
                yield key, nibabel.Nifti1Image(plane, affine).to_bytes()


def sunspot_shards() -> Iterator[tuple[str, bytes]]:
    """Yield windows of the yearly sunspot number: a folder each, `history.csv` to fit and `future.csv` to score."""
    from statsmodels.datasets import sunspots

    series = sunspots.load_pandas().data
    years = series["YEAR"].astype(int).tolist()
    numbers = series["SUNACTIVITY"].tolist()
    for start in range(0, len(years) - HISTORY_YEARS - FUTURE_YEARS + 1, YEARS_BETWEEN_WINDOWS):
        split = start + HISTORY_YEARS
        folder = f"window-{years[start]}"
        for name, first, last in (("history", start, split), ("future", split, split + FUTURE_YEARS)):
            rows = [f"{year},{number:.1f}\n" for year, number in zip(years[first:last], numbers[first:last])]
            yield f"{folder}/{name}.csv", ("year,sunspots\n" + "".join(rows)).encode()


DATA = {"digits": digit_shards, "brain": brain_shards, "sunspots": sunspot_shards}


def write_if_absent(path: Path, content: bytes) -> bool:
    """Write `content` unless `path` exists; return whether it was written."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
    return True


def copy_notebooks(into: Path) -> int:
    """Copy what is worked with (notebooks, programs, the list of data sets); return how many files were new."""
    new = 0
    for source in sorted(EXAMPLES.rglob("*")):
        relative = source.relative_to(EXAMPLES)
        if source.suffix not in {".ipynb", ".py", ".json", ".md"} or source == Path(__file__).resolve():
            continue
        if any(part.startswith(".") or part in {"__pycache__", "data", "tests"} for part in relative.parts):
            continue
        if not (into / relative).exists():
            (into / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, into / relative)
            new += 1
    return new


def main() -> int:
    """Read the arguments and make the project."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--into", type=Path, required=True, help="folder of the demo project; made where absent"
    )
    parser.add_argument(
        "--only", choices=sorted(DATA), help="make the data of one example and copy no notebooks"
    )
    arguments = parser.parse_args()
    into: Path = arguments.into.resolve()
    if into.exists() and not into.is_dir():
        print(f"--into: {into} is not a folder", file=sys.stderr)
        return 2
    new = 0
    for name in [arguments.only] if arguments.only else DATA:
        new += sum(write_if_absent(into / name / "data" / key, content) for key, content in DATA[name]())
    if not arguments.only:
        new += copy_notebooks(into)
    print(f"{into}: {new} new files" if new else f"{into}: complete, nothing changed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
