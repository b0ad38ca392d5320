"""The classical method, in steps that a slider re-applies one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.micrograph import ImageIdentity, Micrograph, Segmentation
from napari_sem_tools.segmentation.filters import Bool, Map, shrunk, smoothed
from napari_sem_tools.segmentation.finish import (
    edge_confidence,
    on_full_grid,
    renumbered,
    touching_border,
)
from napari_sem_tools.segmentation.grey import normalized
from napari_sem_tools.segmentation.levels import Level, background_trend, choose_level
from napari_sem_tools.segmentation.merging import Adjacency, describe, join
from napari_sem_tools.segmentation.object_scale import usual_diameter, weighted_median
from napari_sem_tools.segmentation.pieces import Cues, Pieces, cut_into_pieces, grey_cues
from napari_sem_tools.segmentation.plan import ThresholdPlan
from napari_sem_tools.segmentation.polarity import particle_likeness, polarity_score
from napari_sem_tools.segmentation.settings import ThresholdSettings

__all__ = ["ThresholdSession"]

Labels = NDArray[np.int32]
Made = TypeVar("Made")

_SMOOTHING_PX = 1.5
_WORKING_DIAMETER_PX = 40  # larger particles are separated on a smaller image
_CLEAR_POLARITY = 2.5  # of some 6
_TRIAL_SIDE_PX = 250
_TRIAL_WEIGHT = 10.0  # of the likeness, 0 to 1, against the score of the outlines
_SMALLEST = 0.25  # of the usual diameter found
_SMALLEST_PX = 3.0


@dataclasses.dataclass(frozen=True, eq=False)
class _Ground:
    """The image with bright particles, smoothed, without trend, and its level."""

    values: Map
    smooth: Map
    gradient: Map
    level: Level
    sigma: float
    polarity: str


@dataclasses.dataclass(frozen=True, eq=False)
class _Cut:
    """Foreground, pieces of it on the smaller grid, and what describes them."""

    foreground: Bool
    pieces: Pieces
    adjacency: Adjacency


class ThresholdSession:
    """Find particles in one image again and again while the settings change.

    The smoothed image, the trend, the distance map and the pieces are kept, so that moving
    the split strength or the smallest size computes neither again, and moving the level
    computes the image's part only once.

    Parameters
    ----------
    image : Micrograph or array (Y, X)
    field : bool array (Y, X), optional
        Pixels that count; those outside the micrograph's own field do not count either.

    Examples
    --------
    >>> image = np.zeros((64, 64), np.uint8)
    >>> image[16:32, 16:32] = 200
    >>> session = ThresholdSession(image)
    >>> int(session.labels().max()), int(session.labels(ThresholdSettings(edge="remove")).max())
    (1, 1)
    """

    def __init__(self, image: Micrograph | NDArray[Any], *, field: Bool | None = None) -> None:
        record = image if isinstance(image, Micrograph) else Micrograph(np.asarray(image))
        if record.axes == "NYX":
            raise InvalidSettings(
                f"This is a stack of {record.n_pages} images.",
                hint="Choose a page: image.plane(0).",
            )
        self._record = record
        self._image = normalized(
            record.grey, record.field if field is None else record.field & field
        )
        self._identity: ImageIdentity | None = None
        self._kept: dict[str, tuple[Hashable, Any]] = {}

    # --- what the user calls ----------------------------------------------------------

    def plan(self, settings: ThresholdSettings | None = None) -> ThresholdPlan:
        """Resolve settings and image into what will be done.

        Parameters
        ----------
        settings : ThresholdSettings, optional

        Returns
        -------
        ThresholdPlan
        """
        wish = _checked(settings)
        if self._image.is_flat:
            return self._empty_plan(wish)
        ground, image = self._ground(wish), self._image
        sign = 1 if ground.polarity == "bright" else -1
        value = ground.level.value + wish.offset * ground.level.contrast
        diameter, smallest = self._diameter(wish), wish.min_size_px
        if smallest is None:
            smallest = max(_SMALLEST_PX, _SMALLEST * self._found_diameter(wish))
        return ThresholdPlan(
            settings=wish,
            shape=self._record.shape,
            n_field=int(image.field.sum()),
            polarity=ground.polarity,
            threshold=ground.level.name,
            level=image.low + image.span * (value if sign > 0 else 1 - value),
            contrast=image.span * ground.level.contrast,
            smoothing_px=ground.sigma,
            diameter_px=diameter,
            min_size_px=smallest,
            factor=_factor(diameter),
        )

    def labels(self, settings: ThresholdSettings | None = None) -> Labels:
        """Find the particles.

        Parameters
        ----------
        settings : ThresholdSettings, optional

        Returns
        -------
        int32 array (Y, X)
            Consecutive from 1; 0 is background and all outside the field.
        """
        wish = _checked(settings)
        plan = self.plan(wish)
        if plan.contrast <= 0:
            return np.zeros(self._record.shape, np.int32)
        labels, area = self._particles(wish)
        keep = area >= np.pi / 4 * plan.min_size_px**2
        keep[0] = False
        if wish.edge == "remove":
            keep[touching_border(labels, self._border_field())] = False
        return renumbered(labels, keep)

    def foreground(self, settings: ThresholdSettings | None = None) -> Bool:
        """Find the pixels of particles, before they are cut apart and small ones dropped.

        Parameters
        ----------
        settings : ThresholdSettings, optional

        Returns
        -------
        bool array (Y, X)
        """
        wish = _checked(settings)
        if self._image.is_flat:
            return np.zeros(self._record.shape, bool)
        return self._foreground(wish, wish.offset)

    def segmentation(self, settings: ThresholdSettings | None = None) -> Segmentation:
        """Find the particles, with their confidence and the settings as resolved.

        Parameters
        ----------
        settings : ThresholdSettings, optional

        Returns
        -------
        Segmentation
        """
        wish = _checked(settings)
        plan, labels = self.plan(wish), self.labels(wish)
        confidence = np.zeros(0, np.float32)
        if labels.any():
            ground = self._ground(wish)
            confidence = edge_confidence(
                labels, ground.gradient, contrast=ground.level.contrast, sigma=ground.sigma
            )
        if self._identity is None:
            self._identity = self._record.identity()
        return Segmentation(
            labels=labels,
            confidence=confidence,
            method="threshold",
            settings=plan.resolved.to_dict(),
            image=self._identity,
            notes=plan.notes,
        )

    # --- steps, each kept until what it depends on changes ------------------------------

    def _keep(self, name: str, key: Hashable, make: Callable[[], Made]) -> Made:
        """Return what was made for this key, or make it and forget the last."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != key:
            kept = self._kept[name] = (key, make())
        made: Made = kept[1]
        return made

    def _polarity(self) -> str:
        """Find the polarity once for the image."""
        score = self._keep("polarity", 0, self._make_polarity)
        return "bright" if score > 0 else "dark"

    def _make_polarity(self) -> float:
        """Ask the outlines; where they are undecided, try both on a small image."""
        values, field = self._image.values, self._image.field
        score = polarity_score(values, field)
        if abs(score) >= _CLEAR_POLARITY:
            return score
        factor = max(1, min(values.shape) // _TRIAL_SIDE_PX)
        small = np.where(shrunk(field, factor) > 0.99, shrunk(values, factor), np.nan)
        session = ThresholdSession(small.astype(np.float32))
        bright, dark = (
            particle_likeness(session.segmentation(ThresholdSettings(polarity=polarity)))
            for polarity in ("bright", "dark")
        )
        return score + _TRIAL_WEIGHT * (bright - dark)

    def _ground(self, wish: ThresholdSettings) -> _Ground:
        """Smooth, take the trend out and find the level."""
        return self._keep("ground", _ground_key(wish), lambda: self._make_ground(wish))

    def _make_ground(self, wish: ThresholdSettings) -> _Ground:
        image = self._image
        polarity = self._polarity() if wish.polarity == "auto" else wish.polarity
        values = image.values if polarity == "bright" else 1 - image.values
        sigma = _SMOOTHING_PX if wish.smoothing_px is None else wish.smoothing_px
        smooth = smoothed(values, sigma)
        manual = wish.threshold == "manual"
        if wish.remove_background and not manual:
            smooth = smooth - background_trend(smooth, image.field)
        gradient = _gradient(smooth)
        if manual:
            value = (float(wish.level or 0.0) - image.low) / image.span
            value = value if polarity == "bright" else 1 - value
            level = Level.at(value, smooth, gradient, field=image.field, name="manual")
        else:
            level = choose_level(smooth, gradient, field=image.field, method=wish.threshold)
        return _Ground(values, smooth, gradient, level, sigma, polarity)

    def _foreground(self, wish: ThresholdSettings, offset: float) -> Bool:
        """Pixels of particles."""
        ground = self._ground(wish)
        shift = np.float32(offset * ground.level.contrast)
        above = (ground.smooth > ground.level.surface + shift) & self._image.field
        if wish.fill_holes:
            above = np.asarray(ndimage.binary_fill_holes(above)) & self._image.field
        return np.asarray(above, bool)

    def _diameter(self, wish: ThresholdSettings) -> float:
        """Diameter of a usual particle: typed, or from the widths of the foreground."""
        if wish.diameter_px is not None:
            return wish.diameter_px
        key = (_ground_key(wish), wish.fill_holes)
        return self._keep(
            "diameter", key, lambda: usual_diameter(self._foreground(wish, offset=0.0))
        )

    def _cues(self, wish: ThresholdSettings, factor: int) -> Cues:
        """Compute what grey values tell about limits, on the smaller grid."""
        ground = self._ground(wish)
        key = (_ground_key(wish), factor)
        return self._keep(
            "cues", key, lambda: grey_cues(shrunk(ground.values, factor), ground.level.contrast)
        )

    def _cut(self, wish: ThresholdSettings) -> _Cut:
        """Cut the foreground into pieces."""
        diameter = self._diameter(wish)
        key = (_ground_key(wish), wish.offset, wish.fill_holes, diameter)
        return self._keep("cut", key, lambda: self._make_cut(wish, diameter))

    def _make_cut(self, wish: ThresholdSettings, diameter: float) -> _Cut:
        factor = _factor(diameter)
        foreground = self._foreground(wish, wish.offset)
        cues = self._cues(wish, factor)
        small = shrunk(foreground, factor) > 0.5 if factor > 1 else foreground
        pieces = cut_into_pieces(small, cues, diameter=diameter / factor)
        return _Cut(foreground, pieces, describe(pieces, cues))

    def _particles(self, wish: ThresholdSettings) -> tuple[Labels, NDArray[np.int64]]:
        """Join pieces; labels on the image's grid and their areas, whatever their size."""
        cut = self._cut(wish)
        key = (id(cut), wish.split_strength)

        def make() -> tuple[Labels, NDArray[np.int64]]:
            owner = join(cut.adjacency, wish.split_strength)
            labels = owner.astype(np.int32)[cut.pieces.labels]
            labels = on_full_grid(labels, _factor(self._diameter(wish)), cut.foreground)
            return labels, np.bincount(labels.ravel(), minlength=1)

        return self._keep("particles", key, make)

    def _found_diameter(self, wish: ThresholdSettings) -> float:
        """Median diameter of what was found, weighted by area."""
        area = self._particles(wish)[1][1:].astype(np.float32)
        area = area[area > 0]
        return weighted_median(np.sqrt(4 / np.pi * area), area) if area.size else 0.0

    def _border_field(self) -> Bool:
        """Where a particle may be without being cut: burnt-in letters cut nothing."""
        marks = self._record.marks
        return self._image.field if marks is None else self._image.field | marks

    def _empty_plan(self, wish: ThresholdSettings) -> ThresholdPlan:
        """Plan for an image in which there is nothing to see."""
        n_field = int(self._image.field.sum())
        note = "The image has one grey value only." if n_field else "No pixel is in the field."
        return ThresholdPlan(
            settings=wish,
            shape=self._record.shape,
            n_field=n_field,
            polarity="bright" if wish.polarity == "auto" else wish.polarity,
            threshold="otsu" if wish.threshold == "auto" else wish.threshold,
            level=self._image.low if wish.level is None else wish.level,
            contrast=0.0,
            smoothing_px=_SMOOTHING_PX if wish.smoothing_px is None else wish.smoothing_px,
            diameter_px=wish.diameter_px or _SMALLEST_PX,
            min_size_px=_SMALLEST_PX if wish.min_size_px is None else wish.min_size_px,
            notes=(note,),
        )


def _checked(settings: ThresholdSettings | None) -> ThresholdSettings:
    """Refuse a manual threshold without its level."""
    wish = ThresholdSettings() if settings is None else settings
    if wish.threshold == "manual" and wish.level is None:
        raise InvalidSettings(
            "A manual threshold needs its level.",
            hint="Set level to a grey value, or threshold to auto.",
        )
    return wish


def _ground_key(wish: ThresholdSettings) -> Hashable:
    """Name what the smoothed image and its level depend on."""
    return wish.polarity, wish.threshold, wish.level, wish.smoothing_px, wish.remove_background


def _factor(diameter: float) -> int:
    """How many times smaller the image is on which particles are separated."""
    return max(1, int(diameter / _WORKING_DIAMETER_PX))


def _gradient(values: Map) -> Map:
    """Gradient magnitude by central differences; float32 (Y, X)."""
    padded = np.pad(values, 1, mode="edge")
    gy, gx = padded[2:, 1:-1] - padded[:-2, 1:-1], padded[1:-1, 2:] - padded[1:-1, :-2]
    return np.asarray(np.hypot(gy, gx) * np.float32(0.5))
