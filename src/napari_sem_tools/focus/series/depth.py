"""Depth map and extended-focus image of a through-focus stack.

Where each place of the field is sharpest tells its height; the sharp parts of all frames together
make one image that is in focus everywhere.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.series.register import Similarity, align, register
from napari_sem_tools.reading.inputs import as_micrograph
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled

__all__ = ["DepthMap", "depth_map", "extended_focus"]

_DETAIL_PX: Final = 2.0  # Gaussian before the Laplacian
_WINDOW_PX: Final = 8.0  # Gaussian over which the energy of detail is averaged
_SMOOTH_PX: Final = 6.0  # by which the depth is smoothed, weighted by how sure it is
_FAR_SMOOTH_PX: Final = 40.0  # the same where there is no detail nearby
_GROUND_PX: Final = 6.0
_BELIEVED: Final = 3.0  # standard errors of the energy that the sharpest frame must stand out
_NOISE_MAD: Final = 1.4826
_IMMERKAER: Final = 6.0  # norm of the noise-reading mask

Map = NDArray[np.float32]


@dataclasses.dataclass(frozen=True, eq=False)
class DepthMap:
    """Height of each place of a field, from a through-focus stack.

    Attributes
    ----------
    depth : float32 array (Y, X)
        Position at which the place is sharpest, in the unit of the positions.
    error : float32 array (Y, X)
        Standard error by noise, in the same unit; infinite where there is no detail and the
        depth is that of the surroundings.
    known : bool array (Y, X)
        True where the place itself shows detail.
    image : float32 array (Y, X)
        Extended focus: each place from the frames in which it is sharpest.
    positions : float64 array (n,)
        Increasing.
    order : int array (n,)
        Index of each frame among those that were given.
    similarities : tuple of Similarity
        How each frame (in the order given) lies on the reference.
    """

    depth: Map
    error: Map
    known: NDArray[np.bool_]
    image: Map
    positions: NDArray[np.float64]
    order: NDArray[np.intp]
    similarities: tuple[Similarity, ...]


def depth_map(
    stack: Any,
    positions: ArrayLike | None = None,
    *,
    registered: bool = False,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> DepthMap:
    """Find the height of each place of a field and its sharp image.

    The frames are laid on the middle one, each on its neighbour, since neighbours are alike.  The
    energy of detail (Laplacian of a Gaussian of 2 px, without noise, gain taken out) is averaged
    over 8 px; a parabola through the logarithms at the sharpest frame and its neighbours gives
    the depth, which is smoothed by how sure it is.  The memory is that of three stacks in float32.

    Parameters
    ----------
    stack : array (N, Y, X), Micrograph, path or sequence of images
        Three frames or more of one field.
    positions : array-like (n,), optional
        Focus position of each frame, all different; frame numbers by default.
    registered : bool
        True: the frames lie on each other already.
    progress, cancel : callable, optional

    Returns
    -------
    DepthMap

    Raises
    ------
    InvalidSettings
        Fewer than three frames, different sizes, positions that do not fit or repeat.
    Cancelled
        The user stopped.

    References
    ----------
    Shape from focus: Nayar, Nakagawa, IEEE Trans. Pattern Anal. 16 (1994) 824; measures compared:
    Pertuz, Puig, Garcia, Pattern Recognit. 46 (2013) 1415.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.ndimage import gaussian_filter
    >>> scene = np.random.default_rng(0).normal(100, 20, (96, 96))
    >>> stack = np.stack([gaussian_filter(scene, 1 + abs(z - 2)) for z in range(5)])
    >>> float(np.median(depth_map(stack, registered=True).depth).round(1))
    2.0
    """
    frames = _frames(stack)
    places, order = _places(positions, len(frames))
    frames = [frames[i] for i in order]
    if registered:
        similarities, aligned = [Similarity()] * len(frames), frames
    else:
        similarities = _chain(frames, progress, cancel)
        aligned = [align(f, s)[0] for f, s in zip(frames, similarities, strict=True)]
    stop_if_cancelled(cancel)
    report(progress, len(frames), len(frames) + 1, "measuring depth")
    energy, noise = _energies(aligned)
    depth, error = _sharpest(places, energy, noise)
    known = np.isfinite(error)
    depth = _smoothed(depth, error)
    image = _blend(aligned, places, depth)
    report(progress, len(frames) + 1, len(frames) + 1, "measuring depth")
    given = np.empty(len(order), dtype=object)
    given[order] = similarities
    return DepthMap(depth, error, known, image, places, order, tuple(given))


def extended_focus(
    stack: Any, positions: ArrayLike | None = None, *, registered: bool = False
) -> Map:
    """Make one image that is in focus everywhere.

    Parameters
    ----------
    stack : array (N, Y, X), Micrograph, path or sequence of images
    positions : array-like (n,), optional
    registered : bool
        True: the frames lie on each other already.

    Returns
    -------
    float32 array (Y, X)
        As `DepthMap.image`.

    Raises
    ------
    InvalidSettings
        As `depth_map`.
    """
    return depth_map(stack, positions, registered=registered).image


def _frames(stack: Any) -> list[Map]:
    """Return the grey values of the frames."""
    one = isinstance(stack, str) or hasattr(stack, "ndim") or hasattr(stack, "metadata")
    if one or hasattr(stack, "__fspath__"):
        whole = as_micrograph(stack)
        images = [whole.plane(number) for number in range(whole.n_pages)]
    else:
        images = [as_micrograph(image).plane(0) for image in stack]
    frames = [np.asarray(image.grey, np.float32) for image in images]
    if len(frames) < 3 or len({frame.shape for frame in frames}) > 1:
        raise InvalidSettings(
            "A depth map needs three frames or more of one size.",
            hint="Give a stack (N, Y, X) or a list of images.",
        )
    picture_of(images[0])  # says what is too small
    return frames


def _places(
    positions: ArrayLike | None, count: int
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return positions in order, and the order."""
    places = np.arange(count, dtype=float) if positions is None else np.asarray(positions, float)
    if places.shape != (count,) or not np.isfinite(places).all():
        raise InvalidSettings(f"{places.size} positions do not fit {count} frames.")
    if len(np.unique(places)) < count:
        raise InvalidSettings(
            "Two frames have the same position.", hint="Average them, or leave one out."
        )
    order = np.argsort(places)
    return places[order], order


