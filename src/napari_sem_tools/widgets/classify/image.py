"""The page of the Classify widget that looks at the selected image."""

from __future__ import annotations

import dataclasses
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QCheckBox, QComboBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_sem_tools.errors import SemError
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.classify.chances import ChanceBars
from napari_sem_tools.widgets.classify.heat import HeatButton
from napari_sem_tools.widgets.classify.judges import Judge
from napari_sem_tools.widgets.classify.text import answer_text, chances_of, headline
from napari_sem_tools.widgets.focus.sight import Sight, sight_of
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import late, scrolled, theme_colour, wrapped_label
from napari_sem_tools.widgets.recipes import classify_recipe, image_source
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["ImagePage"]

_PAUSE_MS = 80  # after the last move of the slider
_HEAD = "font-size: 22px; font-weight: bold;"  # a font alone gives way to napari's style
_WAITING = "Which kind of image is this?"


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """An answer with what it belongs to; `generation` tells a late one."""

    generation: int
    sight: Sight
    row: dict[str, Any]


class ImagePage(Page):
    """Category of the image that is shown, how sure, and what speaks against it."""

    title = "Image"
    run_text = "Classify the image"
    wants = "Select an image layer, and categories that judge."

    def build(self) -> None:
        """Make the answer, the bars and what teaches."""
        self.answer: Answer | None = None
        self._generation = 0
        self.work = Work(self)
        self.work.finished.connect(self._on_answer)
        self._late = late(self, _PAUSE_MS, self._ask)
        self.head = wrapped_label(_WAITING)
        self.head.setStyleSheet(_HEAD)
        self.words = wrapped_label()
        self.bars = ChanceBars()
        self.live = QCheckBox("follow the layer and the slider")
        self.live.setChecked(True)
        self.live.setToolTip("Classify whatever is shown by itself")
        inner = QWidget()
        rows = QVBoxLayout(inner)
        rows.setContentsMargins(0, 0, 6, 0)
        self.heat = HeatButton(self.panel)
        for part in (self.head, self.words, self.bars, self.live, self.heat):
            rows.addWidget(part)
        rows.addLayout(self._teaching())
        self.column.addWidget(scrolled(inner), 1)
        self.live.toggled.connect(self.ask_soon)
        self.panel.links.connect(self.panel.viewer.dims.events.current_step, self.ask_soon)

    def _teaching(self) -> QHBoxLayout:
        """Make the line that adds the image as an example."""
        self.wanted = QComboBox()
        self.wanted.setEditable(True)
        self.wanted.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.wanted.lineEdit().setPlaceholderText("category")
        self.wanted.setToolTip("Choose a category, or type a new one")
        self.wanted.lineEdit().returnPressed.connect(self._on_add)
        self.add = QPushButton("Add as example")
        self.add.setToolTip("This image shows what the category is; then Teach on the page Teach")
        self.add.clicked.connect(self._on_add)
        row = QHBoxLayout()
        row.addWidget(self.wanted, 1)
        row.addWidget(self.add)
        return row

    # --- asking --------------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether there are an image and something that judges."""
        return self.panel.chooser.layer() is not None and self.panel.judge is not None

    def run(self) -> None:
        """Look now."""
        self._ask(by_hand=True)

    def layer_changed(self, layer: Any) -> None:
        """Look at another image."""
        self.add.setEnabled(layer is not None)
        self.ask_soon()

    def judge_changed(self, judge: Judge | None) -> None:
        """Ask something else."""
        self.heat.offer(judge, self._decided)
        self.ask_soon()

    def _decided(self) -> tuple[Sight, str] | None:
        """Return the image with the category whose reasons are asked for, None without one."""
        chances = [] if self.answer is None else chances_of(self.answer.row)
        return None if self.answer is None or not chances else (self.answer.sight, chances[0][0])

    def ask_soon(self, *_: Any) -> None:
        """Look again after a pause, if the page follows."""
        self._generation += 1
        self.bars.dim()
        if self.live.isChecked():
            self._late.start()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Look at what was changed behind another page."""
        super().showEvent(event)
        if self.answer is None or self.answer.generation != self._generation:
            self.ask_soon()

    def sight(self) -> Sight | None:
        """Return the slice that is shown, None without an image."""
        layer = self.panel.chooser.layer()
        if layer is None:
            return None
        steps = self.panel.viewer.dims.current_step
        return sight_of(layer, int(steps[0]) if steps else 0)

    def _sight(self) -> Sight | None:
        """Return what is looked at; None where nothing is, or where a sentence says why not."""
        try:
            return self.sight()
        except SemError as error:
            self.panel.fail(error)
            return None

    def _ask(self, *, by_hand: bool = False) -> None:
        """Ask off the GUI thread; a page behind another one waits."""
        if self.work.running or not (by_hand or self.isVisible()):
            return
        judge = self.panel.judge
        if judge is None or not self.can_run():
            self._show(None)
            return
        sight = self._sight()
        if sight is None:
            return
        generation = self._generation

        def job(progress: Progress, cancel: Cancel) -> Answer:
            return Answer(generation, sight, judge.row(sight.image()))

        self.work.start(job)

    def _on_answer(self, outcome: Outcome) -> None:
        """Show the answer, unless something else is asked for meanwhile."""
        if outcome.error is not None:
            self.panel.fail(outcome.error)
            return
        answer: Answer | None = outcome.value
        if answer is None:
            return
        if answer.generation == self._generation:
            self._show(answer)
        elif self.live.isChecked():
            self._late.start()

    def _show(self, answer: Answer | None) -> None:
        """Write an answer, or that there is none."""
        self.answer = answer
        row: dict[str, Any] = {} if answer is None else answer.row
        doubt = bool(row.get("error")) or row.get("answer", "category") != "category"
        self.head.setText(headline(row) or ("Not readable" if row else _WAITING))
        colour = f" color: {theme_colour('warning')};" if doubt else ""
        self.head.setStyleSheet(_HEAD + colour)
        self.words.setText(answer_text(row))
        self.bars.show_chances(chances_of(row), row.get("possible") or ())

    # --- teaching ------------------------------------------------------------------------

    def offer(self, names: list[str]) -> None:
        """List the categories that the image may be an example of."""
        text = self.wanted.currentText()
        self.wanted.clear()
        self.wanted.addItems(names)
        self.wanted.setCurrentText(text)

    def _on_add(self) -> None:
        """Add the image as an example."""
        name = self.wanted.currentText().strip()
        if not name:
            self.panel.say("Choose or type the category first.")
            self.wanted.setFocus(Qt.FocusReason.OtherFocusReason)
            return
        sight = self._sight()
        if sight is not None:
            self.panel.teach.add_images({name: [sight]})

    # --- life ----------------------------------------------------------------------------

    def python(self) -> str:
        """Return the call that classifies the image."""
        source = image_source(self.panel.chooser.layer())
        return classify_recipe(source, self.panel.judge.python())

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self._show(self.answer)

    def release(self) -> None:
        """Ask no more."""
        self._late.stop()
        self.work.abandon()
        self.heat.release()
