"""The thresholds for doubtful particles: a slider a rule, and how many it holds for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.measurement import MeasureSettings
from napari_sem_tools.widgets.forms import field_help
from napari_sem_tools.widgets.panel import scrolled

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SLIDERS", "DoubtPanel"]

SLIDERS: dict[str, tuple[str, str, float]] = {
    "max_doubt": ("score above", "", 1.0),
    "min_ecd_px": ("too small", "px", 50.0),
    "min_solidity": ("merged", "", 1.0),
    "max_fragment_ratio": ("fragment", "", 1.0),
    "min_contrast": ("low contrast", "SD", 5.0),
    "min_confidence": ("low confidence", "", 1.0),
}
"""Field of `MeasureSettings` -> its reason for doubt, its unit, and the end of its slider."""

_TICKS = {
    "leave_out_doubtful": "Call particles doubtful and leave them out",
    "doubt_covered": "covered by letters",
    "leave_out_edge": "Leave out particles cut by the edge",
}
_STEPS = 200


class DoubtPanel(QWidget):
    """Sliders that act at once; ``changed`` says that other thresholds are wanted."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._settings = MeasureSettings()
        self.hatch = QCheckBox("Show in red")
        self.hatch.setToolTip("Hatch doubtful particles in red, those left out in grey")
        reset = QPushButton("Defaults")
        reset.setToolTip("Put all thresholds back; decisions by hand stay")
        reset.clicked.connect(lambda: self._take(MeasureSettings()))
        top = QHBoxLayout()
        top.addWidget(self.hatch)
        top.addStretch(1)
        top.addWidget(reset)
        fields = {field.name: field for field in MeasureSettings.fields()}
        self.ticks = {name: QCheckBox(text) for name, text in _TICKS.items()}
        for name, tick in self.ticks.items():
            tick.setToolTip(field_help(fields[name]))
            tick.toggled.connect(self._on_change)
        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        self.sliders: dict[str, QSlider] = {}
        self._values: dict[str, QLabel] = {}
        self._counts: dict[str, QLabel] = {}
        for row, name in enumerate(SLIDERS):
            self._add_row(grid, row, name, field_help(fields[name]))
        grid.addWidget(self.ticks["doubt_covered"], len(SLIDERS), 0, 1, 3)
        self._counts["covered"] = QLabel()
        grid.addWidget(self._counts["covered"], len(SLIDERS), 3)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.ticks["leave_out_doubtful"])
        column.addLayout(grid)
        column.addWidget(self.ticks["leave_out_edge"])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 0)
        layout.addLayout(top)
        layout.addWidget(scrolled(inner), 1)
        self.show_settings(self._settings)

    def _add_row(self, grid: QGridLayout, row: int, name: str, help_text: str) -> None:
        """Make the slider of a rule with its value and its count."""
        reason = SLIDERS[name][0]
        label, slider = QLabel(reason), QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, _STEPS)
        slider.valueChanged.connect(self._on_change)
        value, count = QLabel(), QLabel()
        value.setMinimumWidth(52)
        count.setMinimumWidth(34)
        count.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for place, widget in enumerate((label, slider, value, count)):
            widget.setToolTip(help_text if place < 3 else "particles that this holds for")
            grid.addWidget(widget, row, place)
        self.sliders[name], self._values[name], self._counts[reason] = slider, value, count

    # --- content ---------------------------------------------------------------------------

    def settings(self) -> MeasureSettings:
        """Return the settings with the thresholds as they stand."""
        return self._settings

    def show_settings(self, settings: MeasureSettings) -> None:
        """Show the thresholds that a table was judged by."""
        self._settings = settings
        for name, slider in self.sliders.items():
            with QSignalBlocker(slider):
                slider.setValue(round(_STEPS * getattr(settings, name) / SLIDERS[name][2]))
        for name, tick in self.ticks.items():
            with QSignalBlocker(tick):
                tick.setChecked(getattr(settings, name))
        self._write_values()

    def count(self, table: pd.DataFrame) -> None:
        """Show how many particles each rule holds for."""
        reasons = table["doubt_reason"].astype(str) if "doubt_reason" in table else None
        for reason, label in self._counts.items():
            if reason == SLIDERS["max_doubt"][0]:
                label.setText(str(int(table["doubtful"].sum()) if "doubtful" in table else 0))
                continue
            held = 0 if reasons is None else int(reasons.str.contains(reason, regex=False).sum())
            label.setText(str(held))

    def _take(self, settings: MeasureSettings) -> None:
        """Take other thresholds, keeping what else was set."""
        names = (*SLIDERS, *_TICKS)
        self.show_settings(
            self._settings.replace(**{name: getattr(settings, name) for name in names})
        )
        self.changed.emit()

    def _on_change(self, *_: Any) -> None:
        """Take what the user set; a slider that nobody moved keeps its exact value."""
        values: dict[str, Any] = {name: tick.isChecked() for name, tick in self.ticks.items()}
        for name, slider in self.sliders.items():
            end = SLIDERS[name][2]
            if slider.value() != round(_STEPS * getattr(self._settings, name) / end):
                values[name] = round(end * slider.value() / _STEPS, 4)
        self._settings = self._settings.replace(**values)
        self._write_values()
        self.changed.emit()

    def _write_values(self) -> None:
        """Write the thresholds in numbers."""
        for name, label in self._values.items():
            unit = SLIDERS[name][1]
            label.setText(f"{getattr(self._settings, name):.3g} {unit}".strip())
        on = self._settings.leave_out_doubtful
        for widget in (*self.sliders.values(), self.ticks["doubt_covered"]):
            widget.setEnabled(on)
