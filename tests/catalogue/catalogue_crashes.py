"""Kill a run of adding at a step, in a fork: ``python catalogue_crashes.py FOLDER STRIDE``.

A step is a statement that SQLite is about to run for the writer, a committing one included, or a
call that changes the disk elsewhere (the mapped vectors, the lock).  After each kill the catalogue
is looked at as a user would, and added to again.  Prints JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from collections_for_tests import catalogue_at, fill, png

import crash_bench
import napari_sem_tools.catalogue.adding as adding
from napari_sem_tools.catalogue import database

COUNT, BATCH = 7, 3


class TracedConnection(sqlite3.Connection):
    """A connection that counts its statements as steps."""

    step: Any = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        if self.step is not None:
            self.set_trace_callback(lambda statement: type(self).step())


def connect(*arguments: Any, **named: Any) -> sqlite3.Connection:
    return real_connect(*arguments, factory=TracedConnection, **named)


real_connect = sqlite3.connect


def run(place: Path, images: Path, last: int) -> bool:
    """Add in a fork that is killed at step `last`; True when it came to its end."""
    child = os.fork()
    if child == 0:
        step = crash_bench.Steps(last, "kill")
        TracedConnection.step = step
        sqlite3.connect = connect
        crash_bench.install(step)
        with catalogue_at(place) as catalogue:
            catalogue.add(images)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) != signal.SIGKILL
    return True


def faults(place: Path, images: Path) -> tuple[list[str], int]:
    """Look at a catalogue after a kill; say what should not be, and how many images it has."""
    found: list[str] = []
    kept = 0
    if (place / database.FILE_NAME).exists():
        db = real_connect(place / database.FILE_NAME)
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            found.append("the database is damaged")
        if db.execute("PRAGMA user_version").fetchone()[0]:
            for what, sql in QUESTIONS.items():
                if db.execute(sql).fetchone()[0]:
                    found.append(what)
            kept = db.execute("SELECT count(*) FROM images").fetchone()[0]
        db.close()
    with catalogue_at(place) as catalogue:
        added = catalogue.add(images)
        if (added.new, added.failed) != (COUNT - kept, 1):
            found.append(f"going on: {added} after {kept}")
        if len(catalogue.query()) != COUNT or len(catalogue.similar(1, count=99)) != COUNT - 1:
            found.append("the catalogue is not whole after going on")
    return found, kept


QUESTIONS = {
    "an image without a thumbnail": "SELECT count(*) FROM images WHERE id NOT IN "
    "(SELECT image FROM thumbnails)",
    "an image without a vector": "SELECT count(*) FROM images WHERE id NOT IN "
    "(SELECT image FROM vectors)",
    "an image without a file": "SELECT count(*) FROM images WHERE id NOT IN "
    "(SELECT image FROM files WHERE image IS NOT NULL)",
    "a file of no image": "SELECT count(*) FROM files WHERE image IS NULL AND error IS NULL",
    "an image whose presence is wrong": "SELECT count(*) FROM images WHERE present = 0",
}


def bench(folder: Path, stride: int) -> dict[str, Any]:
    """Kill at every `stride`-th step and list what should not be."""
    adding._COMMIT_EVERY = BATCH
    images = folder / "images"
    fill(images, COUNT)
    (images / "bad.png").write_bytes(b"no picture")
    (images / "image00003.png").write_bytes(png(np.eye(32, dtype=np.uint8) * 255))
    catalogue_at(folder / "warm").add(images)  # what an import reads is no step
    wrong: list[str] = []
    kept: list[int] = []
    last = 1
    while True:
        place = folder / "index"
        shutil.rmtree(place, ignore_errors=True)
        if run(place, images, last):
            return {"points": last - 1, "kept": kept, "wrong": wrong}
        found, count = faults(place, images)
        kept.append(count)
        wrong += [f"step {last}: {fault}" for fault in found]
        last += stride


if __name__ == "__main__":
    where = Path(sys.argv[1]) / "work"
    shutil.rmtree(where, ignore_errors=True)
    where.mkdir(parents=True)
    print(json.dumps(bench(where, int(sys.argv[2]))))
