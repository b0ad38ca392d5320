"""The page of the Classify widget for many files: a list that grows with every drop."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QFileDialog

from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.classify.judges import Judge, name_files
from napari_sem_tools.widgets.classify.listing import FilesBox
from napari_sem_tools.widgets.gallery.files import first_names
from napari_sem_tools.widgets.gallery.parts import button_row
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.recipes import classify_recipe

__all__ = ["FilesPage"]


class _Voice(QObject):
    """Speaks from the thread; each file comes to the window by itself."""

    named = Signal(object, object, object)  # file, row, picture or None


class FilesPage(Page):
    """Files and folders, dropped or chosen; old results stay when new ones come."""

    title = "Files"
    run_text = "Classify files ..."
    wants = "Teach categories first, or open saved ones above."

    def build(self) -> None:
        """Make the list."""
        row, self.buttons = button_row(
            {"folder": ("Folder ...", "Classify all images of a folder; it can also be dropped")},
            lambda _: self._ask_folder(),
        )
        self.box = FilesBox(self.panel)
        self.box.asked.connect(self._do)
        row.insertWidget(1, self.box.filter, 100)  # more than the stretch behind it
        self.column.addLayout(row)
        self.column.addWidget(self.box, 1)
        self._order_keys()
        self._waiting: list[Path] = []  # dropped while something ran, or nothing could judge
        self._last: list[Path] = []
        self._run = 0  # tells the answers of a run that was let go

    def _order_keys(self) -> None:
        """Let Tab go from top to bottom, as it is seen."""
        box = self.box
        chain = [self.buttons["folder"], box.filter, box.which, box.of, box.rank, box.gallery]
        chain += [box.view.table, box.view.gallery, box.right]
        chain += [*box.corrections.values(), *box.buttons.values()]
        for first, second in itertools.pairwise(chain):
            self.setTabOrder(first, second)

    # --- what comes in -------------------------------------------------------------------

    def take_paths(self, paths: list[Any]) -> bool:
        """Classify dropped files and folders; what runs already is finished first."""
        self._waiting += [path for path in paths if path not in self._waiting]
        self._start_if_free()
        return True

    def judge_changed(self, judge: Judge | None) -> None:
        """Classify what waited for something that judges."""
        self.box.offer([] if judge is None else judge.names)
        if self._waiting:
            self._start_if_free()
        self.changed.emit()

    def _ask_files(self) -> None:
        """Let the user choose files."""
        names, _ = QFileDialog.getOpenFileNames(self, "Images to classify")
        if names:
            self.take_paths([Path(name) for name in names])

    def _ask_folder(self) -> None:
        """Let the user choose a folder."""
        name = QFileDialog.getExistingDirectory(self, "Folder of images to classify")
        if name:
            self.take_paths([Path(name)])

    def _start_if_free(self) -> None:
        """Begin with what waits, unless something else runs or nothing can judge."""
        if self.panel.judge is None:
            self.panel.say(f"{len(self._waiting)} dropped; they wait. {self.wants}", "warning")
        elif self.panel.work.running:
            self.panel.say(f"{len(self._waiting)} more wait until this is done.")
        else:
            inputs, self._waiting = self._waiting, []
            self.panel.tabs.setCurrentWidget(self)
            self._name(inputs)

    # --- classifying ---------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether something can judge."""
        return self.panel.judge is not None

    def run(self) -> None:
        """Ask for files."""
        self._ask_files()

    def _name(self, inputs: list[Path]) -> None:
        """Classify files; each is shown as soon as it is done."""
        judge = self.panel.judge
        self._last = inputs
        self._run += 1
        number, voice = self._run, _Voice()
        voice.named.connect(lambda *answer: self._on_named(number, *answer))
        self.box.files.begin()

        def job(progress: Progress, cancel: Cancel) -> int:
            return name_files(
                inputs, judge, heard=voice.named.emit, progress=progress, cancel=cancel
            )

        self.panel.start_work(job, self._show_end, "Classifying")

    def _on_named(self, number: int, file: Path, row: dict[str, Any], picture: Any) -> None:
        """Show a file, unless another run began meanwhile."""
        if number == self._run:
            self.box.add(file, row, picture)

    def _show_end(self, count: int) -> None:
        """Say what could not be read."""
        self.box.refresh()
        table = self.box.files.table
        failed = table.loc[table["new"].astype(bool) & (table["error"] != ""), "file"].tolist()
        names = first_names(failed)
        if failed:
            self.panel.say(f"{count - len(failed)} classified; not readable: {names}.", "warning")
        else:
            self.panel.say(f"{count} file{'s' if count != 1 else ''} classified.")

    def ended(self, *, cancelled: bool) -> None:
        """Show what was classified before the user stopped; go on with what was dropped."""
        self.box.refresh()
        judge = self.panel.judge
        self.box.offer([] if judge is None else judge.names)
        if cancelled:
            self._waiting.clear()
            self.panel.say(f"Cancelled; the {len(self.box.files.rows)} files of the list stay.")
        elif self._waiting:
            self._start_if_free()

    # --- what the list asks --------------------------------------------------------------

    def _do(self, what: str) -> None:
        """Do what the list cannot do by itself."""
        if what == "again":
            self.take_paths(list(self.box.files.rows))
        elif what == "teach":
            files = self.box.files
            found: dict[str, list[Any]] = {}
            for file in self.box.view.chosen():
                found.setdefault(files.category(file), []).append(file)
            nameless = len(found.pop("", []))
            if not found:
                self.panel.say("Choose files that have a category, or correct them first.")
                return
            self.panel.teach.add_images(found)
            if nameless:
                self.panel.say(f"{nameless} without a category are left out.", "warning")

    def python(self) -> str:
        """Return the call that classifies the same files."""
        inputs = [str(path) for path in self._last]
        return classify_recipe(repr(inputs[0] if len(inputs) == 1 else inputs),
                               self.panel.judge.python())  # fmt: skip

    def release(self) -> None:
        """Take no more files."""
        self._run += 1
        self._waiting.clear()
        self.box.release()
