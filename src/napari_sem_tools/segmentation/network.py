"""Segmentation by a network of the registry: resample, predict, decode, choose the scale."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.segmentation.instances import Decoding, decode
from napari_sem_tools.settings import Settings, described
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["NetworkSettings", "fill_holes", "scaled_grey", "segment_by_network"]

Image = NDArray[np.float32]
Labels = NDArray[np.int32]

_SCALES = (1.0, 0.5, 0.25)
_ENLARGED = 2.0  # tried when the particles at full size are too small to be seen well
_SMALL = 0.5  # of the trained object size
_LARGEST_ENLARGED_PX = 2048  # edge of an image that is still doubled
_COUNT_POWER = 0.25  # chosen on simulated scenes and the licence-clean sets: mean AP 0.36 to 0.41
_LEAST_EDGE_PX = 32  # a smaller image is not scaled down
_LEAST_RANGE = 1e-3  # of the largest grey value: an even image is not blown up to noise


@dataclasses.dataclass(frozen=True)
class NetworkSettings(Settings):
    """Settings of a segmentation by a network; None is found from the image.

    Attributes
    ----------
    diameter_px : float or None
        Diameter of a usual particle; None: several scales are tried and the one the
        network is surest of is taken.
    sensitivity : float
        Higher: fainter pixels count as particle.
    split_strength : float
        0: touching particles stay together; 1: they are cut at the faintest border.
    min_size_px : float or None
        Smallest equivalent circle diameter; None: what the network can see.
    least_confidence : float
        Less certain particles are dropped.
    fill_holes : bool
        Fill holes inside particles.
    device : {"auto", "cuda", "mps", "cpu"}
        Where the network runs.

    Examples
    --------
    >>> NetworkSettings(diameter_px=40).split_strength
    0.5
    """

    diameter_px: Annotated[
        float | None, described("Diameter of a usual particle in px", min=2, max=100_000)
    ] = None
    sensitivity: Annotated[
        float, described("Higher: fainter pixels are particle", min=0.05, max=0.95, step=0.05)
    ] = 0.5
    split_strength: Annotated[
        float, described("How readily touching particles are cut apart", min=0, max=1, step=0.05)
    ] = 0.5
    min_size_px: Annotated[
        float | None, described("Smallest equivalent circle diameter in px", min=0, max=100_000)
    ] = None
    least_confidence: Annotated[
        float, described("Less certain particles are dropped", min=0, max=1, step=0.05)
    ] = 0.5
    fill_holes: Annotated[bool, described("Fill holes inside particles")] = True
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu"],
        described("Where the network runs; auto: as the preferences say"),
    ] = "auto"

    def decoding(self) -> Decoding:
        """Return how the maps are turned into particles."""
        return Decoding(
            foreground=1 - self.sensitivity,
            split_border=1 - self.split_strength,
            min_confidence=self.least_confidence,
        )


@dataclasses.dataclass(frozen=True, eq=False)
class _Try:
    """What one scale gave."""

    scale: float
    labels: Labels
    confidence: NDArray[np.float32]
    certainty: float

    @property
    def median_diameter_px(self) -> float:
        """Median equivalent circle diameter on the image's own grid."""
        area = np.bincount(self.labels.ravel())[1:]
        return float(np.sqrt(4 / np.pi * np.median(area[area > 0]))) if area.any() else 0.0


