"""The Segment particles widget: method, settings with live preview, regions."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QVBoxLayout, QWidget

from napari_sem_tools.layers import (
    compact_labels,
    from_layer,
    labels_arguments,
    same_grid,
    show_scale_bar,
)
from napari_sem_tools.micrograph import Micrograph, Segmentation
from napari_sem_tools.segmentation import (
    ThresholdPlan,
    ThresholdSession,
    available_methods,
    choose_method,
    segment,
)
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.parts import SemWidget, scrolled
from napari_sem_tools.widgets.recipes import segment_recipe
from napari_sem_tools.widgets.regions import region_of
from napari_sem_tools.widgets.results import earlier_result, replace_result, result_name
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["SegmentWidget"]

_SESSIONS: dict[str, Callable[..., Any]] = {"threshold": ThresholdSession}  # with live preview


@dataclasses.dataclass(frozen=True, eq=False)
class _Wish:
    """What is to be segmented, taken from the window once, in the GUI thread."""

    layer: Any
    record: Micrograph
    method: str
    settings: Any
    name: str


@dataclasses.dataclass(frozen=True, eq=False)
class _Preview:
    """An answer of the preview; `generation` tells a late one."""

    generation: int
    layer: Any
    labels: NDArray[Any]
    session: Any
    plan: ThresholdPlan


class MethodChooser(QComboBox):
    """The methods that are there; models imported meanwhile appear when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.refill()
        self.setCurrentText(choose_method().name)

    def refill(self) -> None:
        """List the methods anew and keep the choice where it still exists."""
        chosen, rows = self.currentText(), available_methods()
        names = [self.itemText(number) for number in range(self.count())]
        if names == list(rows):
            return
        with QSignalBlocker(self):
            self.clear()
            for number, (name, row) in enumerate(rows.items()):
                self.addItem(name)
                self.setItemData(number, row.help, Qt.ItemDataRole.ToolTipRole)
            self.setCurrentText(chosen)
        if chosen and chosen not in rows:
            self.currentIndexChanged.emit(self.currentIndex())

    def showPopup(self) -> None:  # noqa: N802  Qt's name
        """Look for models before the list opens."""
        self.refill()
        super().showPopup()


