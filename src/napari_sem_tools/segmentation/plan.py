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
        Resolved: no "auto" and no None, but for what does not apply.
    shape : (int, int)
        Rows and columns of the image.
    n_field : int
        Pixels that count.
    level : float
        Level in the image's own grey values, once the trend is removed.
    contrast : float
        Difference of particles and background in grey values.
    notes : tuple of str
        What wants to be said aloud.
    """

    settings: ThresholdSettings
    shape: tuple[int, int]
    n_field: int
    level: float
    contrast: float
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Say in a few lines what will be done."""
        s = self.settings
        rows, columns = self.shape
        lines = [
            f"threshold on {rows} x {columns} px, {self.n_field} of them in the field",
            f"particles are {'darker' if s.polarity == 'dark' else 'brighter'} than what is around",
            f"level {self.level:.4g} ({s.threshold}), contrast {self.contrast:.4g}, "
            f"background trend {'removed' if s.remove_background else 'kept'}",
            f"smoothing {s.smoothing_px:.3g} px, usual diameter {s.diameter_px:.3g} px, "
            f"smallest {s.min_size_px:.3g} px, split strength {s.split_strength:.3g}",
            f"particles at the border are {'kept' if s.edge == 'keep' else 'removed'}",
        ]
        return "\n".join([*lines, *self.notes])
