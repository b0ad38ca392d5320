"""The page of the Focus widget that scores a folder: sort, mark, export, copy, move."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_sem_tools.focus.files.folder import FileScore, score_files
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.files import FilesBox
from napari_sem_tools.widgets.focus.state import thumbnail
from napari_sem_tools.widgets.folder_line import FolderLine
from napari_sem_tools.widgets.gallery.files import first_names
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.recipes import focus_folder_recipe

__all__ = ["FolderPage", "Voice"]


class Voice(QObject):
    """Speaks from the thread that scores; each file comes to the window by itself."""

    scored = Signal(object, object)  # FileScore, thumbnail or None

    def say(self, row: FileScore, image: Micrograph | None) -> None:
        """Tell about a file; called in the thread."""
        picture: NDArray[np.uint8] | None = None if image is None else thumbnail(image)
        self.scored.emit(row, picture)


class FolderPage(Page):
    """Files of a folder with their scores, as a table to choose from."""

    title = "Folder"
    run_text = "Score the folder"
    wants = "Choose or drop a folder with images."

    def build(self) -> None:
        """Make the folder and the table."""
        self.line = FolderLine("Folder of images")
        self.line.chosen.connect(self._on_folder)
        self.box = FilesBox(self.panel)
        self.column.addWidget(self.line)
        self.column.addWidget(self.box, 1)
        self._run = 0  # tells the answers of an earlier folder
        self._inputs: list[Path] = []

    def take_paths(self, paths: list[Any]) -> bool:
        """Score dropped folders or files."""
        folders = [path for path in paths if path.is_dir()]
        if len(paths) == 1 and folders:
            self.line.choose(folders[0])
            return True
        self._inputs = list(paths)
        self.line.edit.setText(f"{len(paths)} dropped files")
        self.changed.emit()
        self._start_if_free()
        return True

    def _on_folder(self, folder: Path) -> None:
        """Score another folder at once."""
        self._inputs = [folder]
        self.changed.emit()
        self._start_if_free()

    def _start_if_free(self) -> None:
        """Begin, unless something else runs."""
        if not self.panel.work.running:
            self.panel.run_page(self)

    # --- scoring -------------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether there is a folder."""
        return bool(self._inputs)

    def run(self) -> None:
        """Score all images of the folder; each is shown as soon as it is scored."""
        inputs, names = list(self._inputs), self.panel.score.measures.names()
        scoring = self.panel.memory.scoring(names)
        self.box.clear()
        self._run += 1
        voice = Voice()
        number = self._run
        voice.scored.connect(lambda row, picture: self._on_scored(number, row, picture))

        def job(progress: Progress, cancel: Cancel) -> list[FileScore]:
            return score_files(
                inputs, scoring=scoring, heard=voice.say, progress=progress, cancel=cancel
            )

        self.panel.start_work(job, self._show_end, "Scoring the folder")

    def _on_scored(self, number: int, row: FileScore, picture: Any) -> None:
        """Show a file, unless another folder was chosen meanwhile."""
        if number == self._run:
            self.box.add(row, picture)

    def _show_end(self, rows: list[FileScore]) -> None:
        """Say what could not be read."""
        self.box.refresh()
        failed = [row.file.name for row in rows if row.score is None]
        names = first_names(failed)
        if failed:
            self.panel.say(f"{len(rows) - len(failed)} scored; not readable: {names}.", "warning")
        else:
            self.panel.say(f"{len(rows)} files scored.")

    def ended(self, *, cancelled: bool) -> None:
        """Show what was scored before the user stopped."""
        self.box.refresh()
        if cancelled and self.box.files.rows:
            self.panel.say(f"Cancelled; the {len(self.box.files.rows)} files scored so far stay.")

    def python(self) -> str:
        """Return the calls that score the same folder."""
        return focus_folder_recipe(self._inputs)

    def release(self) -> None:
        """Take no more files."""
        self._run += 1
        self.box.release()
