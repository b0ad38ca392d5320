"""The page of the Focus widget for a series: curve, best position, depth map, all in focus."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.focus.series.series import FocusSeries, judge_series
from napari_sem_tools.layers import from_layer
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.reading import list_files, read
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.curve import CurveView
from napari_sem_tools.widgets.focus.depth import DepthBox
from napari_sem_tools.widgets.focus.measures import MeasureButton
from napari_sem_tools.widgets.focus.text import series_sentences
from napari_sem_tools.widgets.folder_line import FolderLine
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import theme_colour, wrapped_label
from napari_sem_tools.widgets.recipes import focus_series_recipe, image_source

__all__ = ["SeriesPage", "SeriesSource"]

_STACK, _FOLDER = "the stack shown", "a folder"
_FROM_FILES, _TYPED = "as the files say", "typed"
_WIDEST = 1e9


@dataclasses.dataclass(frozen=True, eq=False)
class SeriesSource:
    """What a series is made of, taken from the window once.

    Attributes
    ----------
    layer : napari Image layer or None
        A stack.
    record : Micrograph or None
        The same as a record.
    files : tuple of Path
        Instead of a stack.
    positions : (float, float) or None
        First one and step; None: as the files say, else numbers.
    unit : str
    """

    layer: Any = None
    record: Micrograph | None = None
    files: tuple[Path, ...] = ()
    positions: tuple[float, float] | None = None
    unit: str = ""

    def images(self) -> Any:
        """Return the stack, or read the files; called in a thread."""
        return self.record if self.record is not None else [read(one) for one in self.files]

    def places(self) -> Any:
        """Return a position for each image, or None."""
        if self.positions is None:
            return None
        count = self.record.n_pages if self.record is not None else len(self.files)
        first, step = self.positions
        return first + step * np.arange(count)


class SeriesPage(Page):
    """Where in a series through focus is it sharpest, and where to look next."""

    title = "Series"
    run_text = "Find best focus"
    wants = "Select a stack of images, or choose a folder."

    def build(self) -> None:
        """Make source, positions, curve, words and buttons."""
        self.found: FocusSeries | None = None
        self.used = SeriesSource()
        self.column.addLayout(self._form())
        self.curve = CurveView()
        self.curve.clicked.connect(self.go_to)
        self.column.addWidget(self.curve, 1)
        self.words = wrapped_label()
        self.column.addWidget(self.words)
        self.best = QPushButton("Go to best")
        self.best.setToolTip("Show the image nearest to the best position")
        self.best.clicked.connect(self.go_to_best)
        self.depth = DepthBox(self.panel)
        row = QHBoxLayout()
        row.addWidget(self.best)
        row.addWidget(self.depth)
        row.addStretch(1)
        self.column.addLayout(row)
        self.panel.links.connect(self.panel.viewer.dims.events.current_step, self._on_slider)
        self._arrange()
        self._offer()

    def _form(self) -> QVBoxLayout:
        """Make the rows of source, positions and measures."""
        self.source = QComboBox()
        self.source.addItems([_STACK, _FOLDER])
        self.source.currentTextChanged.connect(self._arrange)
        self.folder = FolderLine("Folder of one series")
        self.folder.chosen.connect(lambda _: self._arrange())
        self.kind = QComboBox()
        self.kind.addItems([_FROM_FILES, _TYPED])
        self.kind.setToolTip(
            "Working distances where every image has one, else the number of the image; "
            "or the first position and the step"
        )
        self.kind.currentTextChanged.connect(self._arrange)
        self.first, self.step = _number(0.0), _number(1.0)
        self.first.setToolTip("Position of the first image")
        self.step.setToolTip("Step from image to image; may be negative")
        self.unit = QLineEdit("µm")
        self.unit.setMaximumWidth(48)
        self.unit.setToolTip("Unit of the positions")
        self.typed = QWidget()
        typed = QHBoxLayout(self.typed)
        typed.setContentsMargins(0, 0, 0, 0)
        for part in (self.first, self.step, self.unit):
            typed.addWidget(part)
        self.measures = MeasureButton(())
        rows = QFormLayout()
        rows.addRow("Series", self.source)
        rows.addRow("Positions", self.kind)
        rows.addRow("", self.typed)
        rows.addRow("Also show", self.measures)
        column = QVBoxLayout()
        column.addLayout(rows)
        column.insertWidget(0, self.folder)
        return column

    def _arrange(self, *_: Any) -> None:
        """Show what the choices need."""
        self.folder.setVisible(self.source.currentText() == _FOLDER)
        self.typed.setVisible(self.kind.currentText() == _TYPED)
        self.changed.emit()

    # --- what the window says ------------------------------------------------------------

    def wish(self) -> SeriesSource:
        """Return what the series is made of as the window stands.

        Raises
        ------
        InvalidSettings
            There is no stack and no folder, or the step is none.
        """
        positions = None
        if self.kind.currentText() == _TYPED:
            if self.step.value() == 0:
                raise InvalidSettings("A step of 0 is none.", hint="Type how far the focus moved.")
            positions = self.first.value(), self.step.value()
        unit = self.unit.text().strip() if positions is not None else ""
        if self.source.currentText() == _FOLDER:
            if self.folder.folder is None:
                raise InvalidSettings(self.wants)
            files = tuple(list_files(self.folder.folder))
            return SeriesSource(files=files, positions=positions, unit=unit)
        layer = self.panel.chooser.layer()
        record = None if layer is None else from_layer(layer)
        if record is None or record.axes != "NYX":
            raise InvalidSettings("The selected image is no stack.", hint=self.wants)
        return SeriesSource(layer, record, positions=positions, unit=unit)

    def can_run(self) -> bool:
        """Say whether there is a stack, or a folder."""
        if self.source.currentText() == _FOLDER:
            return self.folder.folder is not None
        return _is_stack(self.panel.chooser.layer())

    def layer_changed(self, layer: Any) -> None:
        """Take the curve away whose stack is gone, or when another stack is chosen."""
        used = self.used.layer
        gone = used is not None and used not in self.panel.viewer.layers
        if gone or (used is not None and layer is not used and _is_stack(layer)):
            self._show(None, SeriesSource())
        self.changed.emit()

    def take_paths(self, paths: list[Any]) -> bool:
        """Take a dropped folder as the series."""
        if len(paths) != 1 or not paths[0].is_dir():
            return False
        self.source.setCurrentText(_FOLDER)
        self.folder.choose(paths[0])
        if not self.panel.work.running:
            self.panel.run_page(self)
        return True

    # --- running -------------------------------------------------------------------------

    def run(self) -> None:
        """Measure all images and find the best position."""
        wish = self.wish()
        measures, scoring = self.measures.names(), self.panel.memory.scoring()

        def job(progress: Progress, cancel: Cancel) -> tuple[SeriesSource, FocusSeries]:
            importlib.import_module("matplotlib.backends.backend_qtagg")  # slow; for the curve
            series = judge_series(
                wish.images(),
                wish.places(),
                measures=measures,
                score=scoring,
                unit=wish.unit or None,
                progress=progress,
                cancel=cancel,
            )
            return wish, series

        self.panel.start_work(job, self._show_end, "Finding the best focus")

    def _show_end(self, value: tuple[SeriesSource, FocusSeries]) -> None:
        """Show the curve and what it says."""
        wish, series = value
        if wish.layer is not None and wish.layer not in self.panel.viewer.layers:
            self.panel.say("The stack was removed meanwhile; nothing is shown.", "warning")
            return
        self._show(series, wish)
        self.panel.say(f"{len(series.positions)} images compared.")

    def _show(self, series: FocusSeries | None, source: SeriesSource) -> None:
        """Show a series, or none."""
        self.found, self.used = series, source
        self.curve.show_series(series, "" if series is None else series.unit)
        self._on_slider()
        self._offer()
        if series is None:
            self.words.setText("")
            return
        self.words.setText("\n".join(series_sentences(series)))
        doubtful = not series.inside or bool(series.warnings)
        self.words.setStyleSheet(f"color: {theme_colour('warning')};" if doubtful else "")

    def _offer(self) -> None:
        """Offer what can be done with the series."""
        self.best.setEnabled(self.found is not None)
        self.depth.offer(self.found, self.used)

    # --- the viewer ----------------------------------------------------------------------

    def go_to_best(self) -> None:
        """Show the image nearest to the best position."""
        if self.found is not None:
            self.go_to(self.found.best_frame)

    def go_to(self, row: int) -> None:
        """Show an image of the curve: the slice of the stack, or the file."""
        if self.found is None:
            return
        number = int(self.found.order[row])
        if self.used.files:
            self.panel.open_file(self.used.files[number])
        elif self.used.layer in self.panel.viewer.layers:
            viewer = self.panel.viewer
            viewer.layers.selection.active = self.used.layer
            viewer.dims.set_current_step(viewer.dims.ndim - 3, number)

    def _on_slider(self, event: Any = None) -> None:
        """Mark the slice that is shown."""
        steps = self.panel.viewer.dims.current_step
        if self.found is None or self.used.layer is None or len(steps) < 3:
            self.curve.show_at(None)
            return
        rows = np.flatnonzero(self.found.order == int(steps[-3]))
        self.curve.show_at(int(rows[0]) if len(rows) else None)

    def python(self) -> str:
        """Return the call that finds the same."""
        wish = self.wish()
        folder = self.folder.folder
        source = image_source(wish.layer) if wish.layer is not None else repr(str(folder))
        return focus_series_recipe(source, wish.positions, wish.unit, self.measures.names())

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.curve.redraw()
        self._show(self.found, self.used)

    def release(self) -> None:
        """Draw no more."""
        self.curve.release()
        self.depth.release()


def _is_stack(layer: Any) -> bool:
    """Say whether a layer is a stack of images."""
    return layer is not None and layer.ndim == 3 and not getattr(layer, "rgb", False)


def _number(value: float) -> QDoubleSpinBox:
    """Make a field for a position."""
    field = QDoubleSpinBox()
    field.setRange(-_WIDEST, _WIDEST)
    field.setDecimals(3)
    field.setValue(value)
    return field
