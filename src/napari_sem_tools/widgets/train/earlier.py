"""The part of the Train widget that says what an earlier run left, and what is done about it."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_sem_tools.settings import Settings
from napari_sem_tools.widgets.panel import wrapped_label
from napari_sem_tools.widgets.train.watch import Earlier, earlier_run

__all__ = ["EarlierBox"]


class EarlierBox(QWidget):
    """A line about the run that lies in the folder of the name; not there without one.

    Its signal ``restored`` comes when the settings of that run are wanted, ``changed`` when
    the run is to be dropped or not.
    """

    restored = Signal()
    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.earlier = Earlier()
        self.place: Path | None = None
        self.line = wrapped_label()
        self.anew = QCheckBox("Begin anew")
        self.anew.setToolTip(
            "Drop what lies in the folder of this run; models in the list of models stay"
        )
        self.anew.toggled.connect(self.changed)
        self.restore = QPushButton("Take its settings")
        self.restore.setToolTip("Show the settings of the unfinished training, to go on with it")
        self.restore.clicked.connect(self.restored)
        row = QHBoxLayout()
        row.addWidget(self.anew)
        row.addStretch(1)
        row.addWidget(self.restore)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.line)
        column.addLayout(row)
        self.hide()

    @property
    def drops(self) -> bool:
        """Whether an earlier run is there and is to be dropped."""
        return self.earlier.there and self.anew.isChecked()

    def goes_on(self, settings: Settings | None) -> bool:
        """Say whether a training with these settings goes on with the earlier run."""
        if settings is None or not self.earlier.unfinished or self.anew.isChecked():
            return False
        return self.earlier.goes_on_with(settings)

    def allows(self, settings: Settings | None) -> bool:
        """Say whether a training with these settings may begin."""
        return not self.earlier.there or self.drops or self.goes_on(settings)

    def look(self, place: Path | None) -> bool:
        """Look into the folder of a run; return whether it is another one than before."""
        self.earlier = earlier_run(place) if place is not None else Earlier()
        changed, self.place = place != self.place, place
        if changed:
            self.anew.setChecked(False)
        return changed

    def tell(self, settings: Settings | None) -> None:
        """Say what lies there and whether these settings go on with it."""
        earlier = self.earlier
        same = settings is not None and earlier.goes_on_with(settings)
        self.restore.setVisible(earlier.unfinished and not same)
        self.setVisible(earlier.there)
        planned = getattr(earlier.settings, "epochs", "?") if earlier.settings else "?"
        done = f"{earlier.epochs_done} of {planned} epochs"
        if earlier.model:
            text = f"This training is done: {earlier.model}. Choose another name, or begin anew."
        elif same:
            text = f"A training of this name was stopped after {done}."
        else:
            text = f"A training of this name with other settings was stopped after {done}."
        self.line.setText(text)
