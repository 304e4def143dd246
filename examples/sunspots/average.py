"""Running mean of a sunspot window: a command that knows nothing of labscale beyond the folders it is given."""

import csv
import json
import os
import sys
from pathlib import Path
from statistics import fmean, pstdev


def main() -> None:
    """Write `average.csv`; the only argument is the odd number of years that a mean spans."""
    years = int(sys.argv[1])
    if years < 1 or years % 2 == 0:
        sys.exit(f"years: {years} is not an odd number above 0")
    with open(Path(os.environ["LABSCALE_INPUT"]) / "history.csv", newline="") as source:
        rows = [(int(row["year"]), float(row["sunspots"])) for row in csv.DictReader(source)]
    numbers = [number for _, number in rows]
    half = years // 2
    means = [fmean(numbers[max(0, i - half) : i + half + 1]) for i in range(len(numbers))]
    with open(Path(os.environ["LABSCALE_OUTPUT"]) / "average.csv", "w", newline="") as target:
        writer = csv.writer(target)
        writer.writerow(["year", "average"])
        writer.writerows((year, round(mean, 2)) for (year, _), mean in zip(rows, means))
    with open(os.environ["LABSCALE_REPORT"], "a") as report:
        report.write(json.dumps({"metric": {"smoothness": 1 - pstdev(means) / pstdev(numbers)}}) + "\n")


if __name__ == "__main__":
    main()
