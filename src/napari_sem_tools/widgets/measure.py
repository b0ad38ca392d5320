"""The Measure widget: a row a particle, joined to the labels layer."""

from __future__ import annotations

import importlib
from typing import Any

from qtpy.QtWidgets import QFormLayout

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers import attach_table, from_layer, segmentation_of, table_of
from napari_sem_tools.measurement import MeasureSettings, measure
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.parts import SemWidget, is_kind, scrolled
from napari_sem_tools.widgets.recipes import measure_recipe
from napari_sem_tools.widgets.results import image_of, plane_of
from napari_sem_tools.widgets.table.follow import carry_over
from napari_sem_tools.widgets.table.state import BY_HAND, with_decisions

__all__ = ["MeasureWidget", "open_table"]


class MeasureWidget(SemWidget):
    """Measure the particles of a labels layer and open the table."""

    kind = "Labels"
    wants = "Select a labels layer: find particles first, or paint some."
    run_text = "Measure"

    def build(self) -> None:
        """Make the chooser of the image and the form."""
        self.image = self.add_chooser("Image")
        self.image.setToolTip("Grey values, pixel size and the field to count in are taken from it")
        self.image.chosen.connect(self._image_changed)
        rows = QFormLayout()
        rows.addRow("Image", self.image)
        self.body.addLayout(rows)
        self.form = SettingsForm(MeasureSettings)
        self.body.addWidget(scrolled(self.form.native), 1)

    def layer_changed(self, layer: Any) -> None:
        """Choose the image that the labels belong to."""
        if layer is not None:
            images = [one for one in self.viewer.layers if is_kind(one, "Image")]
            image = image_of(layer, images)
            if image is not None:
                self.image.choose(image)
        self.show_calibration()

    def scale_layer(self) -> Any:
        """Return the image: its pixel size counts."""
        return self.image.layer() if self.chooser.layer() is not None else None

    def _image_changed(self, layer: Any) -> None:
        """Say the scale of another image."""
        self.show_calibration()

    def run(self) -> None:
        """Measure off the GUI thread."""
        labels, image = self.chooser.layer(), self.image.layer()
        if labels is None or image is None:
            self.say(self.wants if labels is None else "Open the image of these particles.")
            return
        particles = segmentation_of(labels)
        record = plane_of(labels, from_layer(image), self.viewer)
        settings: Any = self.form.value()

        def job(progress: Progress, cancel: Cancel) -> Any:
            importlib.import_module("matplotlib.figure")  # here, so that the table opens at once
            return labels, measure(particles, record, settings=settings)

        self.start(job, self._show_table, "Measuring")

    def _show_table(self, value: tuple[Any, Any]) -> None:
        """Join the table to the labels and open it."""
        labels, table = value
        if labels not in self.viewer.layers:
            self.say("The labels were removed meanwhile; nothing was added.", "warning")
            return
        kept = 0
        old = table_of(labels)
        if old is not None:  # what was decided by hand about these particles stays
            table = with_decisions(carry_over(table, old, old.index.to_numpy()))
            table.attrs["decisions"] = old.attrs.get("decisions", [])
            kept = int((table[BY_HAND] != "").sum()) if BY_HAND in table else 0
        if not kept:
            labels.metadata.pop("sem_choices", None)
        attach_table(labels, table)
        left_out = int((~table["included"].to_numpy(bool)).sum()) if len(table) else 0
        by_hand = f", {kept} decided by hand" if kept else ""
        self.say(
            f"{len(table)} particles measured, {left_out} left out of the statistics{by_hand}."
        )
        open_table(self.viewer, labels)

    def python(self) -> str:
        """Return the call that measures the same."""
        image = self.image.layer()
        if image is None:
            raise SemError("There is no image.", hint="Open the image of these particles.")
        return measure_recipe(self.chooser.layer(), image, self.form.value())


def open_table(viewer: Any, labels: Any) -> Any:
    """Show the table of a labels layer in the widget that is open, else in a new one."""
    from napari_sem_tools.widgets.parts import dock_of
    from napari_sem_tools.widgets.table.widget import TableWidget, tables_of

    for widget in tables_of(viewer):
        dock = dock_of(widget)
        if dock is not None:
            dock.show()
            dock.raise_()
        widget.show_layer(labels)
        return widget
    if not hasattr(viewer, "window"):
        return None
    _, widget = viewer.window.add_plugin_dock_widget("napari-sem-tools", "Particle table")
    if isinstance(widget, TableWidget):
        widget.show_layer(labels)
    return widget
