"""What the widgets over layers share: layer chooser and calibration line."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QComboBox, QFormLayout, QHBoxLayout

from napari_sem_tools.layers import calibration_of
from napari_sem_tools.widgets.panel import (
    Links,
    Panel,
    dock_of,
    narrow,
    scrolled,
    theme_colour,
    wrapped_label,
)
from napari_sem_tools.widgets.results import MAP_KEY

__all__ = [
    "LayerChooser",
    "Links",
    "SemWidget",
    "dock_of",
    "scrolled",
    "theme_colour",
    "wrapped_label",
]

MISSING = "#e5484d"  # the red of doubtful particles and of a missing scale, in both themes


class LayerChooser(QComboBox):
    """A list of the layers of one kind that follows the viewer's layer list.

    Parameters
    ----------
    viewer : napari viewer
    kind : str
        ``"Image"``, ``"Labels"`` or ``"Shapes"``.
    none_text : str, optional
        A first entry that stands for no layer.
    follow : bool
        Choose the layer that the user selects.
    """

    chosen = Signal(object)

    def __init__(
        self, viewer: Any, kind: str, *, none_text: str | None = None, follow: bool = False
    ) -> None:
        super().__init__()
        self._viewer, self._kind, self._none_text = viewer, kind, none_text
        self._layers: list[Any] = []
        self._last: Any = None
        self.links = Links()
        self._names = Links()
        narrow(self, 12)
        for event in ("inserted", "removed", "reordered"):
            self.links.connect(getattr(viewer.layers.events, event), self._refill)
        if follow:
            self.links.connect(viewer.layers.selection.events.active, self._follow)
        self.currentIndexChanged.connect(self._announce)
        self._refill()
        if follow:
            self._follow()

    def layer(self) -> Any:
        """Return the chosen layer or None."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def choose(self, layer: Any) -> None:
        """Choose a layer if it is in the list."""
        if layer in self._layers:
            self.setCurrentIndex(self._layers.index(layer))

    def release(self) -> None:
        """Take all connections back and forget the layers."""
        self.links.release()
        self._names.release()
        self._layers, self._last = [], None

    def _refill(self, event: Any = None) -> None:
        """List the layers anew and keep the choice where it still exists."""
        previous = self.layer()
        found = [one for one in self._viewer.layers if is_kind(one, self._kind)]
        self._names.release()
        for one in found:
            self._names.connect(one.events.name, self._rename)
        self._layers = ([None] if self._none_text is not None else []) + found
        with QSignalBlocker(self):
            self.clear()
            self.addItems([self._none_text if one is None else one.name for one in self._layers])
            if previous in self._layers:
                self.setCurrentIndex(self._layers.index(previous))
            elif self._none_text is None and found:
                self.setCurrentIndex(len(self._layers) - 1)
        self._announce()

    def _rename(self, event: Any = None) -> None:
        """Show changed names."""
        for index, one in enumerate(self._layers):
            if one is not None:
                self.setItemText(index, one.name)

    def _follow(self, event: Any = None) -> None:
        """Choose the layer that was selected, if it is of this kind."""
        active = self._viewer.layers.selection.active
        if active is not None and is_kind(active, self._kind):
            self.choose(active)

    def _announce(self, *_: Any) -> None:
        """Tell about a choice, once."""
        layer = self.layer()
        if layer is not self._last:
            self._last = layer
            self.chosen.emit(layer)


def is_kind(layer: Any, kind: str) -> bool:
    """Say whether a layer is an Image, Labels or Shapes layer that a user may choose; no map."""
    import napari.layers

    hidden = "(preview)" in layer.name or MAP_KEY in layer.metadata
    return isinstance(layer, getattr(napari.layers, kind)) and not hidden


class SemWidget(Panel):
    """Base of the widgets that work on a layer: a chooser at the top, then its pixel size.

    Parameters
    ----------
    napari_viewer : napari.Viewer
    """

    kind = "Image"
    wants = "Select an image layer, or open one."

    def __init__(self, napari_viewer: Any) -> None:
        super().__init__(napari_viewer)
        self.chooser.chosen.connect(self._on_layer)
        self._on_layer(self.chooser.layer())
        for chooser in self.choosers:
            self.destroyed.connect(chooser.links.release)

    # --- for the widgets -------------------------------------------------------------

    def layer_changed(self, layer: Any) -> None:
        """React to another layer, or None."""

    def scale_layer(self) -> Any:
        """Return the layer whose pixel size counts."""
        return self.chooser.layer()

    def can_run(self) -> bool:
        """Say whether there is a layer to work on."""
        return self.chooser.layer() is not None

    def add_chooser(
        self, kind: str, *, none_text: str | None = None, follow: bool = False
    ) -> LayerChooser:
        """Make a layer chooser that is let go with the widget."""
        chooser = LayerChooser(self.viewer, kind, none_text=none_text, follow=follow)
        self.choosers.append(chooser)
        return chooser

    def show_calibration(self) -> None:
        """Say the pixel size of the chosen layer and how it is known, red without one."""
        layer = self.scale_layer()
        if layer is None:
            self._show_red(self.wants)
            return
        calibration = calibration_of(layer)
        text = calibration.describe()
        if calibration.is_calibrated or calibration.reciprocal is not None:
            self.calibration_line.setText(text[:1].upper() + text[1:])
            self.calibration_line.setStyleSheet("")
            self.calibration_line.setProperty("calibrated", True)
        else:
            self._show_red("Uncalibrated: all results are in px. Give the scale with Calibrate.")

    # --- inside ----------------------------------------------------------------------

    def _show_red(self, text: str) -> None:
        """Show the calibration line as missing."""
        self.calibration_line.setText(f"⚠ {text}")
        self.calibration_line.setStyleSheet(f"color: {MISSING}; font-weight: bold;")
        self.calibration_line.setProperty("calibrated", False)

    def head(self) -> None:
        """Make the row with the layer chooser and the copy button, and the line below."""
        self.choosers: list[LayerChooser] = []
        self.chooser = self.add_chooser(self.kind, follow=True)
        row = QHBoxLayout()
        row.addWidget(self.chooser, 1)
        row.addWidget(self.copy_button)
        form = QFormLayout()
        form.addRow({"Image": "Image", "Labels": "Particles"}[self.kind], row)
        self.column.addLayout(form)
        self.calibration_line = wrapped_label()
        self.column.addWidget(self.calibration_line)

    def _on_layer(self, layer: Any) -> None:
        """Show what is known about another layer."""
        self.run_button.setEnabled(layer is not None or self.work.running)
        self.show_calibration()
        self.layer_changed(layer)

    def _on_theme(self, event: Any = None) -> None:
        """Take the colours of the new theme."""
        self.show_calibration()

    def release(self) -> None:
        """Stop the work and take all connections back."""
        super().release()
        for chooser in self.choosers:
            chooser.release()
