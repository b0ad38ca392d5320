"""The part of the Train widget that says how a network is trained."""

from __future__ import annotations

from pathlib import Path
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

from napari_sem_tools.models import models as registry
from napari_sem_tools.training import RECIPES, TRAININGS, TrainingSettings
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.panel import narrow, scrolled, wrapped_label

__all__ = ["Folded", "TrainingChoices", "help_box", "plain_name", "sentence"]

_SHOWN = ("start", "freeze", "augmentation")  # by the boxes above the forms
_FIRST = ("epochs", "batch", "crop_px", "learning_rate", "validation_share", "patience")
_STARTS = {
    "auto": "the particles model that comes with the package, where there is one",
    "none": "nothing: weights are drawn by chance",
}
_FROZEN = {
    "nothing": "all layers learn",
    "stages": "the first stages of the encoder stay as they are; how many: More settings",
    "encoder": "the whole encoder stays as it is",
    "all but head": "only the last layer learns; for very few images",
}


class TrainingChoices(QWidget):
    """Training by name, model to go on from, frozen layers, recipe, name, and all settings.

    Its signal ``changed`` comes after any change.
    """

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._boxes())
        advanced = [f.name for f in TrainingSettings.fields() if f.name not in _FIRST]
        self.form = SettingsForm(TrainingSettings, skip=advanced)
        self.more = SettingsForm(TrainingSettings, skip=(*_FIRST, *_SHOWN))
        place = QWidget()
        rows = QVBoxLayout(place)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.addWidget(self.form.native)
        folded = Folded(self.more.native)
        self.fold = folded.button
        rows.addWidget(folded)
        column.addWidget(scrolled(place), 1)
        self.show_settings(TRAININGS[self.training.currentText()].settings)
        for box in (self.start, self.freeze, self.augmentation):
            box.currentIndexChanged.connect(self._on_change)
        self.training.currentIndexChanged.connect(self._on_training)
        self.name.textChanged.connect(self._on_change)
        self.form.connect(self._on_change)
        self.more.connect(self._on_change)

    def _boxes(self) -> QGridLayout:
        """Make the choices that everybody meets."""
        self.training = help_box({row.name: row.help for row in TRAININGS.values()})
        self.augmentation = help_box({row.name: row.help for row in RECIPES.values()})
        self.freeze = help_box(_FROZEN)
        self.start = _StartBox()
        self.name = QLineEdit()
        self.name.setPlaceholderText("name of the new model")
        self.name.setToolTip(
            "Name in the list of models: small letters, digits and hyphens. "
            "A second training of a name is its next version."
        )
        self.training_line, self.augmentation_line = wrapped_label(), wrapped_label()
        grid = QGridLayout()  # unlike a form, it gives wrapped lines the height they need
        grid.setVerticalSpacing(4)
        rows: dict[str, QWidget] = {
            "Training": self.training,
            "Start from": self.start,
            "Keep fixed": self.freeze,
            "Augmentation": self.augmentation,
            "Model name": self.name,
        }
        help_below = {"Training": self.training_line, "Augmentation": self.augmentation_line}
        for title, widget in rows.items():
            row = grid.rowCount()
            grid.addWidget(QLabel(title), row, 0)
            grid.addWidget(widget, row, 1)
            if title in help_below:
                grid.addWidget(help_below[title], row + 1, 0, 1, 2)
        grid.setColumnStretch(1, 1)
        return grid

    # --- for the widget ------------------------------------------------------------------

    def settings(self) -> TrainingSettings:
        """Return the settings as the window stands.

        Raises
        ------
        InvalidSettings
            A value is out of its range.
        """
        first: Any = self.form.value()
        whole: Any = self.more.value()
        changes = {name: getattr(first, name) for name in _FIRST}
        return TrainingSettings.from_dict(
            whole.to_dict()
            | changes
            | {
                "start": self.start.value(),
                "freeze": self._frozen(),
                "augmentation": str(self.augmentation.currentText()),
            }
        )

    def show_settings(self, settings: TrainingSettings) -> None:
        """Show settings, e.g. those of a run that can be gone on with."""
        boxes = (self.start, self.freeze, self.augmentation)
        blockers = [QSignalBlocker(box) for box in (*boxes, self)]
        self.start.show_value(settings.start)
        self.freeze.setCurrentText(settings.freeze)
        self.augmentation.setCurrentText(settings.augmentation)
        self.form.show(settings)
        self.more.show(settings)
        self._name_training(settings)
        del blockers
        self._on_change()

    # --- inside --------------------------------------------------------------------------

    def _frozen(self) -> str:
        """Return which layers stay as they are."""
        return "nothing" if self.start.value() == "none" else str(self.freeze.currentText())

    def _name_training(self, settings: TrainingSettings) -> None:
        """Show the training by name whose kind of target these settings have."""
        fitting = [n for n, row in TRAININGS.items() if row.settings.targets == settings.targets]
        if self.training.currentText() in fitting or not fitting:
            return
        same = [n for n in fitting if TRAININGS[n].settings.architecture == settings.architecture]
        with QSignalBlocker(self.training):
            self.training.setCurrentText((same or fitting)[0])

    def _on_training(self, *_: Any) -> None:
        """Take the settings of another training."""
        self.show_settings(TRAININGS[self.training.currentText()].settings)

    def _on_change(self, *_: Any) -> None:
        """Write the help of what is chosen."""
        row = TRAININGS[self.training.currentText()]
        self.training_line.setText(sentence(row.help))
        self.training_line.setToolTip(f"Settings from: {row.source}")
        recipe = RECIPES[self.augmentation.currentText()]
        self.augmentation_line.setText(sentence(recipe.help))
        self.augmentation_line.setToolTip(f"Ranges from: {recipe.source}")
        self.freeze.setEnabled(self.start.value() != "none")
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


