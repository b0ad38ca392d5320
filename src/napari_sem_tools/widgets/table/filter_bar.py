"""What is shown in the particle table: a preset, an expression, and a range by slider."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QCompleter,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.widgets.panel import late, narrow
from napari_sem_tools.widgets.table.filters import PRESETS, range_text, rows_where

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CHOSEN", "FilterBar"]

CHOSEN = "chosen"
_STEPS = 1000  # places of the slider
_PAUSE_MS = 250  # after the last typed character
_FIRST = ("ecd_nm", "ecd_px", "area_px")
_HELP = (
    "Show the particles for which this holds, e.g.\n"
    "    ecd_nm > 50 and circularity < 0.9\n"
    "    ecd_nm > 2 * median(ecd_nm)\n"
    "    contains(doubt_reason, 'merged') or label in [3, 17]\n"
    "The names of the columns are in the tooltips of the table's titles."
)


class FilterBar(QWidget):
    """Chooses which rows are shown; its signal ``changed`` says that others are wanted.

    Parameters
    ----------
    beside : QWidget
        Stands beside the preset: the choice of images.
    """

    changed = Signal()

    def __init__(self, beside: QWidget) -> None:
        super().__init__()
        from superqt import QRangeSlider

        self.preset = QComboBox()
        self.preset.addItems([*PRESETS, CHOSEN])
        self.preset.setToolTip("Which particles are shown")
        self.preset.currentIndexChanged.connect(self._on_preset)
        self.expression = QLineEdit()
        self.expression.setPlaceholderText("where, e.g. ecd_nm > 50 and circularity < 0.9")
        self.expression.setToolTip(_HELP)
        self.expression.setClearButtonEnabled(True)
        self._pause = late(self, _PAUSE_MS, self.changed)
        self.expression.textChanged.connect(lambda _: self._pause.start())
        self.expression.returnPressed.connect(self._at_once)
        self.quantity = narrow(QComboBox(), 5)
        self.quantity.currentIndexChanged.connect(self._on_quantity)
        self.slider = QRangeSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setValue((0, _STEPS))
        self.slider.setToolTip("Show the particles within this range alone")
        self.slider.valueChanged.connect(self._on_slider)
        self.ends = QLabel()
        self.ends.setMinimumWidth(84)
        self.keep = QToolButton()
        self.keep.setText("Keep")
        self.keep.setToolTip("Write the range into the expression, to set a further one")
        self.keep.clicked.connect(self._on_keep)
        self.problem = QLabel()
        self.problem.setWordWrap(True)
        self.problem.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Minimum)
        self.problem.setVisible(False)
        self._lay_out(beside)
        self._values: dict[str, NDArray[Any]] = {}
        self._low, self._high = 0.0, 1.0

    def _lay_out(self, beside: QWidget) -> None:
        """Put preset and expression above the slider."""
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        top, below = QHBoxLayout(), QHBoxLayout()
        top.addWidget(self.preset, 1)
        top.addWidget(beside)
        below.addWidget(self.quantity, 2)
        below.addWidget(self.slider, 4)
        below.addWidget(self.ends)
        below.addWidget(self.keep)
        column.addLayout(top)
        column.addWidget(self.expression)
        column.addLayout(below)
        column.addWidget(self.problem)

    # --- content ---------------------------------------------------------------------------

    def offer(self, values: dict[str, NDArray[Any]], titles: dict[str, str]) -> None:
        """List the quantities of a table that a range can be set of.

        Parameters
        ----------
        values : dict
            Column -> its numbers.
        titles : dict
            Column -> title with its unit.
        """
        self._values = values
        before = self.quantity.currentData()
        before = None if before == "label" else before  # all that an empty table has
        with QSignalBlocker(self.quantity):
            self.quantity.clear()
            for name in values:
                self.quantity.addItem(titles[name], name)
            names = list(values)
            wanted = [names.index(one) for one in (before, *_FIRST) if one in values]
            self.quantity.setCurrentIndex(wanted[0] if wanted else 0)
        completer = QCompleter(sorted(values))
        completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.expression.setCompleter(completer)
        low, high = self.range()
        self._measure()
        if before != self.quantity.currentData():
            low, high = -np.inf, np.inf
        self._place(low, high)

    def rows(self, table: pd.DataFrame, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Say which rows of a table are shown.

        Parameters
        ----------
        table : DataFrame
        chosen : bool array (n,)
            The particles chosen in table, plot or picture.

        Returns
        -------
        bool array (n,)
            An expression that cannot be read hides nothing; the bar says why.
        """
        preset = self.preset.currentText()
        wanted = chosen.copy() if preset == CHOSEN else PRESETS[preset](table)
        wanted = wanted & self._where(table)
        name = self.quantity.currentData()
        low, high = self.range()
        if name in table and (np.isfinite(low) or np.isfinite(high)):
            values = table[name].to_numpy(float)
            wanted &= (values >= low) & (values <= high)
        return wanted

    def range(self) -> tuple[float, float]:
        """Return the range set by the slider; infinite ends where it hides nothing."""
        left, right = self._handles()
        span = self._high - self._low
        low = self._low + span * left / _STEPS if left > 0 else -np.inf
        high = self._low + span * right / _STEPS if right < _STEPS else np.inf
        return low, high

    def _where(self, table: pd.DataFrame) -> NDArray[np.bool_]:
        """Apply the expression, or say what is wrong with it."""
        try:
            holds = rows_where(table, self.expression.text())
        except InvalidSettings as error:
            self.problem.setText(f"⚠ {error.message} {error.hint}".strip())
            self.problem.setVisible(True)
            return np.ones(len(table), bool)
        self.problem.setVisible(False)
        return holds

    def _handles(self) -> tuple[int, int]:
        """Return the places of both handles."""
        places: tuple[int, ...] = self.slider.value()
        return int(places[0]), int(places[-1])

    def _measure(self) -> None:
        """Take the ends of the slider from the values."""
        values = self._values.get(self.quantity.currentData(), np.empty(0))
        values = np.asarray(values, float)
        values = values[np.isfinite(values)]
        self._low, self._high = (
            (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
        )
        self.slider.setEnabled(self._high > self._low)

    def _place(self, low: float, high: float) -> None:
        """Set the handles."""
        span = (self._high - self._low) or 1.0
        left = 0 if low <= self._low else round(_STEPS * (low - self._low) / span)
        right = _STEPS if high >= self._high else round(_STEPS * (high - self._low) / span)
        with QSignalBlocker(self.slider):
            self.slider.setValue((min(left, _STEPS), max(right, 0)))
        self._write_ends()

    def _write_ends(self) -> None:
        """Write the range in numbers."""
        left, right = self._handles()
        span = self._high - self._low
        ends = [self._low + span * place / _STEPS for place in (left, right)]
        self.ends.setText(f"{ends[0]:.4g} – {ends[1]:.4g}" if self.slider.isEnabled() else "")

    # --- what the user does ----------------------------------------------------------------

    def _on_preset(self, *_: Any) -> None:
        """Show another preset."""
        self.changed.emit()

    def _at_once(self) -> None:
        """Do not wait for more characters."""
        self._pause.stop()
        self.changed.emit()

    def _on_quantity(self, *_: Any) -> None:
        """Begin with the whole range of another quantity."""
        narrowed = self._handles() != (0, _STEPS)
        self._measure()
        self._place(-np.inf, np.inf)
        if narrowed:
            self.changed.emit()

    def _on_slider(self, *_: Any) -> None:
        """Follow the handles."""
        self._write_ends()
        self.changed.emit()

    def _on_keep(self) -> None:
        """Move the range into the expression."""
        low, high = self.range()
        name = self.quantity.currentData()
        if not name or not (np.isfinite(low) or np.isfinite(high)):
            return
        part = range_text(name, max(low, self._low), min(high, self._high))
        before = self.expression.text().strip()
        with QSignalBlocker(self.expression):
            self.expression.setText(f"({before}) and {part}" if before else part)
        self._place(-np.inf, np.inf)
        self.changed.emit()
