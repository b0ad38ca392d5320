"""The page of the Focus widget that follows what is seen: score, reasons, measures, map."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from napari_sem_tools.errors import SemError
from napari_sem_tools.focus import FocusScore
from napari_sem_tools.focus.measures.picture import picture_of
from napari_sem_tools.focus.measures.table import measures_of
from napari_sem_tools.focus.score import score_picture
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.gauge import ScoreGauge
from napari_sem_tools.widgets.focus.map import MapBox
from napari_sem_tools.widgets.focus.measures import MeasureButton, MeasureList
from napari_sem_tools.widgets.focus.sight import Sight, sight_of
from napari_sem_tools.widgets.focus.teach import TeachBox
from napari_sem_tools.widgets.focus.text import facts_text, sentences
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import Links, late, scrolled, theme_colour, wrapped_label
from napari_sem_tools.widgets.recipes import focus_recipe
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["ScorePage"]

_PAUSE_MS = 60  # after the last move of the slider or the canvas
_METHODS = {
    "auto": (
        "the best there is",
        "Network and measures joined where PyTorch works, else the measures",
    ),
    "mix": ("classical measures", "A fitted mix of classical measures; needs no PyTorch"),
    "network": ("the network", "Tells also the direction of the blur; needs PyTorch"),
}
_SHARP = "Nothing lowers the score."


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """A score with what it belongs to; `generation` tells a late one.

    Attributes
    ----------
    generation : int
    sight : Sight
    score : FocusScore
        As the user taught it.
    raw : FocusScore
        Before that.
    measures : dict
    """

    generation: int
    sight: Sight
    score: FocusScore
    raw: FocusScore
    measures: dict[str, float]


class ScorePage(Page):
    """Score of the slice that is shown, following the slider, the canvas and the calibration."""

    title = "Score"
    run_text = "Map the focus"
    wants = "Select an image layer, or open one."

    def build(self) -> None:
        """Make the gauge, the words, the choices, the map and the teaching."""
        self.answer: Answer | None = None
        self.seconds = 0.0  # that the last score took
        self._generation = self._shown = 0
        self._again = False  # asked by hand while a score was worked out
        self._events = Links()
        self.work = Work(self)
        self.work.finished.connect(self._on_answer)
        self._late = late(self, _PAUSE_MS, self._ask)
        self.gauge = ScoreGauge()
        self.column.addWidget(self.gauge)
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, 0, 6, 0)
        self.facts = wrapped_label()
        self.reasons = wrapped_label()
        rows.addWidget(self.facts)
        rows.addWidget(self.reasons)
        rows.addLayout(self._choices())
        self.list = MeasureList()
        rows.addWidget(self.list)
        self.map = MapBox(self.panel)
        rows.addWidget(self.map)
        self.teach = TeachBox(self.panel.memory)
        self.teach.failed.connect(self.panel.fail)
        rows.addWidget(self.teach)
        self.column.addWidget(scrolled(inner), 1)
        self._connect()

    def _choices(self) -> QFormLayout:
        """Make the rows that say what is looked at."""
        self.region = self.panel.add_chooser("Shapes", none_text="whole field")
        self.region.setToolTip("Only inside these shapes: File > New Layer > Measuring region")
        self.only_view = QCheckBox("part in view")
        self.only_view.setToolTip("Score only what the canvas shows: zoom in on what matters")
        self.live = QCheckBox("live")
        self.live.setToolTip("Follow the slider, the canvas and the image by itself")
        self.live.setChecked(True)
        self.measures = MeasureButton()
        self.method = QComboBox()
        for name, (title, tip) in _METHODS.items():
            self.method.addItem(title, name)
            self.method.setItemData(self.method.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.method.setToolTip("What scores images, on all pages")
        rows = QFormLayout()
        rows.addRow("Look at", self.region)
        rows.addRow("Score by", self.method)
        rows.addRow("Beside it", self.measures)
        ticks = QHBoxLayout()
        ticks.addWidget(self.only_view)
        ticks.addWidget(self.live)
        ticks.addStretch(1)
        rows.addRow("", ticks)
        return rows

    def _connect(self) -> None:
        """Follow everything that a score depends on."""
        from napari_sem_tools.layers import camera_of

        viewer, links = self.panel.viewer, self.panel.links
        links.connect(viewer.dims.events.current_step, self._changed)
        camera = camera_of(viewer)
        for event in (camera.events.zoom, camera.events.center):
            links.connect(event, self._on_camera)
        self.region.chosen.connect(self._on_region)
        self.only_view.toggled.connect(self._changed)
        self.live.toggled.connect(self._changed)
        self.measures.chosen.connect(self._changed)
        self.method.currentIndexChanged.connect(
            lambda _: self.panel.memory.use_method(self.method.currentData())
        )
        self.panel.memory.changed.connect(self._changed)

    # --- what is looked at ---------------------------------------------------------------

    def sight(self) -> Sight | None:
        """Return what is looked at as the window stands, None without an image.

        Raises
        ------
        InvalidSettings
            The layer is no image, or the region covers nothing of it.
        """
        layer = self.panel.chooser.layer()
        if layer is None:
            return None
        steps = self.panel.viewer.dims.current_step
        page = int(steps[-3]) if len(steps) > 2 else 0
        return sight_of(
            layer, page, region=self.region.layer(), only_view=self.only_view.isChecked()
        )

    def layer_changed(self, layer: Any) -> None:
        """Follow another image."""
        self._events.release()
        self._show(None)
        self.map.layer_changed(layer)
        if layer is not None:
            for name in ("data", "set_data", "scale", "units"):
                self._events.connect(getattr(layer.events, name), self._changed)
        self._changed()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Look again: what happened while it was not seen was not followed."""
        super().showEvent(event)
        self._changed()

    def _on_region(self, layer: Any) -> None:
        """Follow the shapes of another region."""
        self._changed()

    def _on_camera(self, event: Any = None) -> None:
        """Follow the canvas where only the part in view counts."""
        if self.only_view.isChecked():
            self._changed()

    def _changed(self, *_: Any) -> None:
        """Score anew after a moment; while one is worked out, only the last wish counts."""
        self._generation += 1
        if self.live.isChecked() and self.isVisible():
            self.gauge.dim()
            if not self._late.isActive() and not self.work.running:
                self._late.start()

    # --- the score -----------------------------------------------------------------------

    def look(self) -> None:
        """Score now, whether it follows or not."""
        self._generation += 1
        self._again = self.work.running
        if not self.work.running:
            self._ask()

    def _ask(self) -> None:
        """Score off the GUI thread."""
        generation = self._generation
        try:
            sight = self.sight()
        except SemError as error:
            self._show(None)
            self.panel.fail(error)
            return
        if sight is None:
            self._show(None)
            return
        names, lesson = self.measures.names(), self.panel.memory.lesson

        def job(progress: Progress, cancel: Cancel) -> Answer:
            picture = picture_of(sight.image())
            raw = score_picture(picture, lesson.method)
            values = measures_of(picture, names) if names and raw.information else {}
            return Answer(generation, sight, lesson.taught(raw), raw, values)

        self.work.start(job)

    def _on_answer(self, outcome: Outcome) -> None:
        """Show an answer, or ask again when the wish changed meanwhile."""
        if outcome.error is not None:
            self._show(None)
            self.panel.fail(outcome.error)
        answer = outcome.value
        if answer is not None and self._is_wanted(answer):
            self._shown, self.seconds = answer.generation, outcome.seconds
            self._show(answer)
        late = outcome.error is None and self._generation != getattr(answer, "generation", 0)
        follows = self.live.isChecked() and self.isVisible()
        if late and (follows or self._again):
            self._late.start()
        self._again = False

    def _is_wanted(self, answer: Answer) -> bool:
        """Say whether an answer is of the chosen image and not older than what is shown."""
        layer = answer.sight.layer
        here = layer in self.panel.viewer.layers and layer is self.panel.chooser.layer()
        return here and answer.generation >= self._shown

    def _show(self, answer: Answer | None) -> None:
        """Show a score in numbers and words, or nothing."""
        self.answer = answer
        self.gauge.show_score(None if answer is None else answer.score)
        self.teach.show_frame(None if answer is None else (answer.sight.name, answer.raw))
        self.list.show_values({} if answer is None else answer.measures)
        if answer is None:
            self.facts.setText("")
            self.reasons.setText("")
            return
        part = f" ({answer.sight.part})" if answer.sight.part else ""
        self.facts.setText(facts_text(answer.score) + part)
        words = sentences(answer.score.reasons) or [_SHARP]
        self.reasons.setText("\n".join(f"• {one}" for one in words))
        poor = not answer.score.information
        self.reasons.setStyleSheet(f"color: {theme_colour('warning')};" if poor else "")
        self.gauge.setToolTip(f"{self.gauge.text()}; {answer.score.method}, {self.seconds:.2f} s")

    # --- the button ----------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether there is an image to map."""
        return self.panel.chooser.layer() is not None

    def run(self) -> None:
        """Map the focus over the image that is shown."""
        sight = self.sight()
        if sight is None:
            self.panel.say(self.wants)
            return
        self.map.run(sight)

    def python(self) -> str:
        """Return the calls that give the same score."""
        steps = self.panel.viewer.dims.current_step
        layer = self.panel.chooser.layer()
        page = int(steps[-3]) if layer.ndim > 2 and not layer.rgb else None
        return focus_recipe(layer, page, self.measures.names())

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.gauge.update()
        self.map.restyle()
        if self.answer is not None:
            self._show(self.answer)

    def release(self) -> None:
        """Stop and let go."""
        self._late.stop()
        self.work.abandon()
        self._events.release()
        self.map.release()
