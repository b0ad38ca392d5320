"""The part of the Train widget that chooses a training set and says what is wrong with it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.settings import Settings
from napari_sem_tools.training import ClassificationTraining, TrainingSettings, check_folder
from napari_sem_tools.training.classification.listing import CheckedCategories, check_categories
from napari_sem_tools.training.data.folder import CheckedFolder, Fault
from napari_sem_tools.widgets.folder_line import FolderLine
from napari_sem_tools.widgets.panel import late, theme_colour, wrapped_label
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["TrainingSetBox", "dropped_folder", "has_categories"]

_LATE_MS = 400  # after the last letter, until files are looked at again
_ROWS = 5  # of faults that are seen without scrolling
_EMPTY_CATEGORIES = "Choose or drop a folder that has a folder of images for every category."
_EMPTY = "Choose or drop a folder with images/ and masks/: files of the same names."


class TrainingSetBox(QWidget):
    """Folder, check and the list of what cannot be used.

    Its signal ``changed`` comes when another folder was chosen, ``checked`` when its files
    were looked at.
    """

    changed = Signal()
    checked = Signal()
    wanted = Signal()  # that the image and labels of the viewer are added

    def __init__(self) -> None:
        super().__init__()
        self.found: CheckedFolder | CheckedCategories | None = None
        self._how: dict[str, Any] = {}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.path = FolderLine(
            "Training set",
            empty="folder of the training set",
            tip="Choose the folder of the training set; it can also be dropped here",
        )
        self.path.chosen.connect(self._on_chosen)
        self.edit, self.row = self.path.edit, self.path.layout()
        column.addWidget(self.path)
        self.line = wrapped_label(_EMPTY)
        column.addWidget(self.line)
        self.faults = _FaultList()
        column.addWidget(self.faults)
        column.addLayout(self._buttons())
        self.work = Work(self)
        self.work.finished.connect(self._on_checked)
        self.work.progressed.connect(self._on_progress)
        self._late = late(self, _LATE_MS, self.check)

    def _buttons(self) -> QHBoxLayout:
        """Make what can be done with the folder."""
        self.again = QPushButton("Check again")
        self.again.setToolTip("Look at every file once more")
        self.again.clicked.connect(self.check)
        self.add = QPushButton("Add image and labels shown")
        self.add.setToolTip(
            "Save the selected labels of the viewer and their image into this training set"
        )
        self.add.clicked.connect(self.wanted)
        row = QHBoxLayout()
        for button in (self.again, self.add):
            button.setEnabled(False)
            row.addWidget(button)
        return row

    # --- for the widget ------------------------------------------------------------------

    @property
    def folder(self) -> Path | None:
        """The folder that is chosen."""
        return self.path.folder

    @property
    def good(self) -> bool:
        """Whether every file of the folder can be used."""
        return self.found is not None and not self.found.faults and bool(self.found.samples)

    @property
    def checking(self) -> bool:
        """Whether files are being looked at."""
        return self.work.running or self._late.isActive()

    def choose(self, folder: Path) -> None:
        """Take a folder and look at its files."""
        self.path.choose(folder)

    def look_for(self, settings: Settings) -> None:
        """Say what the files are to be; they are looked at again when that changed."""
        how = _how(settings)
        self.add.setVisible("targets" in how)
        if self.folder is None:
            self._say(_EMPTY if "targets" in how else _EMPTY_CATEGORIES)
        if how != self._how:
            self._how = how
            if self.folder is not None:
                self._late.start()

    def check(self) -> None:
        """Look at every file, off the GUI thread."""
        self._late.stop()
        if self.folder is None:
            return
        self.work.abandon()
        self.found = None
        self.faults.show_faults(())
        self._say("Checking the files ...")
        self.work.start(functools.partial(_checked, self.folder, self._how))

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self._show()

    def release(self) -> None:
        """Stop looking."""
        self._late.stop()
        self.work.abandon()

    # --- inside --------------------------------------------------------------------------

    def _on_chosen(self, folder: Path) -> None:
        """Look at the files of another folder."""
        self.found = None
        self.again.setEnabled(True)
        self.add.setEnabled(True)
        self.changed.emit()
        self.check()

    def _on_progress(self, done: int, total: int, what: str) -> None:
        """Say how many files were looked at."""
        if self.work.running:
            self._say(f"Checking the files: {done} of {total} ...")

    def _on_checked(self, outcome: Outcome) -> None:
        """Show what was found."""
        if outcome.error is not None:
            self._say(f"⚠ {outcome.error.message} {outcome.error.hint}".strip(), "warning")
        else:
            self.found = outcome.value
            self._show()
        self.checked.emit()

    def _show(self) -> None:
        """Say how many images there are, and list what cannot be used."""
        found = self.found
        if found is None:
            return
        self.faults.show_faults(found.faults)
        if found.faults:
            many = f"{len(found.faults)} files" if len(found.faults) > 1 else "A file"
            self._say(f"⚠ {many} cannot be used; hover for the whole reason:", "warning")
        else:
            self._say(_summary(found))

    def _say(self, text: str, colour: str | None = None) -> None:
        """Write the line below the path."""
        self.line.setText(text)
        self.line.setStyleSheet(f"color: {theme_colour(colour)};" if colour else "")


class _FaultList(QTreeWidget):
    """Bad files and why; not there while there are none."""

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(("File", "Why it cannot be used"))
        self.setRootIsDecorated(False)
        self.setSelectionMode(QTreeWidget.SelectionMode.ExtendedSelection)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.hide()

    def show_faults(self, faults: Sequence[Fault]) -> None:
        """List every fault."""
        self.clear()
        for fault in faults:
            item = QTreeWidgetItem([fault.file, fault.reason])
            for column in range(2):
                item.setToolTip(column, f"{fault.file}\n{fault.reason}")
            self.addTopLevelItem(item)
        self.setVisible(bool(faults))
        if faults:
            rows = min(len(faults), _ROWS)
            row = self.sizeHintForRow(0)
            self.setFixedHeight(self.header().sizeHint().height() + rows * row + 6)
            self.setColumnWidth(0, min(self.sizeHintForColumn(0), self.width() // 2))


def _how(settings: Settings) -> dict[str, Any]:
    """Return what decides whether files can be used."""
    if isinstance(settings, ClassificationTraining):
        by_column = settings.split == "column"
        return {
            "leave_out": settings.leave_out,
            "split_by": settings.split_by if by_column else "",
        }
    if not isinstance(settings, TrainingSettings):
        return {}
    kind: Literal["instances", "classes"]
    kind = "classes" if settings.targets == "classes" else "instances"
    return {"targets": kind, "group_by": settings.group_by, "allow_empty": settings.allow_empty}


def dropped_folder(mime: Any) -> Path | None:
    """Return the one folder in what is dragged, None for anything else."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    return paths[0] if len(paths) == 1 and paths[0].is_dir() else None