class SegmentWidget(SemWidget):
    """Find particles in the selected image; sliders show what they do while they move."""

    run_text = "Find particles"

    def build(self) -> None:
        """Make the method, its form, the regions and the preview tick."""
        self.body.addLayout(self._choices())
        self.letters = QCheckBox("Ignore burnt-in letters and scale bar")
        self.letters.setChecked(True)
        self.body.addWidget(self.letters)
        self._form_place = QWidget()
        QVBoxLayout(self._form_place).setContentsMargins(0, 0, 0, 0)
        self.body.addWidget(scrolled(self._form_place), 1)
        self.live = QCheckBox("Live preview")
        self.live.setToolTip("Show the particles while the settings change")
        self.body.addWidget(self.live)
        self.form: Any = None  # the SettingsForm of the method
        self.preview_work = Work(self)
        self.preview_work.finished.connect(self._show_preview)
        self.preview_layer: Any = None
        self.preview_seconds = 0.0
        self._session: tuple[Any, Any] = (None, None)
        self._generation = 0
        self._shown = 0
        self._change_method()
        self.method.currentIndexChanged.connect(self._change_method)
        self.region.chosen.connect(self._changed)
        self.exclusion.chosen.connect(self._changed)
        self.letters.toggled.connect(self._changed)
        self.live.toggled.connect(self._toggle_preview)
        self.links.connect(self.viewer.layers.events.removed, self._on_removed)

    def _choices(self) -> QFormLayout:
        """Make the rows of the method and the regions."""
        self.method = MethodChooser()
        self.region = self.add_chooser("Shapes", none_text="whole image")
        self.exclusion = self.add_chooser("Shapes", none_text="nothing")
        self.region.setToolTip("Measure inside these shapes: File > New Layer > Measuring region")
        self.exclusion.setToolTip("Leave these shapes out: File > New Layer > Region to leave out")
        rows = QFormLayout()
        rows.addRow("Method", self.method)
        rows.addRow("Measure in", self.region)
        rows.addRow("Leave out", self.exclusion)
        return rows

    # --- what the window says ------------------------------------------------------------

    def wish(self) -> _Wish | None:
        """Return what is to be segmented as the window stands, None without an image.

        Raises
        ------
        InvalidSettings
            The form or the image cannot be used.
        """
        layer = self.chooser.layer()
        if layer is None:
            return None
        record = from_layer(layer)
        page = int(self.viewer.dims.current_step[-3]) if record.axes == "NYX" else 0
        record = record.plane(page)
        field = np.array(record.field)
        if record.marks is not None and not self.letters.isChecked():
            field |= record.marks
        inside = region_of(self.region.layer(), layer, record.shape)
        outside = region_of(self.exclusion.layer(), layer, record.shape)
        if inside is not None:
            field &= inside
        if outside is not None:
            field &= ~outside
        method = self.method.currentText()
        return _Wish(
            layer=layer,
            record=record.replace(field=field),
            method=method,
            settings=self.form.value(),
            name=result_name(layer.name, page if record.page or page else None),
        )

    def layer_changed(self, layer: Any) -> None:
        """Forget the preview of another layer."""
        self._drop_preview()
        self._changed()

    def python(self) -> str:
        """Return the call that finds the same particles."""
        chosen = (self.region.layer(), self.exclusion.layer())
        regions = tuple(one.name for one in chosen if one is not None)
        return segment_recipe(
            self.chooser.layer(), self.method.currentText(), self.form.value(), regions=regions
        )

    # --- running -------------------------------------------------------------------------

    def run(self) -> None:
        """Segment off the GUI thread."""
        wish = self.wish()
        if wish is None:
            self.say(self.wants)
            return

        def job(progress: Progress, cancel: Cancel) -> tuple[_Wish, Segmentation]:
            found = segment(
                wish.record,
                wish.method,
                settings=wish.settings,
                progress=progress,
                cancel=cancel,
            )
            return wish, found

        self.start(job, self._show_result, "Finding particles")

    def _show_result(self, value: tuple[_Wish, Segmentation]) -> None:
        """Show the particles: in the earlier result if nobody edited it, else anew."""
        wish, found = value
        self.live.setChecked(False)
        if wish.layer not in self.viewer.layers:
            self.say("The image was removed meanwhile; nothing was added.", "warning")
            return
        arguments = labels_arguments(found, wish.layer, name=wish.name, field=wish.record.field)
        earlier = earlier_result(self.viewer.layers, wish.name, found.labels.shape)
        if earlier is None:
            layer = self.viewer.add_labels(**arguments)
        else:
            layer = replace_result(earlier, arguments)
            self.viewer.layers.selection.active = layer
        show_scale_bar(self.viewer)
        self.form.show_found(found.settings)
        notes = f" {' '.join(found.notes)}" if found.notes else ""
        self.say(f"{found.count} particles in {layer.name}.{notes}")

    # --- live preview --------------------------------------------------------------------

    def _change_method(self, *_: Any) -> None:
        """Show the form of the chosen method."""
        if self.form is not None:
            self._form_place.layout().removeWidget(self.form.native)
            self.form.native.deleteLater()
        method = self.method.currentText()
        self.form = SettingsForm(choose_method(method).row.settings)
        self.form.connect(self._changed)
        self._form_place.layout().addWidget(self.form.native)
        if method not in _SESSIONS:
            self.live.setChecked(False)
        self.live.setEnabled(method in _SESSIONS)

    def _changed(self, *_: Any) -> None:
        """Ask for a new preview; while one is computed, only the last wish counts."""
        self._generation += 1
        if self.live.isChecked() and not self.preview_work.running:
            self._ask_preview()

    def _toggle_preview(self, wanted: bool) -> None:
        """Begin or end the preview."""
        if wanted:
            self._changed()
        else:
            self._drop_preview()

    def _ask_preview(self) -> None:
        """Compute a preview off the GUI thread."""
        from napari_sem_tools.errors import SemError

        generation = self._generation
        try:
            wish = self.wish()
        except SemError as error:
            self.fail(error)
            return
        if wish is None:
            self.say(self.wants)
            return
        key = (id(wish.layer), wish.name, wish.record.field.tobytes(), wish.method)
        kept_key, kept = self._session
        session = kept if kept_key == key else None
        self._session = (key, None)

        def job(progress: Progress, cancel: Cancel) -> _Preview:
            made = session or _SESSIONS[wish.method](wish.record)
            labels = compact_labels(made.labels(wish.settings))
            return _Preview(generation, wish.layer, labels, made, made.plan(wish.settings))

        self.preview_work.start(job)

    def _show_preview(self, outcome: Outcome) -> None:
        """Show an answer, or ask again when the wish changed meanwhile."""
        if outcome.error is not None:
            self.fail(outcome.error)
        answer = outcome.value
        if answer is None or not self.live.isChecked():
            return
        if self._session[1] is None:
            self._session = (self._session[0], answer.session)
        if answer.layer is self.chooser.layer() and answer.generation >= self._shown:
            self._shown = answer.generation
            self._draw_preview(answer)
            count = int(answer.labels.max(initial=0))
            self.preview_seconds = outcome.seconds
            found = answer.plan.resolved.to_dict() | {"level": answer.plan.level}
            self.form.show_found(found)
            self.status_line.setToolTip(str(answer.plan))
            self.say(f"{count} particles (preview)")
        if answer.generation != self._generation:
            self._ask_preview()

    def _draw_preview(self, answer: _Preview) -> None:
        """Write the labels into the preview layer, in place where they fit."""
        shown = self.preview_layer
        if shown is None:
            active = self.viewer.layers.selection.active
            self.preview_layer = self.viewer.add_labels(
                answer.labels.copy(),
                name=f"{answer.layer.name} (preview)",
                **same_grid(answer.layer, ndim=2),
            )
            self.viewer.layers.selection.active = active
        elif shown.data.shape == answer.labels.shape and shown.data.dtype == answer.labels.dtype:
            np.copyto(shown.data, answer.labels)
            shown.refresh()
        else:
            shown.data = answer.labels.copy()

    def _drop_preview(self) -> None:
        """Take the preview layer away."""
        shown, self.preview_layer = self.preview_layer, None
        self._session = (None, None)
        if shown is not None and shown in self.viewer.layers:
            self.viewer.layers.remove(shown)

    def _on_removed(self, event: Any) -> None:
        """End the preview when the user removes its layer."""
        if self.preview_layer is not None and event.value is self.preview_layer:
            self.preview_layer = None
            self.live.setChecked(False)

    def release(self) -> None:
        """Stop the preview and take its layer away."""
        self.preview_work.abandon()
        self._drop_preview()
        super().release()
