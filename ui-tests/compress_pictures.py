"""Gives every PNG of a folder a palette, which screens of flat colours do not show: python compress_pictures.py FOLDER."""

import sys
from pathlib import Path

from PIL import Image


def main() -> None:
    """Rewrite each picture in place, unless it has a palette already."""
    for path in sorted(Path(sys.argv[1]).glob("*.png")):
        with Image.open(path) as picture:
            if picture.mode == "P":
                continue
            small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
        small.save(path, optimize=True)


if __name__ == "__main__":
    main()