def has_categories(folder: Path) -> bool:
    """Say whether a folder rather has a folder for every category than images and masks."""
    if not folder.is_dir() or (folder / "images").is_dir() or (folder / "masks").is_dir():
        return False
    inner = [one for one in folder.iterdir() if one.is_dir() and not one.name.startswith(".")]
    return len([one for one in inner if one.name != "training"]) > 1


def _checked(
    folder: Path, how: dict[str, Any], progress: Any, cancel: Any
) -> CheckedFolder | CheckedCategories:
    """Look at the files; runs in a thread."""
    if "leave_out" in how:
        return check_categories(folder, **how)
    return check_folder(folder, **how, progress=progress, cancel=cancel)


def _summary(found: CheckedFolder | CheckedCategories) -> str:
    """Say what a good folder holds."""
    images, groups = len(found.samples), len(found.groups)
    if isinstance(found, CheckedCategories):
        return f"✓ {images} images of {found.text}. What cannot be read is named and left out."
    words = f"✓ {images} image{'s' if images != 1 else ''}"
    if groups != images:
        words += f" of {groups} group{'s' if groups != 1 else ''}"
    if found.classes:
        words += f", classes {', '.join(row.name for row in found.classes)}"
    return " ".join([f"{words}; every file can be used.", *found.notes])
