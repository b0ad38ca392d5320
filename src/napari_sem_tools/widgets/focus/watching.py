"""The page of the Focus widget that watches a folder while the microscope writes into it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import QCheckBox, QHBoxLayout

from napari_sem_tools.focus.files.folder import FileScore
from napari_sem_tools.focus.files.watch import FocusWatch, WatchedImage
from napari_sem_tools.micrograph import Micrograph
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.focus.files import FilesBox
from napari_sem_tools.widgets.focus.gauge import ScoreGauge, Sparkline
from napari_sem_tools.widgets.focus.state import thumbnail
from napari_sem_tools.widgets.folder_line import FolderLine
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import late, wrapped_label
from napari_sem_tools.widgets.recipes import focus_watch_recipe
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["WatchPage"]

_LOOK_EVERY_MS = 700  # a file is taken when two looks saw it the same
_AT_ONCE = 4  # files a look scores before the window hears of them
_SHOWN = 200  # newest scores in the line
_START, _STOP = "Start watching", "Stop watching"


class WatchPage(Page):
    """New files of a folder are scored as they are written, each once."""

    title = "Watch"
    run_text = _START
    wants = "Choose or drop the folder that the microscope writes into."

    def build(self) -> None:
        """Make the folder, the newest score, the line of scores and the list."""
        self.watch: FocusWatch | None = None
        self.watching = False
        self._sight: dict[Path, tuple[FileScore, Any]] = {}  # what a look has just read
        self.line = FolderLine("Folder that the microscope writes into")
        self.line.chosen.connect(self._on_folder)
        self.old = QCheckBox("score what is there already")
        self.old.setChecked(True)
        self.old.toggled.connect(self._forget_watch)
        self.follow = QCheckBox("open the newest")
        self.follow.setToolTip("Show each new file in the viewer, in place of the one before")
        ticks = QHBoxLayout()
        ticks.addWidget(self.old)
        ticks.addWidget(self.follow)
        ticks.addStretch(1)
        self.gauge = ScoreGauge()
        self.newest = wrapped_label()
        self.spark = Sparkline()
        self.box = FilesBox(self.panel)
        self.box.model.newest_first = True
        self.column.addWidget(self.line)
        self.column.addLayout(ticks)
        for part in (self.gauge, self.newest, self.spark):
            self.column.addWidget(part)
        self.column.addWidget(self.box, 1)
        self.work = Work(self)
        self.work.finished.connect(self._on_looked)
        self.clock = late(self, _LOOK_EVERY_MS, self._look)

    # --- start and stop ------------------------------------------------------------------

    def take_paths(self, paths: list[Any]) -> bool:
        """Watch a dropped folder."""
        if len(paths) == 1 and paths[0].is_dir():
            self.line.choose(paths[0])
            return True
        return False

    def can_run(self) -> bool:
        """Say whether there is a folder."""
        return self.line.folder is not None

    def run(self) -> None:
        """Start, or stop."""
        if self.watching:
            self.stop()
            self.panel.say(f"Stopped; {len(self.box.files.rows)} files were scored.")
            return
        if self.line.folder is None:
            self.panel.say(self.wants)
            return
        if self.watch is None or self.watch.folder != self.line.folder:
            self.watch = FocusWatch(
                self.line.folder, score=self._score, skip_existing=not self.old.isChecked()
            )
            self.box.clear()
            self._show_newest()
        self._set(watching=True)
        self.panel.say(f"Watching {self.line.folder.name} ...")
        self._look()

    def stop(self) -> None:
        """Look no more; what is being scored is finished and kept."""
        self.clock.stop()
        self._set(watching=False)

    def _set(self, *, watching: bool) -> None:
        """Say what the button does now."""
        self.watching = watching
        self.run_text = _STOP if watching else _START
        self.line.setEnabled(not watching)
        self.old.setEnabled(not watching)
        self.changed.emit()

    def _on_folder(self, folder: Path) -> None:
        """Let another folder be watched."""
        self.changed.emit()

    def _forget_watch(self, *_: Any) -> None:
        """Begin anew with another idea of what is old."""
        self.watch = None

    # --- looking -------------------------------------------------------------------------

    def _look(self) -> None:
        """Look once, off the GUI thread."""
        watch = self.watch
        if watch is None or self.work.running or not self.watching:
            return

        def job(progress: Progress, cancel: Cancel) -> list[WatchedImage]:
            return watch.poll(most=_AT_ONCE, cancel=cancel)

        self._scoring = self.panel.memory.scoring(self.panel.score.measures.names())
        self.work.start(job)

    def _score(self, image: Micrograph) -> Any:
        """Score an image and keep a small picture of it; called in the thread."""
        score = self._scoring(image)
        if image.source is not None:
            row = FileScore(
                image.source,
                score,
                calibration=image.calibration.describe(),
                working_distance_mm=image.metadata.working_distance_mm,
            )
            self._sight[image.source] = row, thumbnail(image)
        return score

    def _on_looked(self, outcome: Outcome) -> None:
        """Show what is new, and look again after a while."""
        watch = self.watch
        if watch is None:
            return
        for image in outcome.value or ():
            self._take(image)
        if outcome.error is not None:
            self.panel.fail(outcome.error)
        for problem in watch.problems.values():
            self.box.add(FileScore(problem.path, error=problem.message, hint=problem.hint))
        if outcome.value:
            self._show_newest()
        if self.watching:
            self.clock.setInterval(0 if len(outcome.value or ()) >= _AT_ONCE else _LOOK_EVERY_MS)
            self.clock.start()

    def _take(self, image: WatchedImage) -> None:
        """Put a file into the list."""
        row, picture = self._sight.pop(image.path, (FileScore(image.path, image.score), None))
        about = {"acquired": image.acquired, "notes": image.notes, "score": image.score}
        self.box.add(_replaced(row, about), picture)

    def _show_newest(self) -> None:
        """Show the newest score large, and the course of all."""
        rows = [row for row in self.box.files.rows if row.score is not None]
        rows.sort(key=lambda row: row.acquired)
        last = rows[-1] if rows else None
        self.gauge.show_score(None if last is None else last.score)
        self.newest.setText("" if last is None else last.file.name)
        self.spark.show_values([row.value for row in rows[-_SHOWN:]])
        if last is not None and self.follow.isChecked():
            self.panel.show_newest(last.file)

    def python(self) -> str:
        """Return a loop that watches the same folder."""
        return focus_watch_recipe(self.line.folder)

    def restyle(self) -> None:
        """Take the colours of the theme."""
        self.gauge.update()
        self.spark.update()

    def release(self) -> None:
        """Look no more."""
        self.stop()
        self.work.abandon()
        self.box.release()


def _replaced(row: FileScore, changes: dict[str, Any]) -> FileScore:
    """Return a row with what the watch knows better."""
    import dataclasses

    return dataclasses.replace(row, **changes)
