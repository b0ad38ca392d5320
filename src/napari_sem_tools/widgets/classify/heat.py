"""The button that shows where a network looked: a layer over the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QPushButton

from napari_sem_tools.classification import heat_map
from napari_sem_tools.layers import same_grid
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.classify.judges import Judge
from napari_sem_tools.widgets.focus.layers import colour_map, put_layer
from napari_sem_tools.widgets.focus.sight import Sight
from napari_sem_tools.widgets.results import MAP_KEY

__all__ = ["HeatButton", "heat_arguments"]

_OPACITY = 0.5
_COLOURS = "inferno"
_CAN = "Show what in the image spoke for the category: bright where most did (Grad-CAM)"
_CANNOT = "Only a trained network tells where it looked; taught categories look at all of it"

Heat = NDArray[np.float32]


class HeatButton(QPushButton):
    """Adds the layer *<image> what decided*, or renews it.

    Parameters
    ----------
    panel : PagedWidget
    """

    def __init__(self, panel: Any) -> None:
        super().__init__("What decided")
        self.panel = panel
        self._layers: dict[str, Any] = {}
        self._what: Callable[[], tuple[Sight, str] | None] = lambda: None
        self.clicked.connect(self._on_click)
        panel.links.connect(panel.viewer.layers.events.removed, self._on_removed)
        self.offer(None, lambda: None)

    def offer(self, judge: Judge | None, what: Callable[[], tuple[Sight, str] | None]) -> None:
        """Say what judges, and how to get the image with its category when it is clicked.

        Parameters
        ----------
        judge : Judge or None
        what : callable
            Returns image and category, None where nothing is known yet.
        """
        self._model = judge.source if judge is not None and isinstance(judge.source, str) else ""
        self._what = what
        self.setEnabled(bool(self._model))
        self.setToolTip(_CAN if self._model else _CANNOT)

    def _on_click(self) -> None:
        """Ask the network, off the GUI thread."""
        asked, model = self._what(), self._model
        if asked is None:
            self.panel.say("Classify the image first.")
            return
        sight, category = asked

        def job(progress: Progress, cancel: Cancel) -> Heat:
            return heat_map(sight.image(), model, category=category or None)

        self.panel.start_work(
            job, lambda heat: self._show(sight, category, heat), "Looking at what decided"
        )

    def _show(self, sight: Sight, category: str, heat: Heat) -> None:
        """Put the map over its image."""
        if sight.layer not in self.panel.viewer.layers:
            self.panel.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        arguments = heat_arguments(heat, sight, category)
        name = arguments["name"]
        self._layers[name] = put_layer(self.panel.viewer, arguments, self._layers.get(name))
        self.panel.say(f"{name}: bright is what spoke for {category}. It says where, not what.")

    def _on_removed(self, event: Any) -> None:
        """Forget a map that the user removed."""
        self._layers = {name: one for name, one in self._layers.items() if one is not event.value}

    def release(self) -> None:
        """Forget the layers."""
        self._layers.clear()
        self._what = lambda: None


def heat_arguments(heat: Heat, sight: Sight, category: str) -> dict[str, Any]:
    """Return the keywords of ``viewer.add_image`` for what decided.

    Parameters
    ----------
    heat : float32 array (Y, X)
        As `heat_map` gives it; NaN is transparent.
    sight : Sight
        The image, whose grid the map lies on.
    category : str

    Returns
    -------
    dict
    """
    return {
        "data": heat,
        "name": f"{sight.name} what decided",
        "colormap": colour_map(_COLOURS),
        "contrast_limits": (0.0, 1.0),
        "opacity": _OPACITY,
        "blending": "translucent",
        "rgb": False,
        "metadata": {MAP_KEY: {"quantity": f"what spoke for {category}", "unit": ""}},
        **same_grid(sight.layer, ndim=2),
    }
