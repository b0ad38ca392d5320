"""The part of the Train widget that says how a network learns categories of images."""

from __future__ import annotations

from qtpy.QtWidgets import QComboBox

from napari_sem_tools.models.image_networks import IMAGE_NETWORKS
from napari_sem_tools.training import CLASSIFICATION_TRAININGS, ClassificationTraining
from napari_sem_tools.widgets.train.page import SettingsPage, help_box

__all__ = ["CategoryChoices"]

_SPLITS = {
    "80/20": "four fifths learn, a fifth judges; near-duplicates stay together",
    "70/20/10": "the last tenth tests: it chooses nothing, so its scores are the most honest",
    "k-fold": "one of several folds judges; which one: More settings",
    "column": "as a column of the CSV says: train, val, test",
}


class CategoryChoices(SettingsPage):
    """Training by name, network, split, name, and all settings."""

    record = ClassificationTraining
    trainings = CLASSIFICATION_TRAININGS
    first = ("epochs", "batch", "learning_rate", "rows", "columns", "freeze", "leave_out")

    def build(self) -> dict[str, tuple[str, QComboBox]]:
        """Make the choices that everybody meets."""
        self.network = help_box({row.name: row.help for row in IMAGE_NETWORKS.values()})
        self.network.setEditable(True)
        self.network.setToolTip("Any other network of timm as timm:NAME")
        self.split = help_box(_SPLITS)
        return {"Network": ("network", self.network), "Split": ("split", self.split)}
