"""The line that chooses what judges: own categories, saved ones, or a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QComboBox, QFileDialog, QHBoxLayout, QToolButton, QWidget

from napari_sem_tools.classification import Categories
from napari_sem_tools.widgets.classify.judges import Judge, registered, saved_judges
from napari_sem_tools.widgets.panel import narrow

__all__ = ["JudgeLine"]

_NOTHING = "none yet: teach some, or open ..."
_OWN = "taught in this window"


class JudgeLine(QWidget):
    """A list of what can judge images; ``chosen`` brings another `Judge`, or None."""

    chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._judges: list[Judge | None] = []
        self._own: Judge | None = None
        self._opened: list[Judge] = []
        self.box = _Box(self)
        narrow(self.box, 12)
        self.box.setToolTip(
            "What judges images: categories taught from examples (page Teach), saved ones, or a "
            "trained network"
        )
        self.box.currentIndexChanged.connect(self._announce)
        self.browse = QToolButton()
        self.browse.setText("...")
        self.browse.setToolTip("Open categories that were saved as a folder")
        self.browse.clicked.connect(self._ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.box, 1)
        row.addWidget(self.browse)
        self.refill()

    @property
    def judge(self) -> Judge | None:
        """What judges."""
        place = self.box.currentIndex()
        return self._judges[place] if 0 <= place < len(self._judges) else None

    def take_taught(self, categories: Categories) -> None:
        """Let categories judge that were taught just now."""
        self._own = Judge(_OWN, categories)
        self.refill()
        self._choose(self._own)

    def open(self, folder: Path) -> None:
        """Let saved categories judge."""
        self.refill()
        for one in self._judges:
            if one is not None and one.source == folder:
                self._choose(one)
                return
        judge = Judge(folder.name, folder)
        self._opened.append(judge)
        self.refill()
        self._choose(judge)

    def choose_model(self, name: str) -> bool:
        """Let a network of the registry judge; False where it is not there."""
        self.refill()
        found = next((one for one in self._judges if one and one.source == name), None)
        if found is not None:
            self._choose(found)
        return found is not None

    def refill(self) -> None:
        """List anew what there is, and keep the choice where it still exists."""
        before = self.judge
        known = {one.title: one for one in self._judges if one is not None}
        fresh = [known.get(one.title, one) for one in (*saved_judges(), *registered())]
        judges: list[Judge | None] = [*([self._own] if self._own else []), *self._opened]
        judges += [one for one in fresh if one not in judges]
        self._judges = judges or [None]
        with QSignalBlocker(self.box):
            self.box.clear()
            for number, one in enumerate(self._judges):
                self.box.addItem(_NOTHING if one is None else one.title)
                tip = "" if one is None or isinstance(one.source, Categories) else str(one.source)
                self.box.setItemData(number, tip, Qt.ItemDataRole.ToolTipRole)
            if before in self._judges:
                self.box.setCurrentIndex(self._judges.index(before))
        if self.judge is not before:
            self._announce()

    def _choose(self, judge: Judge) -> None:
        """Choose one of the list; another one under the same place is told as well."""
        place = self._judges.index(judge)
        same = place == self.box.currentIndex()
        self.box.setCurrentIndex(place)
        if same:
            self._announce()

    def _announce(self, *_: Any) -> None:
        """Tell about the choice."""
        self.chosen.emit(self.judge)

    def _ask(self) -> None:
        """Let the user choose a folder."""
        name = QFileDialog.getExistingDirectory(self, "Folder of saved categories")
        if name:
            self.open(Path(name))


class _Box(QComboBox):
    """The list; models and categories that came meanwhile appear when it is opened."""

    def __init__(self, line: JudgeLine) -> None:
        super().__init__()
        self._line = line

    def showPopup(self) -> None:  # noqa: N802  Qt's name
        """Look for what came before the list opens."""
        self._line.refill()
        super().showPopup()