class _StartBox(QComboBox):
    """The models to go on from; those made meanwhile appear when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        _narrow(self)
        self.show_value("auto")

    def value(self) -> str:
        """Return the word that the settings know."""
        return str(self.currentData() or "auto")

    def show_value(self, name: str) -> None:
        """Choose a model, also one that is not there."""
        self.refill(name or "none")

    def refill(self, chosen: str | None = None) -> None:
        """List the models anew."""
        chosen = chosen or self.value()
        cards = [e.card for e in registry.on_disk.entries() if e.card.task == "segmentation"]
        offered = {**_STARTS, **{card.name: card.description for card in cards}}
        offered.setdefault(chosen, "This model is not installed here.")
        words = {"auto": "auto (particles)", "none": "nothing"}
        with QSignalBlocker(self):
            self.clear()
            for number, (name, text) in enumerate(offered.items()):
                self.addItem(words.get(name, name), name)
                self.setItemData(number, text, Qt.ItemDataRole.ToolTipRole)
            self.setCurrentIndex(list(offered).index(chosen))

    def showPopup(self) -> None:  # noqa: N802  Qt's name
        """Look for models before the list opens."""
        self.refill()
        super().showPopup()


def plain_name(path: Path) -> str:
    """Return the name that a model of a training set gets by itself."""
    from napari_sem_tools.training.segmentation import model_name

    return model_name(path)


def help_box(rows: dict[str, str]) -> QComboBox:
    """Make a list of names with their help."""
    box = QComboBox()
    _narrow(box)
    for number, (name, text) in enumerate(rows.items()):
        box.addItem(name)
        box.setItemData(number, text, Qt.ItemDataRole.ToolTipRole)
    return box


def _narrow(box: QComboBox) -> None:
    """Let a long entry not widen the dock."""
    narrow(box, 10)
    box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)


def sentence(text: str) -> str:
    """Begin with a capital and end with a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