def _chain(
    frames: Sequence[Map], progress: Progress | None, cancel: Cancel | None
) -> list[Similarity]:
    """Lay every frame on the middle one, by way of its neighbours."""
    middle = len(frames) // 2
    found = {middle: Similarity()}
    steps = [(i, i - 1) for i in range(middle + 1, len(frames))]
    steps += [(i, i + 1) for i in range(middle - 1, -1, -1)]
    for done, (number, neighbour) in enumerate(steps):
        stop_if_cancelled(cancel)
        report(progress, done, len(frames) + 1, "laying frames on each other")
        own = register(frames[neighbour], frames[number])
        before = found[neighbour]
        matrix = own.matrix @ before.matrix
        shift = own.matrix @ np.array(before.shift) + np.array(own.shift)
        rotation = float(np.arctan2(matrix[1, 0], matrix[0, 0]))
        scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
        found[number] = Similarity((float(shift[0]), float(shift[1])), rotation, scale)
    return [found[number] for number in range(len(frames))]


def _energies(frames: Sequence[Map]) -> tuple[Map, NDArray[np.float64]]:
    """Return the net energy of detail of each frame and place, and its standard error by noise."""
    from scipy.ndimage import gaussian_filter, gaussian_laplace

    # white noise of variance 1 leaves this energy; its average over the window scatters by ...
    white = 1 / (2 * np.pi * _DETAIL_PX**6)
    independent = 1 + 2 * (_WINDOW_PX / _DETAIL_PX) ** 2
    energies, errors = [], []
    for frame in frames:
        ground = gaussian_filter(frame, _GROUND_PX)
        gain = float(np.var(ground)) or 1.0
        noise = _noise(frame) ** 2
        detail = gaussian_filter(gaussian_laplace(frame, _DETAIL_PX) ** 2, _WINDOW_PX)
        energies.append((detail - white * noise) / gain)
        errors.append(white * noise * np.sqrt(2 / independent) / gain)
    return np.stack(energies).astype(np.float32), np.array(errors)


