"""Runs that are kept: one JSON line per finished run, so that a stopped benchmark goes on."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_sem_tools.evaluation import ImageCounts
from napari_sem_tools.evaluation.outlines import MaskCounts


class KeptRuns:
    """A file of finished runs, each under a key; without a file nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path is not None and path.exists() else []
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        self.runs: dict[str, Any] = {row["key"]: row["run"] for row in rows}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the run of this key, made now unless it was kept."""
        if key not in self.runs:
            self.runs[key] = make()
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                with self.path.open("a") as file:
                    file.write(json.dumps({"key": key, "run": self.runs[key]}) + "\n")
        return self.runs[key]


def packed(counts: ImageCounts) -> dict[str, Any]:
    """Write the counts of an image as plain values."""
    raw = dataclasses.asdict(counts)
    return {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in raw.items()}


def unpacked(raw: dict[str, Any]) -> ImageCounts:
    """Read them back."""
    kinds = {
        "true_area": np.int64, "found_area": np.int64, "matched": np.int64,
        "matched_iou": np.float64, "true_kind": np.int8, "found_kind": np.int8,
    }  # fmt: skip
    made: dict[str, Any] = {
        k: np.array(v, kinds[k]) if k in kinds else tuple(v) if isinstance(v, list) else v
        for k, v in raw.items()
    }
    return ImageCounts(**made | {"masks": MaskCounts(**raw["masks"])})


@contextlib.contextmanager
def own_registry(place: Path | None = None) -> Iterator[None]:
    """Keep the models of a run in a folder; unless one is named it is removed."""
    with tempfile.TemporaryDirectory() as home:
        # where models are kept on Linux
        os.environ["XDG_DATA_HOME"] = home if place is None else str(place.absolute())
        yield
