"""What a run will do: settings and image joined into one frozen, printable record."""

from __future__ import annotations

import dataclasses

from napari_sem_tools.segmentation.settings import ThresholdSettings

__all__ = ["ThresholdPlan"]


@dataclasses.dataclass(frozen=True)
class ThresholdPlan:
    """What the classical method will do with one image; it obeys nothing else.

    Attributes
    ----------
    settings : ThresholdSettings
        As wished.
    shape : (int, int)
        Rows and columns of the image.
    n_field : int
        Pixels that count.
    polarity : str
        ``"bright"`` or ``"dark"``.
    threshold : str
        How the level was found: ``"otsu"``, ``"li"``, ``"local"`` or ``"manual"``.
    level : float
        Level in the image's own grey values; a mean where it varies over the image.
    contrast : float
        Difference of particles and background in grey values.
    smoothing_px, diameter_px, min_size_px : float
        As resolved.
    factor : int
        Particles are separated on an image this many times smaller.
    notes : tuple of str
        What wants to be said aloud.
    """

    settings: ThresholdSettings
    shape: tuple[int, int]
    n_field: int
    polarity: str
    threshold: str
    level: float
    contrast: float
    smoothing_px: float
    diameter_px: float
    min_size_px: float
    factor: int = 1
    notes: tuple[str, ...] = ()

    @property
    def resolved(self) -> ThresholdSettings:
        """Settings that say what was found: a record that gives the same result again."""
        manual = self.settings.threshold == "manual"
        return self.settings.replace(
            polarity=self.polarity,
            threshold=self.threshold,
            level=self.level if manual else None,
            smoothing_px=self.smoothing_px,
            diameter_px=self.diameter_px,
            min_size_px=self.min_size_px,
            remove_background=self.settings.remove_background and not manual,
        )

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        rows, columns = self.shape
        wish = self.settings
        around = "brighter" if self.polarity == "bright" else "darker"
        trend = "removed" if self.resolved.remove_background else "kept"
        lines = [
            f"threshold on {rows} x {columns} px, {self.n_field} of them in the field",
            f"particles are {around} than what is around them",
            f"level {self.level:.4g} ({self.threshold}), contrast {self.contrast:.4g}, "
            f"offset {wish.offset:g}, background trend {trend}",
            f"smoothing {self.smoothing_px:.3g} px, usual diameter {self.diameter_px:.3g} px, "
            f"smallest {self.min_size_px:.3g} px",
            f"split strength {wish.split_strength:g}, on 1/{self.factor} of the resolution",
            f"particles at the border are {'kept' if wish.edge == 'keep' else 'removed'}",
        ]
        return "\n".join([*lines, *self.notes])
