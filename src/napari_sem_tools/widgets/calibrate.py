"""The Calibrate widget: what is known about the scale, and how to give or repair it."""

from __future__ import annotations

import html
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QGridLayout,
    QGroupBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QWidget,
)

from napari_sem_tools.errors import SemError
from napari_sem_tools.layers import from_layer, show_scale_bar
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.widgets.parts import SemWidget, wrapped_label
from napari_sem_tools.widgets.recalibrate import (
    LayerState,
    companions,
    facts,
    layers_of_file,
    recalibrate,
    restore,
    unit_offenders,
    warnings_of,
)
from napari_sem_tools.widgets.recipes import calibrate_recipe

__all__ = ["CalibrateWidget"]

_READER = "napari-sem-tools"
_PATTERNS = ("*.tif", "*.tiff")
_SCOPES = ("This layer and all on its grid", "All layers from this file")


class CalibrateWidget(SemWidget):
    """Show, repair and set the pixel size of an image layer.

    Nothing is ever written to the file; *Undo* brings the old scale back.
    """

    run_text = "Read the scale from the file"

    def build(self) -> None:
        """Make the facts, the warnings, the rows for typing and the undo button."""
        self.facts_label = wrapped_label()
        self.warning_label = wrapped_label()
        self.unit_label = wrapped_label()
        for label in (self.facts_label, self.warning_label, self.unit_label):
            self.body.addWidget(label)
        self.offer_button = QPushButton()
        self.offer_button.clicked.connect(self.take_offer)
        self.body.addWidget(self.offer_button)
        self.body.addWidget(self._by_hand())
        self.undo_button = QPushButton("Undo")
        self.undo_button.setToolTip("Bring back the scale before the last change")
        self.undo_button.clicked.connect(self.undo)
        self.remember = QCheckBox("Always open *.tif with SEM tools")
        self.remember.setToolTip(
            "napari's own reader opens every TIFF without its scale.  Ticked, napari's "
            "preference for *.tif names this plugin; unticked, the preference is removed."
        )
        self.remember.setChecked(_remembered())
        self.remember.toggled.connect(_remember)
        row = QHBoxLayout()
        row.addWidget(self.remember, 1)
        row.addWidget(self.undo_button)
        self.body.addLayout(row)
        self.body.addStretch(1)
        self._history: list[list[LayerState]] = []
        for event in ("inserted", "removed"):
            self.links.connect(getattr(self.viewer.layers.events, event), self._on_layers)

    def _by_hand(self) -> QWidget:
        """Make the rows where a person states the scale."""
        group = QGroupBox("Scale by hand")
        grid = QGridLayout(group)
        self.pixel_size = _line("7.34 nm", "Height and width of a pixel, e.g. 7.34 nm or 0.5 µm")
        self.width_text = _line("12 µm", "Width of the whole image, e.g. 12 µm")
        self.bar_px = QDoubleSpinBox()
        self.bar_px.setRange(0, 1e6)
        self.bar_px.setDecimals(1)
        self.bar_px.setSuffix(" px")
        self.bar_px.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        self.bar_px.setToolTip("Length of the drawn scale bar; found by itself or typed")
        self.bar_text = _line("200 nm", "The number written at the scale bar, e.g. 200 nm")
        self.find_button = QPushButton("Find")
        self.find_button.setMaximumWidth(60)
        self.find_button.setToolTip("Find the drawn scale bar and fill in its length")
        self.find_button.clicked.connect(self.find_bar)
        self._row(grid, 0, "Pixel size", [self.pixel_size], self.set_pixel_size)
        self._row(grid, 1, "Image width", [self.width_text], self.set_width)
        bar = [self.find_button, self.bar_px, self.bar_text]
        self._row(grid, 2, "Drawn bar", bar, self.set_bar)
        self.scope = QComboBox()
        self.scope.addItems(_SCOPES)
        grid.addWidget(QLabel("Apply to"), 3, 0)
        grid.addWidget(self.scope, 3, 1, 1, 2)
        return group

    def _row(
        self, grid: QGridLayout, number: int, title: str, parts: list[QWidget], apply: Any
    ) -> None:
        """Make one row with its Set button."""
        inner = QHBoxLayout()
        for part in parts:
            inner.addWidget(part, 1)
        button = QPushButton("Set")
        button.clicked.connect(apply)
        if isinstance(parts[-1], QLineEdit):
            parts[-1].returnPressed.connect(apply)
        grid.addWidget(QLabel(title), number, 0)
        grid.addLayout(inner, number, 1)
        grid.addWidget(button, number, 2)

    # --- what is shown -----------------------------------------------------------------

    def layer_changed(self, layer: Any) -> None:
        """Show the facts of another layer."""
        record = self._record(layer)
        self.facts_label.setText(_table_of(facts(record)) if record else "")
        said = warnings_of(record) if record else []
        self.warning_label.setText("\n".join(f"⚠ {text}" for text in said))
        self.warning_label.setVisible(bool(said))
        offered = record.calibration.offered if record else None
        confirmed = record is not None and record.calibration.is_calibrated
        self.offer_button.setVisible(offered is not None and not confirmed)
        if offered is not None:
            self.offer_button.setText(f"It holds: use {offered[1]:.5g} nm per pixel")
        path = layer.source.path if layer is not None else None
        self.run_button.setEnabled(bool(path))
        self.run_button.setToolTip(
            f"Read the pixel size in {Path(path).name}" if path else "This layer has no file"
        )
        self.undo_button.setEnabled(bool(self._history))
        self._show_units()

    def _record(self, layer: Any) -> Micrograph | None:
        """Return the record of a layer, None where there is none."""
        if layer is None:
            return None
        try:
            return from_layer(layer)
        except SemError:
            return None

    def _on_layers(self, event: Any = None) -> None:
        """Look at the units of all layers after one came or went."""
        gone = {id(layer) for layer in self.viewer.layers}
        self._history = [
            kept for states in self._history if (kept := [s for s in states if id(s.layer) in gone])
        ]
        self._show_units()

    def _show_units(self) -> None:
        """Name the layers that take the unit from the scale bar."""
        names = unit_offenders(list(self.viewer.layers))
        self.unit_label.setVisible(bool(names))
        if names:
            self.unit_label.setText(
                f"⚠ The scale bar has no unit because of: {', '.join(names)}. "
                "Calibrate or remove it."
            )

    # --- what changes the scale ----------------------------------------------------------

    def run(self) -> None:
        """Read the file of the layer again and take its scale; the file is not changed."""
        layer = self.chooser.layer()
        path = layer.source.path if layer is not None else None
        if not path:
            raise SemError("This layer has no file.", hint="Give the scale by hand.")
        self.start(lambda progress, cancel: _read(path, layer), self._repaired, "Reading the scale")

    def _repaired(self, record: Micrograph) -> None:
        """Take the scale that the file states."""
        self._apply(record, whole_file=True)
        if not record.calibration.is_calibrated and record.calibration.reciprocal is None:
            self.say("The file states no pixel size. Give the scale by hand.", "warning")

    def set_pixel_size(self) -> None:
        """Take the typed pixel size."""
        self._state_scale("pixel_size", lambda: _typed(self.pixel_size))

    def set_width(self) -> None:
        """Take the typed width of the image."""
        self._state_scale("width", lambda: _typed(self.width_text))

    def set_bar(self) -> None:
        """Take the length of the drawn bar in px and the number at it."""
        self._state_scale("bar", lambda: (self.bar_px.value(), _typed(self.bar_text)))

    def take_offer(self) -> None:
        """Confirm the pixel size that the file states but that does not hold for sure."""
        record = self._record(self.chooser.layer())
        offered = record.calibration.offered if record else None
        if offered is not None:
            self._state_scale("pixel_size", lambda: offered)

    def find_bar(self) -> None:
        """Find the drawn scale bar and fill in its length in px."""
        from napari_sem_tools.calibration import find_scale_bar

        record = self._record(self.chooser.layer())
        if record is None:
            self.say(self.wants)
            return
        bar = find_scale_bar(record.plane())
        if bar is None:
            self.say("No scale bar was found; measure it and type its length.", "warning")
            return
        self.bar_px.setValue(bar.length_px)
        if bar.text:
            self.bar_text.setText(bar.text)
        self.bar_text.setFocus()
        self.say(f"A bar of {bar.length_px:.1f} px was found. Type the number that stands at it.")

    def undo(self) -> None:
        """Bring back the scale before the last change."""
        if self._history:
            restore(self._history.pop())
            self._refresh("The old scale is back.")

    def _state_scale(self, keyword: str, value: Callable[[], Any]) -> None:
        """Give the layer the scale that a person states."""
        from napari_sem_tools.calibration import calibrate

        record = self._record(self.chooser.layer())
        if record is None:
            self.say(self.wants)
            return
        try:
            stated = calibrate(record, **{keyword: value()})
        except SemError as error:
            self.fail(error)
            return
        self._apply(stated, whole_file=self.scope.currentIndex() == 1)

    def _apply(self, record: Micrograph, *, whole_file: bool) -> None:
        """Change the layer, what lies on its grid and, if wanted, its file's other layers."""
        image = self.chooser.layer()
        if image is None:
            return
        layers = list(self.viewer.layers)
        images = [image]
        if whole_file:
            images += [
                one
                for one in layers_of_file(layers, image.source.path)
                if one is not image and hasattr(one, "rgb")
            ]
        states: list[LayerState] = []
        done: list[Any] = []
        for one in images:
            if any(one is other for other in done):
                continue
            others = companions(layers, one)
            fresh = [other for other in others if not any(other is seen for seen in done)]
            states += recalibrate(one, _for_layer(record, one), fresh)
            done += [one, *fresh]
        self._history.append(states)
        show_scale_bar(self.viewer)
        self._refresh(f"Done: {record.calibration.describe()}.")

    def _refresh(self, text: str) -> None:
        """Show the new state in this widget and in the others."""
        for widget in self.window().findChildren(SemWidget):
            widget.show_calibration()
        self.show_calibration()
        self.layer_changed(self.chooser.layer())
        self.say(text)

    def python(self) -> str:
        """Return the call that gives the same calibration."""
        return calibrate_recipe(self.chooser.layer(), self._record(self.chooser.layer()))

    def release(self) -> None:
        """Forget the layers that undo would need."""
        self._history = []
        super().release()


