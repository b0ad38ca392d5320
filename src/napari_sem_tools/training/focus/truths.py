"""What a frame is known to show, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.focus.network import CELL_PX as CELL
from napari_sem_tools.focus.score import score_of_blur
from napari_sem_tools.simulation.defocus import Probe

__all__ = ["PLANES", "Truth", "scored_truth", "truth_of"]

Truth = NDArray[np.float32]

PLANES = (
    "ln_blur_px",
    "astigmatism_1",
    "astigmatism_2",
    "ln_snr",
    "ln_contrast",
    "score",
    "information",
    "blur_weight",
    "astigmatism_weight",
    "snr_weight",
    "contrast_weight",
    "score_weight",
    "image_weight",
    "information_weight",
)
"""Planes of a truth: six quantities, whether there is information, the weight of each in the
loss of a cell, that of the whole image, and that of the information."""

_LEAST_PX = 0.25
_LEAST_CONTRAST = 0.01
_LN_SNR = (-5.0, 8.0)
_LEAST_SNR = 0.05  # of a pixel; below, whether a frame shows anything is a matter of taste


def truth_of(
    clean: NDArray[np.float32],
    probes: tuple[Probe, Probe],
    share: NDArray[np.float32] | None,
    *,
    native: float,
    known: bool,
    snr: float | None,
    informs: bool,
) -> Truth:
    """Write down what a frame shows.

    Parameters
    ----------
    clean : float32 array (Y, X)
        The blurred signal before noise.
    probes : (Probe, Probe)
        Blurs that were added, one on either side where the frame is tilted.
    share : float32 array (Y, X), optional
        Share of the second one; None: one blur everywhere.
    native : float
        Blur that the picture had before, px.
    known : bool
        False: `native` is a guess, and blurs not much larger count less.
    snr : float or None
        Variance of the signal over that of the noise.
    informs : bool
        False: a frame that shows nothing.

    Returns
    -------
    float32 array (planes, Y/16, X/16)
    """
    rows, columns = (n // CELL for n in clean.shape)
    truth = np.zeros((len(PLANES), rows, columns), np.float32)
    rows_of = {name: number for number, name in enumerate(PLANES)}
    truth[rows_of["information_weight"]] = 1
    if not informs:
        truth[rows_of["image_weight"]] = 1
        return truth
    spread = _cells(clean).std(-1)
    mixed = np.zeros((rows, columns)) if share is None else _cells(share).mean(-1)
    for probe, part in zip(probes, (1 - mixed, mixed), strict=True):
        added, old = probe.blur_px**2, native**2
        total = max(added + old, _LEAST_PX**2)
        vector = np.array(probe.astigmatism) * added / total
        numbers = (np.log(total) / 2, *vector, 0, 0, float(score_of_blur(probe.blur_px)))
        truth[:6] += np.multiply.outer(np.array(numbers), part)
        sure = 1.0 if known else added / (added + old)
        truth[rows_of["blur_weight"]] += sure * part
    textured = spread > _LEAST_CONTRAST
    truth[rows_of["blur_weight"]] *= textured
    truth[rows_of["astigmatism_weight"]] = textured
    truth[rows_of["score_weight"]] = textured
    truth[rows_of["information"]] = 1
    truth[rows_of["image_weight"]] = share is None
    if snr is not None:
        truth[rows_of["ln_snr"]] = np.clip(np.log(max(snr, 1e-6)), *_LN_SNR)
        truth[rows_of["snr_weight"]] = 1
        truth[rows_of["information_weight"]] = snr > _LEAST_SNR
    whole = max(float(clean.std()), 1e-6)
    truth[rows_of["ln_contrast"]] = np.log(np.maximum(spread / whole, 0.01))
    truth[rows_of["contrast_weight"]] = 1
    return truth


def _cells(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the pixels of each cell, (rows, columns, pixels)."""
    rows, columns = (n // CELL for n in plane.shape)
    blocks = plane.reshape(rows, CELL, columns, CELL).swapaxes(1, 2)
    return blocks.reshape(rows, columns, -1)


def scored_truth(score: float, shape: tuple[int, int], *, informs: bool) -> Truth:
    """Write down what an expert said of a frame: a score, and nothing else.

    Parameters
    ----------
    score : float
        0 to 10.
    shape : (int, int)
        Of the frame.
    informs : bool
        False: there is nothing to focus on.

    Returns
    -------
    float32 array (planes, Y/16, X/16)

    Examples
    --------
    >>> float(scored_truth(7, (32, 32), informs=True)[PLANES.index("score"), 0, 0])
    7.0
    """
    truth = np.zeros((len(PLANES), shape[0] // CELL, shape[1] // CELL), np.float32)
    truth[PLANES.index("score")] = score
    truth[PLANES.index("information")] = informs
    truth[PLANES.index("image_weight")] = 1
    truth[PLANES.index("information_weight")] = 1
    truth[PLANES.index("score_weight")] = 0.2 * informs  # a whole image is scored, not its cells
    return truth
