"""Segmentation by a network of the registry: look at several scales, decode, fuse."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.segmentation.candidates import FEATURES, Look
from napari_sem_tools.segmentation.fusion import fuse
from napari_sem_tools.segmentation.instances import Decoding
from napari_sem_tools.segmentation.looking import Looker, fill_holes, scaled_grey
from napari_sem_tools.settings import Settings, described
from napari_sem_tools.tasks import Cancel, Progress, part_of, report, stop_if_cancelled

__all__ = ["MAPS", "NetworkSettings", "fill_holes", "scaled_grey", "segment_by_network"]

Labels = NDArray[np.int32]

MAPS = ("foreground", "border", "distance")
"""Channels of a network that separates particles."""

_SCALES = (1.0, 0.5, 0.25, 0.125)
_ENLARGED = 2.0  # looked at too when the particles are too small to be seen well
_SMALL = 0.85  # of the trained object size
_LARGEST_ENLARGED_PX = 2048  # edge of an image that is still doubled
_LOG_WIDTH = FEATURES.index("log_width_px")
_LEAST_EDGE_PX = 32  # a smaller image is not scaled down


@dataclasses.dataclass(frozen=True)
class NetworkSettings(Settings):
    """Settings of a segmentation by a network; None is found from the image.

    Attributes
    ----------
    diameter_px : float or None
        Diameter of a usual particle: the image is looked at once, at the scale that suits
        it.  None: at several scales, and each particle is taken where it is seen best.
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
    average_flips : bool
        Average over the mirrored images: four times as slow, a little surer.
    device : {"auto", "cuda", "mps", "cpu", "subprocess"}
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
    ] = 0.4
    fill_holes: Annotated[bool, described("Fill holes inside particles")] = True
    average_flips: Annotated[
        bool, described("Average over mirrored images: four times as slow, a little surer")
    ] = False
    device: Annotated[
        Literal["auto", "cuda", "mps", "cpu", "subprocess"],
        described("Where the network runs; auto: as the preferences say"),
    ] = "auto"

    def decoding(self) -> Decoding:
        """Return how the maps of a single look are turned into particles."""
        return dataclasses.replace(self.candidates(), min_confidence=self.least_confidence)

    def candidates(self) -> Decoding:
        """Return how the maps are turned into what the judge chooses from."""
        return Decoding(foreground=1 - self.sensitivity, split_border=1 - self.split_strength)


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
    Without `diameter_px` the image is looked at in full, half, quarter and eighth size, and
    doubled when its particles are too small for the network.  A judge fitted on simulated
    pictures gives each particle of each look the probability that it is right, from what the
    network says of it and from what the finer and the coarser look say there; of particles
    that lie over one another the most probable is kept.  That probability is the confidence
    of the result.
    """
    from napari_sem_tools import models

    wish = settings or NetworkSettings()
    counts = image.field if field is None else image.field & field
    with models.lease(model, device=wish.device) as loaded:
        _check_channels(loaded.card)
        card = loaded.card
        grey = scaled_grey(image.grey, counts, card.input)
        short: list[str] = []  # what was done because memory was short
        scales = _scales(card, wish, image.shape)
        how = wish.decoding() if len(scales) == 1 else wish.candidates()
        see = Looker(
            loaded, grey, counts, how, fill=wish.fill_holes, flips=wish.average_flips, notes=short
        )
        shares = np.cumsum([0, *(max(scale, 0.25) ** 2 for scale in scales)])
        shares = shares / (shares[-1] * (1.0 if len(scales) == 1 else 1.05))
        looks = [
            see(scale, part_of(progress, shares[k], shares[k + 1]), cancel)
            for k, scale in enumerate(scales)
        ]
        found = _Found.of(looks, wish.least_confidence)
        if len(looks) > 1 and _too_small(looks, card, image.shape):
            looks.insert(0, see(_ENLARGED, part_of(progress, 0.96, 0.98), cancel))
            found = _Found.of(looks, wish.least_confidence)
    labels, kept = _on_field(found.labels, counts, wish)
    stop_if_cancelled(cancel)
    report(progress, 1, 1, "done")
    return Segmentation(
        labels,
        found.confidence[kept].astype(np.float32),
        method=card.name,
        settings=wish.to_dict() | {"scale": found.usual_scale},
        model=card.identity,
        image=image.identity(),
        notes=(*dict.fromkeys(short), *_notes(found, card)),
    )


@dataclasses.dataclass(frozen=True, eq=False)
class _Found:
    """Particles of all looks together."""

    labels: Labels
    confidence: NDArray[Any]
    scale: NDArray[Any]
    looks: tuple[float, ...]

    @classmethod
    def of(cls, looks: list[Look], least: float) -> _Found:
        """Fuse the looks; a single one is what it is."""
        scales = tuple(look.scale for look in looks)
        if len(looks) > 1:
            return cls(*fuse(looks, least=least), scales)
        (look,) = looks
        return cls(look.labels, look.own[:, 0], np.full(look.count, look.scale), scales)

    @property
    def usual_scale(self) -> float:
        """Scale at which most of the area was seen."""
        if not len(self.scale):
            return self.looks[0]
        area = np.bincount(self.labels.ravel(), minlength=len(self.scale) + 1)[1:]
        seen, inverse = np.unique(self.scale, return_inverse=True)
        return float(seen[np.argmax(np.bincount(inverse, area))])

    def seen_diameter_px(self) -> float:
        """Median equivalent circle diameter on the grid that the network saw."""
        area = np.bincount(self.labels.ravel(), minlength=len(self.scale) + 1)[1:]
        width = np.sqrt(4 / np.pi * area) * self.scale
        return float(np.median(width[area > 0])) if area.any() else 0.0


def _check_channels(card: Any) -> None:
    """Refuse a model whose answer is not the three maps."""
    names = tuple(channel.name for channel in card.outputs)
    if names != MAPS:
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


def _too_small(looks: list[Look], card: Any, shape: tuple[int, int]) -> bool:
    """Tell whether what the full size shows would be seen better enlarged.

    All that this look found is asked, not what was kept of it: of small particles much is
    judged improbable before they are seen enlarged.  Where no look found anything, the
    particles may be too small to be seen at all.
    """
    usual = card.input.object_size_px
    if not usual or max(shape) > _LARGEST_ENLARGED_PX:
        return False
    full = looks[0]
    if not full.count:
        return not any(look.count for look in looks)
    width = np.sqrt(4 / np.pi) * np.exp(np.median(full.own[:, _LOG_WIDTH]))
    return bool(width < _SMALL * float(usual))


def _on_field(
    labels: Labels, field: NDArray[np.bool_], wish: NetworkSettings
) -> tuple[Labels, NDArray[np.intp]]:
    """Cut at the field's border, drop what is too small, number from 1 from the top down."""
    labels = np.where(field, labels, 0)
    count = int(labels.max(initial=0))
    area = np.bincount(labels.ravel(), minlength=count + 1)
    keep = (area > 0) & (area >= np.pi / 4 * (wish.min_size_px or 0) ** 2)
    keep[0] = False
    first = np.zeros(count + 1, np.int64)
    first[labels.ravel()[::-1]] = np.arange(labels.size)[::-1]  # the first pixel is written last
    kept = np.flatnonzero(keep)
    kept = kept[np.argsort(first[kept])]
    numbers = np.zeros(count + 1, np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[labels], kept - 1


def _notes(found: _Found, card: Any) -> tuple[str, ...]:
    """Say at which scales the network looked, and when sizes are outside what it learned."""
    sizes = ", ".join(f"{scale:g}" for scale in found.looks)
    notes = [f"The network saw the image at {sizes} of its size."]
    if len(found.looks) > 1 and len(found.scale):
        notes.append(f"Most of what it found was seen best at {found.usual_scale:g}.")
    usual = card.input.object_size_px
    if usual and len(found.scale):
        median = found.seen_diameter_px()
        if not usual / 4 <= median <= usual * 4:
            notes.append(
                f"The particles are {median:.0f} px wide at that scale; the network learned "
                f"from particles of about {usual:.0f} px, so look at the outlines with care."
            )
    return tuple(notes)