def segment_by_network(
    model: str,
    image: Micrograph,
    field: NDArray[np.bool_] | None = None,
    *,
    settings: NetworkSettings | None = None,
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Segmentation:
    """Find particles with a model of the registry.

    Parameters
    ----------
    model : str
        Name, or name and version.
    image : Micrograph
        One plane.
    field : bool array (Y, X), optional
        Region to look at, within the image's own field.
    settings : NetworkSettings, optional
    progress, cancel : callable, optional

    Returns
    -------
    Segmentation

    Raises
    ------
    ModelNotFound, UntrustedModel, MissingExtra, Cancelled

    Notes
    -----
    Without `diameter_px` the image is tried at full, half and quarter size, and doubled when
    the particles at full size are too small for the network.  The scale is
    taken whose particles the network is surest of: the mean confidence weighted by area,
    times the mean distance of the foreground map from undecided, times the fourth root of
    the number of particles: where it is as sure of many small ones as of one large one, the
    large one is mostly what lies between them.  No truth enters it.
    """
    from napari_sem_tools import models

    wish = settings or NetworkSettings()
    counts = image.field if field is None else image.field & field
    with models.lease(model, device=wish.device) as loaded:
        _check_channels(loaded.card)
        card = loaded.card
        grey = scaled_grey(image.grey, counts, card.input)
        scales = list(_scales(card, wish, image.shape))
        tries: list[_Try] = []
        short: list[str] = []  # what was done because memory was short
        most = len(scales) + (len(scales) > 1)  # one more may follow; progress only rises
        while len(tries) < len(scales):
            stop_if_cancelled(cancel)
            step = part_of(progress, len(tries) / most, (len(tries) + 1) / most)
            scale = scales[len(tries)]
            look = functools.partial(loaded.predict, notes=short, progress=step, cancel=cancel)
            tries.append(_try(look, grey, counts, scale, wish=wish, cancel=cancel))
            best = max(tries, key=lambda each: each.certainty)
            if 1 < len(tries) == len(scales) < most and _too_small(best, card, image.shape):
                scales.append(_ENLARGED)
    labels, confidence = _on_field(best.labels, best.confidence, counts, wish)
    stop_if_cancelled(cancel)
    report(progress, 1, 1, "done")
    return Segmentation(
        labels,
        confidence,
        method=card.name,
        settings=wish.to_dict() | {"scale": best.scale},
        model=card.identity,
        image=image.identity(),
        notes=(*dict.fromkeys(short), *_notes(best, card, labels)),
    )


def scaled_grey(grey: NDArray[Any], field: NDArray[np.bool_], spec: Any) -> Image:
    """Scale grey values by the percentiles that a card asks for, inside the field alone.

    Parameters
    ----------
    grey : array (Y, X)
    field : bool array (Y, X)
    spec : InputSpec
        Of the card.

    Returns
    -------
    float32 array (Y, X)
        The clip limits are 0 and 1; values beyond them are kept.  What is outside the
        field has the field's median.
    """
    values = np.asarray(grey, np.float32)
    inside = field & np.isfinite(values)
    if not inside.any():
        return np.zeros(values.shape, np.float32)
    seen = values[inside]
    limits = (spec.clip_low_percent, spec.clip_high_percent)
    low, middle, high = np.percentile(seen, [limits[0], 50, limits[1]])
    span = max(high - low, _LEAST_RANGE * max(abs(low), abs(high)), 1e-12)
    return np.asarray((np.where(inside, values, middle) - low) / span, np.float32)


def fill_holes(labels: Labels) -> Labels:
    """Give every hole that lies in a single particle to that particle.

    Parameters
    ----------
    labels : int32 array (Y, X)

    Returns
    -------
    int32 array (Y, X)

    Examples
    --------
    >>> ring = np.pad(np.zeros((1, 1), np.int32), 1, constant_values=3)
    >>> fill_holes(np.pad(ring, 1)).max(axis=0).tolist()
    [0, 3, 3, 3, 0]
    """
    from scipy.ndimage import label

    holes, count = label(np.pad(labels == 0, 1, constant_values=True))
    holes = holes[1:-1, 1:-1]
    outside = np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]]))
    largest, smallest = np.zeros(count + 1, np.int64), np.full(count + 1, np.iinfo(np.int64).max)
    for axis in (0, 1):
        first, last = range(labels.shape[axis] - 1), range(1, labels.shape[axis])
        for here, there in ((first, last), (last, first)):
            hole = np.take(holes, here, axis).ravel()
            beside = np.take(labels, there, axis).ravel()
            touch = (hole > 0) & (beside > 0)
            np.maximum.at(largest, hole[touch], beside[touch])
            np.minimum.at(smallest, hole[touch], beside[touch])
    owner = np.where(largest == smallest, largest, 0)
    owner[outside] = 0
    owner[0] = 0
    return np.asarray(np.where(labels > 0, labels, owner[holes]), np.int32)


def _check_channels(card: Any) -> None:
    """Refuse a model whose answer is not the three maps."""
    names = tuple(channel.name for channel in card.outputs)
    if names != ("foreground", "border", "distance"):
        raise InvalidSettings(
            f"The model {card.key} gives {', '.join(names) or 'nothing'}, not particles.",
            hint="Choose a model of the task segmentation with foreground, border, distance.",
        )


