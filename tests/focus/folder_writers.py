"""Programs that drop pictures into a folder as microscopes and careless people do.

``python folder_writers.py MODE FOLDER COUNT SEED``
"""

from __future__ import annotations

import io
import itertools
import os
import sys
import time
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

PIXELS = (96, 128)
PAUSE_S = 0.01


def picture(seed: int, number: int, *, ending: str = ".tif") -> bytes:
    """Make one picture that no other is equal to."""
    grey = np.random.default_rng((seed, number)).integers(0, 255, PIXELS).astype(np.uint8)
    file = io.BytesIO()
    if ending == ".tif":
        tifffile.imwrite(file, grey, rowsperstrip=8)
    else:
        Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()


def in_pieces(path: Path, content: bytes) -> None:
    """Write a file slowly, in three pieces that reach the disk one by one."""
    cuts = [0, len(content) // 3, 2 * len(content) // 3, len(content)]
    with path.open("wb") as file:
        for first, stop in itertools.pairwise(cuts):
            file.write(content[first:stop])
            file.flush()
            time.sleep(PAUSE_S)


def slowly(folder: Path, number: int, seed: int) -> None:
    """Write in pieces under the final name."""
    ending = (".tif", ".png")[number % 2]
    in_pieces(folder / f"slow-{seed}-{number:03}{ending}", picture(seed, number, ending=ending))


def beside(folder: Path, number: int, seed: int) -> None:
    """Write under another name and rename when whole."""
    aside = folder / f"aside-{number:03}.part"
    in_pieces(aside, picture(seed, number))
    aside.rename(folder / f"beside-{number:03}.tif")


def renamed(folder: Path, number: int, seed: int) -> None:
    """Write, and rename soon afterwards, sometimes while it is being read."""
    path = folder / f"first-{number:03}.tif"
    in_pieces(path, picture(seed, number))
    time.sleep(PAUSE_S * (number % 5))
    path.rename(folder / f"renamed-{number:03}.tif")


def deleted(folder: Path, number: int, seed: int) -> None:
    """Write, and delete soon afterwards."""
    path = folder / f"gone-{number:03}.tif"
    in_pieces(path, picture(seed, number))
    time.sleep(PAUSE_S * (number % 7))
    path.unlink()


def preallocated(folder: Path, number: int, seed: int) -> None:
    """Claim the full size first, zeros, and fill it in."""
    content = picture(seed, number)
    with (folder / f"filled-{number:03}.tif").open("wb") as file:
        file.truncate(len(content))
        for first in range(0, len(content), 4096):
            file.seek(first)
            file.write(content[first : first + 4096])
            file.flush()
            time.sleep(PAUSE_S)


def forever(folder: Path, number: int, seed: int) -> None:
    """Begin a file and never finish it; the test kills this program."""
    content = picture(seed, number)
    with (folder / f"half-{number:03}.tif").open("wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        os.fsync(file.fileno())
        sys.stdout.write("half\n")
        sys.stdout.flush()
        time.sleep(600)


MODES = {mode.__name__: mode for mode in (slowly, beside, renamed, deleted, preallocated, forever)}

if __name__ == "__main__":
    _, name, target, count, base = sys.argv
    for index in range(int(count)):
        MODES[name](Path(target), index, int(base))
