"""Watches a labels layer and measures its particles again after they were edited."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_sem_tools.layers import attach_table, from_layer, table_of
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.panel import late
from napari_sem_tools.widgets.parts import Links, is_kind
from napari_sem_tools.widgets.results import image_of, plane_of
from napari_sem_tools.widgets.table.follow import measured_again, touched_labels
from napari_sem_tools.widgets.table.state import TableState
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["Follower"]

_PAUSE_MS = 400  # after the last stroke
_EVENTS = ("labels_update", "paint", "set_data", "data")  # an undo tells by set_data alone


class Follower(QObject):
    """Keeps the table of one labels layer true while its particles are edited.

    Deleted particles lose their row, merged, split and painted ones are measured again,
    off the GUI thread; decisions by hand stay.  Its signal ``said`` brings a sentence.

    Parameters
    ----------
    viewer : napari viewer
    parent : QObject
    """

    said = Signal(str, object)

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._layer: Any = None
        self._seen: Any = None  # the labels that the table was measured on
        self._links = Links()
        self._work = Work(self)
        self._work.finished.connect(self._on_measured)
        self._timer = late(self, _PAUSE_MS, self.look)

    @property
    def running(self) -> bool:
        """True while an edit waits or is measured."""
        return self._timer.isActive() or self._work.running

    def watch(self, layer: Any) -> None:
        """Watch another layer of two axes, or None."""
        self._timer.stop()
        self._work.abandon()
        self._links.release()
        self._layer = self._seen = None
        if layer is None or layer.ndim != 2:
            return
        self._layer = layer
        self._seen = np.array(layer.data)
        for name in _EVENTS:
            self._links.connect(getattr(layer.events, name), self._on_edit)

    def _on_edit(self, event: Any = None) -> None:
        """Wait until the user pauses."""
        self._timer.start()

    def look(self) -> None:
        """See what was edited, and measure it."""
        layer = self._layer
        if layer is None or self._work.running:
            if layer is not None:
                self._timer.start()
            return
        labels = np.asarray(layer.data)
        if labels.shape == self._seen.shape and np.array_equal(labels, self._seen):
            return
        old = table_of(layer)
        if old is None:
            self._seen = np.array(labels)  # a new segmentation: there is no table to keep true
            return
        images = [one for one in self._viewer.layers if is_kind(one, "Image")]
        image = image_of(layer, images)
        if image is None or labels.shape != self._seen.shape:
            self._seen = np.array(labels)
            self.said.emit(
                "The labels were edited; measure them again with their image.", "warning"
            )
            return
        self._start(layer, image, np.array(labels), old)

    def _start(self, layer: Any, image: Any, labels: Any, old: Any) -> None:
        """Measure in a thread."""
        record = plane_of(layer, from_layer(image), self._viewer)
        settings = TableState([layer]).settings
        before = self._seen

        def job(progress: Progress, cancel: Cancel) -> Any:
            touched = touched_labels(before, labels)
            return labels, touched, measured_again(labels, record, old, settings, touched=touched)

        self._work.start(job)

    def _on_measured(self, outcome: Outcome) -> None:
        """Give the layer its new table."""
        layer = self._layer
        if outcome.error is not None:
            self.said.emit(f"{outcome.error.message} {outcome.error.hint}".strip(), "warning")
            return
        if outcome.cancelled or layer is None:
            return
        self._seen, touched, table = outcome.value
        gone = int((~np.isin(touched, table.index)).sum())
        if layer.metadata.get("sem_choices"):
            table.attrs["decisions"] = layer.metadata["sem_choices"]
        attach_table(layer, table)
        edited = len(touched) - gone
        parts = [f"{edited} measured again"] if edited else []
        parts += [f"{gone} gone"] if gone else []
        self.said.emit(f"Edited particles: {', '.join(parts)}.", None)
        self._on_edit()  # further strokes may have come meanwhile

    def release(self) -> None:
        """Stop."""
        self.watch(None)
