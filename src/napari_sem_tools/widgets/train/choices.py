"""The part of the Train widget that says how a network is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QComboBox

from napari_sem_tools.models import models as registry
from napari_sem_tools.training import RECIPES, TRAININGS, TrainingSettings
from napari_sem_tools.widgets.panel import wrapped_label
from napari_sem_tools.widgets.train.page import SettingsPage, help_box, keep_narrow, sentence

__all__ = ["TrainingChoices", "plain_name"]

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


class TrainingChoices(SettingsPage):
    """Training by name, model to go on from, frozen layers, recipe, name, and all settings."""

    record = TrainingSettings
    trainings = TRAININGS
    first = ("epochs", "batch", "crop_px", "learning_rate", "validation_share", "patience")

    def build(self) -> dict[str, tuple[str, QComboBox]]:
        """Make the choices that everybody meets."""
        self.start = _StartBox()
        self.freeze = help_box(_FROZEN)
        self.augmentation = help_box({row.name: row.help for row in RECIPES.values()})
        self.augmentation_line = self.lines["Augmentation"] = wrapped_label()
        self.name.setToolTip(
            "Name in the list of models: small letters, digits and hyphens. "
            "A second training of a name is its next version."
        )
        return {
            "Start from": ("start", self.start),
            "Keep fixed": ("freeze", self.freeze),
            "Augmentation": ("augmentation", self.augmentation),
        }

    def chosen(self) -> dict[str, str]:
        """Return the settings that the boxes show."""
        return super().chosen() | {"start": self.start.value(), "freeze": self._frozen()}

    def show_chosen(self, settings: TrainingSettings) -> None:
        """Show settings in the boxes."""
        super().show_chosen(settings)
        self.start.show_value(settings.start)
        self._name_training(settings)

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

    def _on_change(self, *_: Any) -> None:
        """Write the help of what is chosen."""
        recipe = RECIPES[self.augmentation.currentText()]
        self.augmentation_line.setText(sentence(recipe.help))
        self.augmentation_line.setToolTip(f"Ranges from: {recipe.source}")
        self.freeze.setEnabled(self.start.value() != "none")
        super()._on_change()


class _StartBox(QComboBox):
    """The models to go on from; those made meanwhile appear when it is opened."""

    def __init__(self) -> None:
        super().__init__()
        keep_narrow(self)
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
