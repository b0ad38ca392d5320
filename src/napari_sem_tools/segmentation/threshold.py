"""The classical method, in steps that a slider re-applies one by one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_sem_tools.micrograph import ImageIdentity, Micrograph, Segmentation
from napari_sem_tools.segmentation.plan import ThresholdPlan
from napari_sem_tools.segmentation.settings import ThresholdSettings

__all__ = ["ThresholdSession"]


class ThresholdSession:
    """Find particles in one image again and again while the settings change.

    Parameters
    ----------
    image : Micrograph or array (Y, X)
    field : bool array (Y, X), optional
        Pixels that count; those of the micrograph's own field are left out as well.

    Examples
    --------
    >>> image = np.zeros((64, 64), np.uint8)
    >>> image[16:32, 16:32] = 200
    >>> session = ThresholdSession(image)
    >>> int(session.labels(ThresholdSettings()).max())
    1
    """

    def __init__(
        self, image: Micrograph | NDArray[Any], *, field: NDArray[np.bool_] | None = None
    ) -> None:
        record = image if isinstance(image, Micrograph) else Micrograph(np.asarray(image))
        self._identity: ImageIdentity | None = None
        self._record = record
        grey = record.grey
        valid = record.field if field is None else record.field & field
        self.valid = valid & np.isfinite(grey) if grey.dtype.kind == "f" else valid
        fill = float(np.median(grey[self.valid])) if self.valid.any() else 0.0
        self.grey = np.where(self.valid, grey, fill).astype(np.float32)
        self._kept: dict[str, tuple[Any, Any]] = {}

    def _keep(self, name: str, key: Any, make: Callable[[], Any]) -> Any:
        """Return what was computed for this key, or compute it and forget the last."""
        kept = self._kept.get(name)
        if kept is None or kept[0] != key:
            kept = self._kept[name] = (key, make())
        return kept[1]

    def plan(self, settings: ThresholdSettings) -> ThresholdPlan:
        """Resolve settings and image into what will be done."""
        from skimage.filters import threshold_otsu

        values = self.grey[self.valid]
        sigma = 2.0 if settings.smoothing_px is None else settings.smoothing_px
        level = float(values.mean()) if values.size else 0.0
        if values.size and values.max() > values.min():
            level = float(threshold_otsu(values))
        if settings.threshold == "manual" and settings.level is not None:
            level = settings.level
        above = values > level
        polarity = settings.polarity
        if polarity == "auto":
            polarity = "bright" if above.mean() < 0.5 else "dark"
        contrast = float(values[above].mean() - values[~above].mean()) if above.any() else 0.0
        sign = 1 if polarity == "bright" else -1
        diameter = 20.0 if settings.diameter_px is None else settings.diameter_px
        resolved = settings.replace(
            polarity=polarity,
            threshold="otsu" if settings.threshold == "auto" else settings.threshold,
            smoothing_px=sigma,
            diameter_px=diameter,
            min_size_px=diameter / 4 if settings.min_size_px is None else settings.min_size_px,
        )
        return ThresholdPlan(
            settings=resolved,
            shape=self._record.shape,
            n_field=int(self.valid.sum()),
            level=level + sign * settings.offset * contrast,
            contrast=contrast,
        )

    def labels(self, settings: ThresholdSettings | None = None) -> NDArray[np.int32]:
        """Find the particles; int32 (Y, X), 0 outside the field."""
        from skimage.feature import peak_local_max
        from skimage.segmentation import relabel_sequential, watershed

        plan = self.plan(settings or ThresholdSettings())
        chosen = plan.settings
        smooth = ndimage.gaussian_filter(self.grey, chosen.smoothing_px)
        bright = chosen.polarity == "bright"
        foreground = (smooth > plan.level if bright else smooth < plan.level) & self.valid
        if plan.contrast <= 0:
            foreground[:] = False
        if chosen.fill_holes:
            foreground = ndimage.binary_fill_holes(foreground) & self.valid
        distance = ndimage.gaussian_filter(
            ndimage.distance_transform_edt(foreground).astype(np.float32), 2
        )
        components, count = ndimage.label(foreground)
        if not count:
            return np.zeros(self.grey.shape, np.int32)
        spacing = max(1, round(chosen.diameter_px / 2))
        at = peak_local_max(
            distance, min_distance=spacing, labels=components, num_peaks_per_label=10**9
        )
        markers = np.zeros(foreground.shape, np.int32)
        markers[tuple(at.T)] = np.arange(1, len(at) + 1)
        labels = watershed(-distance, markers, mask=foreground)
        area = np.bincount(labels.ravel())
        area[0] = 0
        smallest = np.pi / 4 * chosen.min_size_px**2
        labels = np.where(area >= max(smallest, 1), np.arange(area.size), 0)[labels]
        return np.asarray(relabel_sequential(labels)[0], np.int32)

    def segmentation(self, settings: ThresholdSettings | None = None) -> Segmentation:
        """Find the particles, with confidence and the settings as resolved."""
        chosen = settings or ThresholdSettings()
        plan = self.plan(chosen)
        labels = self.labels(chosen)
        if self._identity is None:
            self._identity = self._record.identity()
        return Segmentation(
            labels=labels,
            confidence=np.ones(int(labels.max(initial=0)), np.float32),
            method="threshold",
            settings=dataclasses.asdict(plan.settings),
            image=self._identity,
            notes=plan.notes,
        )
