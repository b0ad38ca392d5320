"""The Classify widget: which kind of image is this, how sure, and categories of one's own."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFormLayout

from napari_sem_tools.widgets.classify.choice import JudgeLine
from napari_sem_tools.widgets.classify.files import FilesPage
from napari_sem_tools.widgets.classify.image import ImagePage
from napari_sem_tools.widgets.classify.judges import Judge
from napari_sem_tools.widgets.classify.teach import TeachPage
from napari_sem_tools.widgets.pages import PagedWidget

__all__ = ["ClassifyWidget"]


class ClassifyWidget(PagedWidget):
    """The selected image, many files, and teaching: one page each, one line that judges."""

    run_text = ImagePage.run_text
    takes_while_running = True

    def build(self) -> None:
        """Make the line that judges, and the pages."""
        self.line = JudgeLine()
        form = QFormLayout()
        form.addRow("Judged by", self.line)
        self.body.addLayout(form)
        self.image, self.files, self.teach = ImagePage(self), FilesPage(self), TeachPage(self)
        self.add_pages(self.image, self.files, self.teach)
        self.files.box.changed.connect(self.offer_categories)
        self.line.chosen.connect(self._on_judge)
        self._on_judge(self.line.judge)

    @property
    def judge(self) -> Judge | None:
        """What judges."""
        return self.line.judge

    def offer_categories(self) -> None:
        """List the categories that there are wherever one can be chosen."""
        names = [] if self.judge is None else self.judge.names
        known = list(dict.fromkeys((*self.teach.lesson.names, *names)))
        self.image.offer(known or self.files.box.files.categories())
        self.files.box.offer(names or known)

    def take_dropped(self, paths: list[Path]) -> None:
        """Classify what is dropped on the page of the image."""
        self.files.take_paths(paths)

    def _on_judge(self, judge: Judge | None) -> None:
        """Ask again, of something else."""
        self.image.judge_changed(judge)
        self.files.judge_changed(judge)
        self.offer_categories()
        self._show_button()

    def show_calibration(self) -> None:
        """Say the pixel size of the image, where there is one: files need none."""
        self.calibration_line.setVisible(self.scale_layer() is not None)
        super().show_calibration()

    def python(self) -> str:
        """Return what the page in front does as Python."""
        if self.judge is None and self.page is not self.teach:
            return ""
        return super().python()

    def release(self) -> None:
        """Stop everything and let go of the viewer."""
        super().release()
        self.line.blockSignals(True)
