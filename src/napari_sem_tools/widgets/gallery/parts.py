"""Small parts that lists of images share: rows of buttons, narrow lists, a question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QPushButton, QWidget

from napari_sem_tools.widgets.panel import narrow

__all__ = ["TIGHT", "asked_csv", "button_row", "gallery_button", "narrow_box", "refill"]

TIGHT = "padding: 3px 5px;"  # many buttons in a narrow dock


def button_row(
    buttons: Mapping[str, tuple[str, str]], answer: Callable[[str], None]
) -> tuple[QHBoxLayout, dict[str, QPushButton]]:
    """Make a row of buttons.

    Parameters
    ----------
    buttons : mapping
        Name -> text and tooltip.
    answer : callable
        Gets the name of the one that was clicked.

    Returns
    -------
    QHBoxLayout, dict of str to QPushButton
    """
    row = QHBoxLayout()
    row.setSpacing(3)
    made = {}
    for name, (text, tip) in buttons.items():
        button = QPushButton(text)
        button.setToolTip(tip)
        button.setStyleSheet(TIGHT)
        button.clicked.connect(lambda _=False, name=name: answer(name))
        made[name] = button
        row.addWidget(button)
    row.addStretch(1)
    return row, made


def gallery_button(show: Callable[[bool], None]) -> QPushButton:
    """Make the button that changes between table and gallery."""
    button = QPushButton("Gallery")
    button.setCheckable(True)
    button.setToolTip("Show large pictures instead of the table")
    button.toggled.connect(show)
    return button


def narrow_box(*texts: str, tip: str = "") -> QComboBox:
    """Make a list that does not widen the dock."""
    box = narrow(QComboBox())
    box.addItems(list(texts))
    box.setToolTip(tip)
    return box


def refill(box: QComboBox, rows: Mapping[str, str]) -> None:
    """List other things and keep the choice where it still exists.

    Parameters
    ----------
    box : QComboBox
    rows : mapping of str to str
        What each stands for -> its text.
    """
    before = box.currentData()
    if [box.itemData(n) for n in range(box.count())] == list(rows):
        for number, text in enumerate(rows.values()):
            box.setItemText(number, text)
        return
    with QSignalBlocker(box):
        box.clear()
        for data, text in rows.items():
            box.addItem(text, data)
        if before in rows:
            box.setCurrentIndex(list(rows).index(before))


def asked_csv(parent: QWidget, title: str, name: str) -> Path | None:
    """Ask where to write a CSV; the dialog asks before it replaces one."""
    chosen, _ = QFileDialog.getSaveFileName(parent, title, name, "Table (*.csv)")
    if not chosen:
        return None
    path = Path(chosen)
    return path if path.suffix else path.with_suffix(".csv")
