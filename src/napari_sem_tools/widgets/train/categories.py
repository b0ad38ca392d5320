"""The part of the Train widget that says how a network learns categories of images."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import QGridLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_sem_tools.models.image_networks import IMAGE_NETWORKS
from napari_sem_tools.training import CLASSIFICATION_TRAININGS, ClassificationTraining
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.panel import scrolled, wrapped_label
from napari_sem_tools.widgets.train.choices import Folded, help_box, sentence

__all__ = ["CategoryChoices"]

_SHOWN = ("network", "split")  # by the boxes above the forms
_FIRST = ("epochs", "batch", "learning_rate", "rows", "columns", "freeze", "leave_out")
_SPLITS = {
    "80/20": "four fifths learn, a fifth judges; near-duplicates stay together",
    "70/20/10": "the last tenth tests: it chooses nothing, so its scores are the most honest",
    "k-fold": "one of several folds judges; which one: More settings",
    "column": "as a column of the CSV says: train, val, test",
}


class CategoryChoices(QWidget):
    """Training by name, network, split, name, and all settings.

    Its signal ``changed`` comes after any change.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._boxes())
        later = [f.name for f in ClassificationTraining.fields() if f.name not in _FIRST]
        self.form = SettingsForm(ClassificationTraining, skip=later)
        self.more = SettingsForm(ClassificationTraining, skip=(*_FIRST, *_SHOWN))
        place = QWidget()
        rows = QVBoxLayout(place)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.form.native)
        rows.addWidget(Folded(self.more.native))
        column.addWidget(scrolled(place), 1)
        self.show_settings(CLASSIFICATION_TRAININGS[self.training.currentText()].settings)
        for box in (self.network, self.split):
            box.currentIndexChanged.connect(self._on_change)
        self.training.currentIndexChanged.connect(self._on_training)
        self.name.textChanged.connect(self._on_change)
        self.form.connect(self._on_change)
        self.more.connect(self._on_change)

    def _boxes(self) -> QGridLayout:
        """Make the choices that everybody meets."""
        rows = CLASSIFICATION_TRAININGS.values()
        self.training = help_box({row.name: row.help for row in rows})
        self.network = help_box({row.name: row.help for row in IMAGE_NETWORKS.values()})
        self.network.setEditable(True)
        self.network.setToolTip("Any other network of timm as timm:NAME")
        self.split = help_box(_SPLITS)
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the new model")
        self.training_line = wrapped_label()
        grid = QGridLayout()
        grid.setVerticalSpacing(4)
        grid.addWidget(QLabel("Training"), 0, 0)
        grid.addWidget(self.training, 0, 1)
        grid.addWidget(self.training_line, 1, 0, 1, 2)
        below = {"Network": self.network, "Split": self.split, "Model name": self.name}
        for row, (title, widget) in enumerate(below.items(), start=2):
            grid.addWidget(QLabel(title), row, 0)
            grid.addWidget(widget, row, 1)
        grid.setColumnStretch(1, 1)
        return grid

    def settings(self) -> ClassificationTraining:
        """Return the settings as the window stands.

        Raises
        ------
        InvalidSettings
            A value is out of its range.
        """
        first: Any = self.form.value()
        whole: Any = self.more.value()
        changes = {name: getattr(first, name) for name in _FIRST}
        chosen = {
            "network": str(self.network.currentText()).strip(),
            "split": str(self.split.currentText()),
        }
        return ClassificationTraining.from_dict(whole.to_dict() | changes | chosen)

    def show_settings(self, settings: ClassificationTraining) -> None:
        """Show settings, e.g. those of a run that can be gone on with."""
        blockers = [QSignalBlocker(box) for box in (self.network, self.split, self)]
        self.network.setCurrentText(settings.network)
        self.split.setCurrentText(settings.split)
        self.form.show(settings)
        self.more.show(settings)
        del blockers
        self._on_change()

    def _on_training(self, *_: Any) -> None:
        """Take the settings of another training."""
        self.show_settings(CLASSIFICATION_TRAININGS[self.training.currentText()].settings)

    def _on_change(self, *_: Any) -> None:
        """Write the help of what is chosen."""
        row = CLASSIFICATION_TRAININGS[self.training.currentText()]
        self.training_line.setText(sentence(row.help))
        self.training_line.setToolTip(f"Settings from: {row.source}")
        self.changed.emit()
