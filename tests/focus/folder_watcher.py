"""A program that watches a folder and keeps a ledger; the test kills it again and again.

``python folder_watcher.py FOLDER LEDGER``
"""

from __future__ import annotations

import sys
import time

from napari_sem_tools.focus.files.watch import FocusWatch
from napari_sem_tools.focus.score import FocusScore
from napari_sem_tools.micrograph import Micrograph


def mean_grey(image: Micrograph) -> FocusScore:
    """Stand in for a score: fast, and different for every picture."""
    return FocusScore(float(image.pixels.mean()) / 100, (0.0, 10.0))


if __name__ == "__main__":
    watch = FocusWatch(sys.argv[1], score=mean_grey, ledger=sys.argv[2])
    while True:
        watch.poll()
        time.sleep(0.01)
