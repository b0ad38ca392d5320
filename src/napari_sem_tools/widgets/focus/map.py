"""The part of the Focus widget that maps blur and score over the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QComboBox, QGroupBox, QHBoxLayout, QSlider, QVBoxLayout

from napari_sem_tools.focus.network import FocusMap, focus_map
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.layers import QUANTITIES, map_arguments, put_layer
from napari_sem_tools.widgets.focus.sight import Sight, focus_name
from napari_sem_tools.widgets.panel import narrow, wrapped_label
from napari_sem_tools.widgets.results import MAP_KEY
from napari_sem_tools.widgets.table.colouring import Legend
from napari_sem_tools.widgets.table.legend import LegendBar

__all__ = ["MapBox"]

_PERCENT = 100
_AT_FIRST = 60  # % opacity


class MapBox(QGroupBox):
    """What the map shows, how opaque it is, and what its colours mean.

    Parameters
    ----------
    panel : FocusWidget
    """

    def __init__(self, panel: Any) -> None:
        super().__init__("Map")
        self.panel = panel
        self.layer: Any = None  # the map that was made last
        self._made: tuple[Sight, Micrograph, FocusMap] | None = None
        self._layers: dict[str, Any] = {}  # name -> the map of that image
        self.quantity = QComboBox()
        for number, (name, row) in enumerate(QUANTITIES.items()):
            self.quantity.addItem(name)
            self.quantity.setItemData(number, row.help, Qt.ItemDataRole.ToolTipRole)
        self.quantity.setToolTip("What the map shows; it is not worked out again")
        self.quantity.currentTextChanged.connect(self._redraw)
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, _PERCENT)
        self.opacity.setValue(_AT_FIRST)
        self.opacity.setToolTip("Opacity of the map over the image")
        self.opacity.valueChanged.connect(self._on_opacity)
        self.bar = LegendBar()
        self.bar.show_legend(None)
        self.title = wrapped_label()
        self.title.hide()
        row = QHBoxLayout()
        row.addWidget(self.quantity, 1)
        row.addWidget(self.opacity, 1)
        narrow(self.quantity)
        column = QVBoxLayout(self)
        column.addLayout(row)
        column.addWidget(self.title)
        column.addWidget(self.bar)
        panel.links.connect(panel.viewer.layers.events.removed, self._on_removed)

    # --- running -------------------------------------------------------------------------

    def run(self, sight: Sight) -> None:
        """Map what is looked at, off the GUI thread."""

        def job(progress: Progress, cancel: Cancel) -> tuple[Sight, Micrograph, FocusMap]:
            image = sight.image()
            return sight, image, focus_map(image, progress=progress, cancel=cancel)

        self.panel.start_work(job, self._show, "Mapping the focus")

    def _show(self, made: tuple[Sight, Micrograph, FocusMap]) -> None:
        """Show a map on the grid of its image, in place of the earlier one."""
        sight, _, found = made
        if sight.layer not in self.panel.viewer.layers:
            self.panel.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        self._made = made
        name = focus_name(sight)
        self._put()
        known = found.score[np.isfinite(found.score)]
        if len(known):
            low, high = np.percentile(known, [5, 95])
            self.panel.say(f"{name}: score {low:.1f} to {high:.1f} over nine tenths of the field.")

    def _put(self) -> None:
        """Make or change the layer of the map that was made last."""
        if self._made is None:
            return
        sight, record, found = self._made
        name = focus_name(sight)
        arguments = map_arguments(found, sight.layer, record, name, self.quantity.currentText())
        arguments["opacity"] = self.opacity.value() / _PERCENT
        self.layer = put_layer(self.panel.viewer, arguments, self._layers.get(name))
        self._layers[name] = self.layer
        self._show_legend(arguments)

    def _show_legend(self, arguments: dict[str, Any]) -> None:
        """Say what the colours mean."""
        unit = arguments["metadata"][MAP_KEY]["unit"]
        low, high = arguments["contrast_limits"]
        name = self.quantity.currentText()
        title = f"{name} ({unit})" if unit else name
        self.title.setText(f"{title}; {QUANTITIES[name].help.lower()}")
        self.title.show()
        self.bar.show_legend(Legend(title, low, high, colour_map=QUANTITIES[name].colours))

    # --- changes -------------------------------------------------------------------------

    def _redraw(self, *_: Any) -> None:
        """Show another quantity of the same map."""
        if self.layer is not None and self._made is not None:
            self._put()

    def _on_opacity(self, percent: int) -> None:
        """Make the map more or less opaque."""
        if self.layer is not None:
            self.layer.opacity = percent / _PERCENT

    def _on_removed(self, event: Any) -> None:
        """Forget a map, or an image with its map, that the user removed."""
        gone = event.value
        self._layers = {name: one for name, one in self._layers.items() if one is not gone}
        if gone is self.layer or (self._made is not None and gone is self._made[0].layer):
            self.layer = self._made = None
            self.bar.show_legend(None)
            self.title.hide()

    def layer_changed(self, layer: Any) -> None:
        """Keep the map that is shown: it belongs to an image by its name."""

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.bar.update()

    def release(self) -> None:
        """Forget the layers."""
        self.layer = self._made = None
        self._layers.clear()