def _read(path: str, layer: Any) -> Micrograph:
    """Read the record of a layer's file that fits the layer."""
    from napari_sem_tools.reading import read_all

    records = read_all(path)
    shape = tuple(layer.data.shape)
    fitting = [one for one in records if tuple(one.pixels.shape) == shape]
    if fitting:
        return fitting[0]
    plane = [one for one in records if tuple(one.shape) == shape[-2:] or one.shape == shape[:2]]
    if not plane:
        raise SemError(
            f"The layer has {shape} pixels, its file has {tuple(records[0].pixels.shape)}.",
            hint="Open the file again with SEM tools.",
        )
    return plane[0]


def _for_layer(record: Micrograph, layer: Any) -> Micrograph:
    """Give another layer of the same file its own record with the new calibration."""
    own = from_layer(layer)
    if own.axes == record.axes and own.shape == record.shape:
        return record
    return own.replace(calibration=record.calibration)


def _line(example: str, tooltip: str) -> QLineEdit:
    """Make a line for a length with its unit."""
    line = QLineEdit()
    line.setPlaceholderText(example)
    line.setToolTip(tooltip)
    return line


def _typed(line: QLineEdit) -> str:
    """Return what was typed, or say what is missing."""
    text = line.text().strip()
    if not text:
        raise SemError("Nothing is typed.", hint=f"{line.toolTip()}.")
    return text


def _table_of(rows: list[tuple[str, str]]) -> str:
    """Write rows as a small table of rich text."""
    cells = "".join(
        f"<tr><td style='padding-right: 10px'>{html.escape(name)}</td>"
        f"<td>{html.escape(text)}</td></tr>"
        for name, text in rows
    )
    return f"<table>{cells}</table>"


def _remembered() -> bool:
    """Say whether napari's preference for *.tif names this plugin."""
    from napari.settings import get_settings

    return get_settings().plugins.extension2reader.get(_PATTERNS[0]) == _READER


def _remember(wanted: bool) -> None:
    """Set or remove napari's preference for TIFF files; called by a user's click alone."""
    from napari.settings import get_settings

    plugins = get_settings().plugins
    kept = {k: v for k, v in plugins.extension2reader.items() if k not in _PATTERNS}
    plugins.extension2reader = kept | (dict.fromkeys(_PATTERNS, _READER) if wanted else {})
