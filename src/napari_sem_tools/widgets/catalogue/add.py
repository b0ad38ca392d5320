"""The page of the Catalogue widget that adds folders, and says what could not be read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QCheckBox, QFileDialog, QTreeWidget, QTreeWidgetItem

from napari_sem_tools.catalogue import Added, Counts, Failure
from napari_sem_tools.classification import EMBEDDINGS
from napari_sem_tools.errors import SemError
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.catalogue.words import added_text
from napari_sem_tools.widgets.gallery.parts import button_row, narrow_box
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import wrapped_label
from napari_sem_tools.widgets.recipes import catalogue_recipe
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["AddPage"]

_USUAL, _BY = "alike by what is best here", "alike by "
_MOST_LISTED = 2000  # files that cannot be read
_BUTTONS = {
    "refresh": ("Look again", "Look over the folders that were added: only what is new is read"),
    "failed": ("Try failed", "Read the files below once more"),
    "forget": ("Forget what is gone", "Remove images whose files were deleted, with categories"),
}


class _Voice(QObject):
    """Speaks from the thread."""

    failed = Signal(object)


class AddPage(Page):
    """Folders are added; what is known costs nothing, what cannot be read is listed."""

    title = "Add"
    run_text = "Add a folder ..."
    wants = "Choose or type the folder of a catalogue above; a new one is made."

    def build(self) -> None:
        """Make the counts, the buttons and the list of what could not be read."""
        self.shelf = self.panel.shelf
        self.folders: list[Path] = []
        self._again = False
        self.counts = wrapped_label(self.wants)
        self.column.addWidget(self.counts)
        self.focus = QCheckBox("score the focus, too")
        self.focus.setToolTip("So that images can be found by it; takes most of the time")
        self.focus.setChecked(True)
        self.focus.toggled.connect(self.shelf.score_focus)
        self.embedding = narrow_box(
            _USUAL,
            *(f"{_BY}{name}" for name in EMBEDDINGS),
            tip="What likeness is worked out from; images are compared by one alone",
        )
        self.embedding.setCurrentText(self.shelf.embedding)
        self.embedding.setVisible(len(EMBEDDINGS) > 1)
        self.embedding.currentTextChanged.connect(self._on_embedding)
        row, self.buttons = button_row(_BUTTONS, self.do)
        self.column.addWidget(self.focus)
        self.column.addWidget(self.embedding)
        self.column.addLayout(row)
        self.problems = QTreeWidget()
        self.problems.setHeaderLabels(["Not readable", "Why"])
        self.problems.setRootIsDecorated(False)
        self.column.addWidget(self.problems, 1)
        self.work = Work(self)  # counts what there is, beside everything else
        self.work.finished.connect(self._on_counted)
        self.shelf.opened.connect(self._on_opened)
        self.show_state(None)

    # --- adding --------------------------------------------------------------------------

    def take_paths(self, paths: list[Any]) -> bool:
        """Add dropped folders and files."""
        if not self.shelf.is_open:
            self.panel.say(self.wants, "warning")
        elif self.panel.work.running:
            self.panel.say("Something else is running; wait, or cancel it.", "warning")
        else:
            self.panel.tabs.setCurrentWidget(self)
            self.add([Path(path) for path in paths])
        return True

    def can_run(self) -> bool:
        """Say whether a catalogue is open."""
        return bool(self.shelf.is_open)

    def run(self) -> None:
        """Ask for a folder."""
        name = QFileDialog.getExistingDirectory(self, "Folder of images to add")
        if name:
            self.add([Path(name)])

    def add(self, paths: list[Path], *, again: bool = False) -> None:
        """Add folders, off the GUI thread; what was done before a cancel stays."""
        catalogue = self.shelf.catalogue
        self.folders += [path for path in paths if path not in self.folders]
        voice = _Voice()
        voice.failed.connect(self._on_failed)
        self.problems.clear()

        def job(progress: Progress, cancel: Cancel) -> Added:
            return catalogue.add(
                paths, again=again, failed=voice.failed.emit, progress=progress, cancel=cancel
            )

        self.panel.start_work(job, self._on_added, "Adding", leaves_files=True)

    def _on_added(self, added: Added) -> None:
        """Say what became of the files."""
        self._said = f"{added_text(dataclasses.asdict(added))}."
        self.panel.say(self._said, "warning" if added.failed else None)

    def _on_failed(self, failure: Failure) -> None:
        """List a file that could not be read."""
        if self.problems.topLevelItemCount() < _MOST_LISTED:
            item = QTreeWidgetItem(self.problems, [failure.path.name, failure.message])
            item.setToolTip(0, str(failure.path))
            item.setToolTip(1, f"{failure.message} {failure.hint}".strip())

    def ended(self, *, cancelled: bool) -> None:
        """Show what there is now."""
        if cancelled:
            self.panel.say("Stopped; what was added stays, and the next time it goes on.")
        self.shelf.changed.emit()
        self._count()

    # --- what there is -------------------------------------------------------------------

    def _on_opened(self) -> None:
        """Count another catalogue."""
        self.folders = []
        self.problems.clear()
        self.changed.emit()
        self._count()

    def _count(self) -> None:
        """Count the images and list what failed, off the GUI thread."""
        if self.work.running:
            self._again = True
            return
        if not self.shelf.is_open or not self.shelf.exists:
            self.show_state(None)
            return
        catalogue = self.shelf.catalogue

        def job(progress: Progress, cancel: Cancel) -> tuple[Counts, list[Failure]]:
            return catalogue.counts(), catalogue.failures()

        self.work.start(job)

    def _on_counted(self, outcome: Outcome) -> None:
        """Show the counts."""
        if outcome.error is not None:
            self.panel.fail(outcome.error)
        elif outcome.value is not None:
            counts, failures = outcome.value
            self.show_state(counts)
            self.problems.clear()
            for failure in failures[:_MOST_LISTED]:
                self._on_failed(failure)
        if self._again:
            self._again = False
            self._count()

    def show_state(self, counts: Counts | None) -> None:
        """Say how much there is."""
        if counts is not None:
            parts = [f"{counts.images:,} images"]
            parts += [f"{counts.gone:,} of them gone"] if counts.gone else []
            files = "file" if counts.failed == 1 else "files"
            parts += [f"{counts.failed:,} {files} not readable"] if counts.failed else []
            if counts.vectors < counts.images:
                parts.append(f"{counts.vectors:,} can be found by likeness")
            self.counts.setText(", ".join(parts) + ".")
        else:
            empty = "An empty catalogue: drop folders with images here, or add one."
            self.counts.setText(empty if self.shelf.is_open else self.wants)
        self.buttons["refresh"].setEnabled(bool(self.folders) or counts is not None)
        self.buttons["failed"].setEnabled(bool(counts and counts.failed))
        self.buttons["forget"].setEnabled(bool(counts and counts.gone))

    def do(self, what: str) -> None:
        """Do what a button asks for."""
        try:
            if what == "forget":
                self._forget()
            else:
                self._look_again(failed=what == "failed")
        except SemError as error:
            self.panel.fail(error)

    def _look_again(self, *, failed: bool) -> None:
        """Look over what was added once more."""
        catalogue, folders = self.shelf.catalogue, list(self.folders)

        def job(progress: Progress, cancel: Cancel) -> Added:
            roots = [one.path for one in catalogue.failures()] if failed else folders
            roots = roots or [Path(one) for one in known_folders(catalogue)]
            there = [root for root in roots if root.exists()]
            return catalogue.add(there, again=failed, progress=progress, cancel=cancel)

        self.panel.start_work(job, self._on_added, "Looking again", leaves_files=True)

    def _forget(self) -> None:
        """Remove what is gone."""
        catalogue = self.shelf.catalogue

        def job(progress: Progress, cancel: Cancel) -> int:
            return catalogue.forget_gone()

        def done(count: int) -> None:
            self.panel.say(f"{count} images forgotten.")

        self.panel.start_work(job, done, "Forgetting", leaves_files=True)

    def _on_embedding(self, text: str) -> None:
        """Compare by something else; known images get these vectors when they are added again."""
        self.shelf.embedding = None if text == _USUAL else text.removeprefix(_BY)
        if self.shelf.path is not None:
            self.shelf.open(self.shelf.path)
            self.panel.say("Look again gives known images what they are compared by now.")

    def python(self) -> str:
        """Return the same as Python."""
        folders = [str(one) for one in self.folders] or ["folder"]
        return catalogue_recipe(self.shelf.path, f"catalogue.add({folders!r})")

    def release(self) -> None:
        """Count no more."""
        self.work.abandon()


def known_folders(catalogue: Any) -> list[str]:
    """List the folders that images of a catalogue lie in, those inside others left out."""
    folders = sorted({str(Path(path).parent) for path in catalogue.query()["path"]})
    found: list[str] = []
    for folder in folders:
        if not (found and Path(found[-1]) in Path(folder).parents):
            found.append(folder)
    return found
