"""COCO: instance masks of several images in one JSON, as training tools read them."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools._version import __version__
from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.files import json_text, write_text
from napari_sem_tools.reporting.labelled import LabelledImage
from napari_sem_tools.reporting.plain import plain_columns

__all__ = ["write_coco"]

Ints = NDArray[np.int64]

CLASS_COLUMN = "class"
_UNNAMED = "particle"  # category of particles without a class
_ATTRIBUTES = ("included", "edge", "doubtful", "doubt_reason", "confidence", "ecd_nm", "ecd_px")


def write_coco(path: str | os.PathLike[str], images: Iterable[LabelledImage]) -> Path:
    """Write the masks of all particles of all images as one COCO file.

    Parameters
    ----------
    path : path-like
        Ends in ``.json``.
    images : iterable of LabelledImage
        Categories are those of the column ``class`` where the tables have one.

    Returns
    -------
    Path
        The path written.

    Raises
    ------
    InvalidSettings
        Two images have one name, or a table and its labels differ.
    SemError
        The file cannot be written.

    Notes
    -----
    Masks are run lengths down the columns, beginning with background, so that particles with
    holes and in several parts stay exact; polygons of COCO cannot hold holes.  ``area`` is the
    number of pixels and ``bbox`` is x, y, width, height from the corner of the first pixel.

    References
    ----------
    T.-Y. Lin et al., ECCV 2014; cocodataset.org, "Data format".
    """
    rows: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    classes: dict[str, int] = {}
    for number, image in enumerate(images, 1):  # one at a time: labels of many images are large
        if any(row["file_name"] == image.stem for row in rows):
            raise InvalidSettings(
                f"Two images are called {image.stem}, which COCO could not tell apart.",
                hint="Rename one of the files.",
            )
        rows.append(_image_line(number, image))
        annotations += _annotations(number, image, classes, len(annotations))
    content = {
        "info": {
            "description": "Particles found in micrographs",
            "version": __version__,
            "contributor": f"napari-sem-tools {__version__}",
        },
        "licenses": [],
        "images": rows,
        "annotations": annotations,
        "categories": [
            {"id": number, "name": name, "supercategory": _UNNAMED}
            for name, number in (classes or {_UNNAMED: 1}).items()
        ],
    }
    return write_text(path, json_text(content, indent=None))


def _image_line(number: int, image: LabelledImage) -> dict[str, Any]:
    """Describe an image."""
    rows, columns = image.labels.shape
    return {
        "id": number,
        "file_name": image.stem,
        "width": columns,
        "height": rows,
        "pixel_size_nm": image.pixel_size_nm,
        "sha256": image.sha256 or None,
    }


def _annotations(
    number: int, image: LabelledImage, classes: dict[str, int], before: int
) -> list[dict[str, Any]]:
    """Describe the particles of an image; new classes are added to `classes`."""
    runs = _ColumnRuns.of(image.labels)
    values = plain_columns(image.rows(runs.labels))
    kinds = values.get(CLASS_COLUMN) or [_UNNAMED] * len(runs.labels)
    categories = [classes.setdefault(str(kind or _UNNAMED), len(classes) + 1) for kind in kinds]
    attributes = {name: values[name] for name in _ATTRIBUTES if name in values}
    size = list(image.labels.shape)
    return [
        {
            "id": before + place + 1,
            "image_id": number,
            "category_id": categories[place],
            "iscrowd": 0,
            "area": area,
            "bbox": box,
            "segmentation": {"size": size, "counts": counts.tolist()},
            "attributes": {"label": label, **{k: v[place] for k, v in attributes.items()}},
        }
        for place, (label, area, box, counts) in enumerate(
            zip(
                runs.labels.tolist(),
                runs.areas().tolist(),
                runs.boxes().tolist(),
                runs.counts(),
                strict=True,
            )
        )
    ]


@dataclasses.dataclass(frozen=True, eq=False)
class _ColumnRuns:
    """Runs of labels down the columns, sorted by label and then by place."""

    labels: Ints
    first: Ints  # of each label in the runs
    start: Ints
    stop: Ints
    shape: tuple[int, int]

    @classmethod
    def of(cls, labels: NDArray[np.integer]) -> _ColumnRuns:
        """Find the runs of all labels."""
        rows, columns = labels.shape
        flat = labels.T.ravel()
        start = np.flatnonzero(np.append(True, flat[1:] != flat[:-1])[: flat.size])
        stop = np.append(start[1:], flat.size)[: start.size]
        own = flat[start]
        order = np.argsort(own, kind="stable")
        order = order[own[order] != 0]
        kinds, first = np.unique(own[order], return_index=True)
        return cls(kinds.astype(np.int64), first, start[order], stop[order], (rows, columns))

    def areas(self) -> Ints:
        """Count the pixels of each label."""
        return self._by_label(np.add, self.stop - self.start)

    def boxes(self) -> Ints:
        """Return x, y, width and height of each label."""
        rows = max(self.shape[0], 1)
        left, top = np.divmod(self.start, rows)
        right, bottom = np.divmod(self.stop - 1, rows)
        across = left != right  # such a run holds a column's last pixel and another's first
        top, bottom = np.where(across, 0, top), np.where(across, rows - 1, bottom)
        x, y = self._by_label(np.minimum, left), self._by_label(np.minimum, top)
        width = self._by_label(np.maximum, right) - x + 1
        return np.stack([x, y, width, self._by_label(np.maximum, bottom) - y + 1], axis=1)

    def counts(self) -> list[Ints]:
        """Return the run lengths of each label's mask, background first."""
        if not self.labels.size:
            return []
        before = np.append(0, self.stop[:-1])
        before[self.first] = 0
        pairs = np.stack([self.start - before, self.stop - self.start], axis=1)
        last = np.append(self.first[1:], self.start.size) - 1
        rest = self.shape[0] * self.shape[1] - self.stop[last]
        parts = np.split(pairs, self.first[1:])
        ends = rest.tolist()
        return [
            np.append(part.ravel(), end) if end else part.ravel()
            for part, end in zip(parts, ends, strict=True)
        ]

    def _by_label(self, join: np.ufunc, values: Ints) -> Ints:
        """Join the values of each label's runs."""
        if not self.labels.size:
            return np.zeros(0, np.int64)
        joined: Ints = join.reduceat(values, self.first)
        return joined
