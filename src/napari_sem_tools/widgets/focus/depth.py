"""A button that makes layers of a series: which position is sharp where, and all of it sharp."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_sem_tools.focus.series.depth import DepthMap, depth_map
from napari_sem_tools.focus.series.series import FocusSeries
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.layers import depth_arguments, put_layer

__all__ = ["DepthBox"]

_LEAST = 3  # images; fewer have no depth
_WHOLE = 100  # %


class DepthBox(QWidget):
    """Makes the depth map and the extended-focus image of the series that was judged last.

    Parameters
    ----------
    panel : FocusWidget
    """

    def __init__(self, panel: Any) -> None:
        super().__init__()
        self.panel = panel
        self._series: FocusSeries | None = None
        self._source: Any = None
        self._layers: dict[str, Any] = {}  # name -> what this button made before
        self.button = QPushButton("Depth, all in focus")
        self.button.setToolTip(
            "Two layers: the position at which each place is sharpest, and an image that takes "
            "each place from there; the images are laid on each other first"
        )
        self.button.clicked.connect(self.run)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.button)
        panel.links.connect(panel.viewer.layers.events.removed, self._on_removed)

    def offer(self, series: FocusSeries | None, source: Any) -> None:
        """Offer it for a series that was judged."""
        self._series, self._source = series, source
        self.button.setEnabled(series is not None and len(series.positions) >= _LEAST)

    def run(self) -> None:
        """Work both out, off the GUI thread."""
        series, source = self._series, self._source
        if series is None:
            return
        positions = np.empty(len(series.positions))
        positions[series.order] = series.positions

        def job(progress: Progress, cancel: Cancel) -> tuple[DepthMap, Micrograph]:
            images = source.images()
            found = depth_map(images, positions, progress=progress, cancel=cancel)
            middle = int(found.order[len(found.order) // 2])  # the others are laid on it
            one = images.plane(middle) if isinstance(images, Micrograph) else images[middle]
            return found, one.plane()

        def done(value: tuple[DepthMap, Micrograph]) -> None:
            self._show(value, source, series.unit)

        self.panel.start_work(job, done, "Finding the depth")

    def _show(self, value: tuple[DepthMap, Micrograph], source: Any, unit: str) -> None:
        """Add both layers, or put them into those of before."""
        found, record = value
        viewer = self.panel.viewer
        if source.layer is not None and source.layer not in viewer.layers:
            self.panel.say("The stack was removed meanwhile; nothing was added.", "warning")
            return
        for arguments in depth_arguments(found, source.layer, record, unit):
            name = arguments["name"]
            self._layers[name] = put_layer(viewer, arguments, self._layers.get(name))
        share = round(_WHOLE * float(found.known.mean()))
        more = "" if share == _WHOLE else "; elsewhere it is that of the surroundings"
        self.panel.say(f"The depth is known over {share} % of the image{more}.")

    def _on_removed(self, event: Any) -> None:
        """Forget a layer that the user removed."""
        self._layers = {name: one for name, one in self._layers.items() if one is not event.value}

    def release(self) -> None:
        """Forget the layers."""
        self._layers.clear()
