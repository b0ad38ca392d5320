"""Pictures of judging images with the outlines that the network finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.files import write_file
from napari_sem_tools.training.data.scaled import Scene, nearest

__all__ = ["write_previews"]

_MOST = 4
_LONGEST_PX = 512
_FOUND, _MISSED = (31, 199, 194), (246, 186, 51)  # outlines of what is found, and of the truth


def write_previews(
    folder: Path, scenes: Sequence[Scene], found: Mapping[str, NDArray[np.int32]]
) -> tuple[str, ...]:
    """Write a picture of each of the first few images.

    Parameters
    ----------
    folder : Path
    scenes : sequence of Scene
    found : dict of str to int array
        Labels or classes by name.

    Returns
    -------
    tuple of str
        The files: the truth in yellow, what is found in turquoise over it.
    """
    import imagecodecs

    written = []
    for scene in scenes[:_MOST]:
        if scene.name not in found:
            continue
        step = max(1, -(-max(scene.truth.shape) // _LONGEST_PX))
        truth, seen = (part[::step, ::step] for part in (scene.truth, found[scene.name]))
        grey = nearest(scene.grey, scene.truth.shape)[::step, ::step]
        grey8 = np.asarray(np.clip(255 * grey, 0, 255), np.uint8)
        picture = np.repeat(grey8[..., None], 3, axis=2)
        picture[_outlines(truth)] = _MISSED
        picture[_outlines(seen)] = _FOUND
        path = folder / f"{scene.name}.png"
        write_file(path, bytes(imagecodecs.png_encode(np.ascontiguousarray(picture))))
        written.append(str(path))
    return tuple(written)


def _outlines(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Mark pixels of particles that have another number to the right or below."""
    found = np.zeros(labels.shape, bool)
    found[:-1] |= labels[:-1] != labels[1:]
    found[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    return found