def _noise(frame: Map) -> float:
    """Return the standard deviation of white noise, by a mask that takes out edges and ramps."""
    from scipy.ndimage import convolve

    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    return float(_NOISE_MAD * np.median(np.abs(convolve(frame, mask))) / _IMMERKAER)


def _sharpest(
    places: NDArray[np.float64], energy: Map, noise: NDArray[np.float64]
) -> tuple[Map, Map]:
    """Return where each place is sharpest and the standard error; infinite without detail."""
    count = len(places)
    top = np.argmax(energy, axis=0)
    inner = np.clip(top, 1, count - 2)
    floor = np.maximum(noise[:, None, None], 1e-4 * energy.max(axis=0))
    rows, columns = np.ogrid[: top.shape[0], : top.shape[1]]

    def at(number: NDArray[np.intp]) -> tuple[NDArray[np.float64], ...]:
        value = np.maximum(energy[number, rows, columns], floor[number, rows, columns])
        return places[number], np.log(value), noise[number] / value

    (x0, y0, e0), (x1, y1, e1), (x2, y2, e2) = at(inner - 1), at(inner), at(inner + 1)
    first, second = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = (second - first) / (x2 - x0)
    curved = bend < 0
    bend = np.where(curved, bend, -1.0)
    vertex = 0.5 * (x0 + x1) - 0.5 * first / bend
    best = np.where(curved, np.clip(vertex, x0, x2), places[top])
    best = np.clip(best, places[0], places[-1])
    # even spacing: the derivative of the vertex by the logarithms at both sides
    slope = 0.25 * (x2 - x0) / np.maximum(-bend * (0.5 * (x2 - x0)) ** 2, 1e-6)
    error = np.hypot(slope * np.hypot(e0, e2), slope * e1)
    sharp = energy.max(axis=0)
    stands_out = sharp - energy.min(axis=0) > _BELIEVED * np.sqrt(2) * noise.max()
    stands_out &= sharp > _BELIEVED * noise[top]
    error = np.where(stands_out & curved, np.maximum(error, 1e-6), np.inf)
    return best.astype(np.float32), error.astype(np.float32)


def _smoothed(depth: Map, error: Map) -> Map:
    """Smooth the depth by how sure it is; carry it over places without detail."""
    from scipy.ndimage import gaussian_filter

    known = np.isfinite(error)
    if not known.any():
        return np.full_like(depth, np.median(depth))
    typical = float(np.median(error[known]))
    weight = np.zeros_like(depth)
    weight[known] = 1 / (error[known] ** 2 + typical**2)
    value = np.where(known, depth, 0.0)
    result = np.zeros_like(depth)
    left = np.ones_like(depth)
    for sigma in (_SMOOTH_PX, _FAR_SMOOTH_PX):
        total = gaussian_filter(weight, sigma)
        mean = gaussian_filter(weight * value, sigma) / np.maximum(total, 1e-30)
        share = np.clip(total * typical**2 / 0.05, 0, 1)
        result += left * share * mean
        left *= 1 - share
    overall = float((weight * value).sum() / weight.sum())
    return (result + left * overall).astype(np.float32)


def _matched(frames: Sequence[Map]) -> list[Map]:
    """Give all frames the gain and the level of the middle one, so that no seam shows."""
    from scipy.ndimage import gaussian_filter

    coarse = [gaussian_filter(frame, _FAR_SMOOTH_PX / 2) for frame in frames]
    levels = [(float(c.mean()), float(c.std())) for c in coarse]
    mean, spread = levels[len(frames) // 2]
    return [
        ((frame - own) * np.float32(spread / (wide or 1.0)) + mean).astype(np.float32)
        for frame, (own, wide) in zip(frames, levels, strict=True)
    ]


def _blend(frames: Sequence[Map], places: NDArray[np.float64], depth: Map) -> Map:
    """Take each place from the two frames between which it is sharpest, weighted by nearness."""
    stack = np.stack(_matched(frames))
    low = np.clip(np.searchsorted(places, depth) - 1, 0, len(places) - 2)
    share = np.clip((depth - places[low]) / (places[low + 1] - places[low]), 0, 1)
    rows, columns = np.ogrid[: depth.shape[0], : depth.shape[1]]
    below, above = stack[low, rows, columns], stack[low + 1, rows, columns]
    return ((1 - share) * below + share * above).astype(np.float32)
