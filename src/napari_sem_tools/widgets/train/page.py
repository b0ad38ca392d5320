"""What the settings pages of the Train widget share: a training by name, and all its settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QComboBox,
    QGridLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.panel import narrow, scrolled, wrapped_label

__all__ = ["Folded", "SettingsPage", "help_box", "keep_narrow", "sentence"]


class SettingsPage(QWidget):
    """Base: training by name, boxes for some settings, name of the model, forms for the others.

    Its signal ``changed`` comes after any change.
    """

    changed = Signal()
    record: Any = None  # the class of the settings
    trainings: Mapping[str, Any]  # name -> what has name, help, source and settings
    first: tuple[str, ...] = ()  # settings that are not folded away

    def __init__(self) -> None:
        super().__init__()
        self.training = help_box({row.name: row.help for row in self.trainings.values()})
        self.training_line = wrapped_label()
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the new model")
        self.lines: dict[str, QLabel] = {"Training": self.training_line}
        chosen = self.build()
        self.boxes = dict(chosen.values())  # by setting
        titles: dict[str, QWidget] = {title: box for title, (_, box) in chosen.items()}
        titles = {"Training": self.training, **titles, "Model name": self.name}
        later = [field.name for field in self.record.fields() if field.name not in self.first]
        self.form = SettingsForm(self.record, skip=later)
        self.more = SettingsForm(self.record, skip=(*self.first, *self.boxes))
        place, folded = QWidget(), Folded(self.more.native)
        self.fold = folded.button
        rows = QVBoxLayout(place)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.form.native)
        rows.addWidget(folded)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._grid(titles))
        column.addWidget(scrolled(place), 1)
        self._on_training()
        for box in self.boxes.values():
            box.currentIndexChanged.connect(self._on_change)
        self.training.currentIndexChanged.connect(self._on_training)
        self.name.textChanged.connect(self._on_change)
        self.form.connect(self._on_change)
        self.more.connect(self._on_change)

    def _grid(self, titles: Mapping[str, QWidget]) -> QGridLayout:
        """Place the choices that everybody meets, with the help of some below them."""
        grid = QGridLayout()  # unlike a form, it gives wrapped lines the height they need
        grid.setVerticalSpacing(4)
        for title, widget in titles.items():
            row = grid.rowCount()
            grid.addWidget(QLabel(title), row, 0)
            grid.addWidget(widget, row, 1)
            if title in self.lines:
                grid.addWidget(self.lines[title], row + 1, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    # --- for the pages -------------------------------------------------------------------

    def build(self) -> dict[str, tuple[str, QComboBox]]:
        """Make the boxes below the training: title -> setting and box."""
        return {}

    def chosen(self) -> dict[str, str]:
        """Return the settings that the boxes show."""
        return {name: str(box.currentText()).strip() for name, box in self.boxes.items()}

    def show_chosen(self, settings: Any) -> None:
        """Show settings in the boxes."""
        for name, box in self.boxes.items():
            box.setCurrentText(getattr(settings, name))

    # --- for the widget ------------------------------------------------------------------

    def settings(self) -> Any:
        """Return the settings as the window stands.

        Raises
        ------
        InvalidSettings
            A value is out of its range.
        """
        first: Any = self.form.value()
        whole: Any = self.more.value()
        changes = {name: getattr(first, name) for name in self.first}
        return self.record.from_dict(whole.to_dict() | changes | self.chosen())

    def show_settings(self, settings: Any) -> None:
        """Show settings, e.g. those of a run that can be gone on with."""
        blockers = [QSignalBlocker(box) for box in (*self.boxes.values(), self)]
        self.show_chosen(settings)
        self.form.show(settings)
        self.more.show(settings)
        del blockers
        self._on_change()

    def _on_training(self, *_: Any) -> None:
        """Take the settings of another training."""
        self.show_settings(self.trainings[self.training.currentText()].settings)

    def _on_change(self, *_: Any) -> None:
        """Write the help of what is chosen."""
        row = self.trainings[self.training.currentText()]
        self.training_line.setText(sentence(row.help))
        self.training_line.setToolTip(f"Settings from: {row.source}")
        self.changed.emit()


class Folded(QWidget):
    """What few people need, behind a button."""

    def __init__(self, inner: QWidget) -> None:
        super().__init__()
        self.inner = inner
        self.button = QPushButton()
        self.button.setCheckable(True)
        self.button.setStyleSheet("text-align: left; padding: 4px;")
        self.button.toggled.connect(self._unfold)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.button)
        column.addWidget(inner)
        self._unfold(False)

    def _unfold(self, shown: bool) -> None:
        """Show or hide it."""
        self.button.setText(f"{'▾' if shown else '▸'}  More settings")
        self.inner.setVisible(shown)


def help_box(rows: dict[str, str]) -> QComboBox:
    """Make a list of names with their help."""
    box = QComboBox()
    keep_narrow(box)
    for number, (name, text) in enumerate(rows.items()):
        box.addItem(name)
        box.setItemData(number, text, Qt.ItemDataRole.ToolTipRole)
    return box


def keep_narrow(box: QComboBox) -> None:
    """Let a long entry not widen the dock."""
    narrow(box, 10)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