def _scales(card: Any, wish: NetworkSettings, shape: tuple[int, int]) -> tuple[float, ...]:
    """Choose the scales to try: one when the size is known."""
    if wish.diameter_px is not None and card.input.object_size_px:
        scale = float(np.clip(card.input.object_size_px / wish.diameter_px, 1 / 32, 4))
        return (scale,)
    return tuple(s for s in _SCALES if s == 1 or s * min(shape) >= _LEAST_EDGE_PX)


def _too_small(best: _Try, card: Any, shape: tuple[int, int]) -> bool:
    """Tell whether the particles of the best try so far would be seen better enlarged."""
    usual = card.input.object_size_px
    if best.scale != 1 or not usual or not len(best.confidence):
        return False
    if max(shape) > _LARGEST_ENLARGED_PX:
        return False
    return best.median_diameter_px < _SMALL * float(usual)


def _try(
    look: Callable[[Image], NDArray[np.float32]],
    grey: Image,
    field: NDArray[np.bool_],
    scale: float,
    *,
    wish: NetworkSettings,
    cancel: Cancel | None,
) -> _Try:
    """Predict and decode at one scale; return the labels on the image's grid."""
    maps = look(_resampled(grey, scale))
    small_field = _nearest(field, maps.shape[1:], 1 / scale)
    maps = maps * small_field
    labels, confidence = decode(maps, wish.decoding(), cancel=cancel)
    area = np.bincount(labels.ravel(), minlength=len(confidence) + 1)[1:]
    sure = float((area * confidence).sum() / area.sum()) if len(area) else 0.0
    decided = np.abs(2 * maps[0] - 1)[small_field]
    certainty = sure * float(decided.mean()) if decided.size else 0.0
    certainty *= len(confidence) ** _COUNT_POWER
    labels = np.asarray(_nearest(labels, grey.shape, scale), np.int32)
    return _Try(scale, labels, confidence, certainty)


def _resampled(grey: Image, scale: float) -> Image:
    """Scale an image, averaging over what becomes one pixel."""
    from skimage.transform import rescale

    if scale == 1:
        return grey
    step = round(1 / scale)
    if step > 1 and scale * step == 1:
        rows, columns = (-(-n // step) * step for n in grey.shape)
        edges = [(0, rows - grey.shape[0]), (0, columns - grey.shape[1])]
        whole = np.pad(grey, edges, mode="edge")
        blocks = whole.reshape(rows // step, step, columns // step, step)
        return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
    scaled = rescale(grey, scale, order=1, mode="edge", anti_aliasing=scale < 1)
    return np.asarray(scaled, np.float32)


def _nearest(image: NDArray[Any], shape: tuple[int, ...], ratio: float) -> NDArray[Any]:
    """Bring an image to another grid of the same field; a pixel there is `ratio` pixels here."""
    if image.shape == tuple(shape) and ratio == 1:
        return image
    indices = [
        np.minimum(((np.arange(m) + 0.5) * ratio).astype(int), n - 1)
        for n, m in zip(image.shape, shape, strict=True)
    ]
    return np.asarray(image[np.ix_(*indices)])


def _on_field(
    labels: Labels,
    confidence: NDArray[np.float32],
    field: NDArray[np.bool_],
    wish: NetworkSettings,
) -> tuple[Labels, NDArray[np.float32]]:
    """Fill holes, cut at the field's border, drop what is too small, number from 1."""
    labels = fill_holes(labels) if wish.fill_holes else labels
    labels = np.where(field, labels, 0)
    area = np.bincount(labels.ravel(), minlength=len(confidence) + 1)
    least = np.pi / 4 * (wish.min_size_px or 0) ** 2
    keep = (area > 0) & (area >= least)
    keep[0] = False
    numbers = np.where(keep, np.cumsum(keep), 0).astype(np.int32)
    return numbers[labels], confidence[keep[1:]]


def _notes(best: _Try, card: Any, labels: Labels) -> tuple[str, ...]:
    """Say at which scale the network looked, and when sizes are outside what it learned."""
    notes = [f"The network saw the image at {best.scale:g} of its size."]
    usual = card.input.object_size_px
    if usual and labels.any():
        median = best.median_diameter_px * best.scale
        if not usual / 4 <= median <= usual * 4:
            notes.append(
                f"The particles are {median:.0f} px wide at that scale; the network learned "
                f"from particles of about {usual:.0f} px, so look at the outlines with care."
            )
    return tuple(notes)
