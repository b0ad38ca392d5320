"""The line of the Catalogue widget that says which category images belong to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_sem_tools.catalogue import Catalogue
from napari_sem_tools.errors import SemError
from napari_sem_tools.tasks import Cancel, Progress, report, stop_if_cancelled
from napari_sem_tools.widgets.classify.choice import JudgeLine
from napari_sem_tools.widgets.gallery.parts import button_row, narrow_box

__all__ = ["Naming"]


@dataclasses.dataclass(frozen=True)
class Said:
    """Which category an image has, and who says so."""

    number: int
    category: str | None
    confidence: float | None
    origin: str


class Naming(QWidget):
    """Categories typed for the chosen images, or given to all that are listed by a judge.

    Parameters
    ----------
    page : FindPage
        Knows what is listed and chosen.
    """

    def __init__(self, page: Any) -> None:
        super().__init__()
        self.page, self.panel, self.shelf = page, page.panel, page.shelf
        self._before: list[list[Said]] = []
        self.name = narrow_box(tip="Category of the chosen images; levels are separated by /")
        self.name.setEditable(True)
        self.name.setInsertPolicy(self.name.InsertPolicy.NoInsert)
        self.name.lineEdit().setPlaceholderText("category")
        self.name.lineEdit().returnPressed.connect(self._set)
        row, self.buttons = button_row(
            {
                "set": ("Set", "The chosen images are of this category"),
                "clear": ("Clear", "The chosen images have no category"),
                "undo": ("↶", "Undo the last change of categories (Ctrl+Z)"),
                "judge": ("Name all ...", "Let categories or a network name all that is listed; "
                          "what you typed stays"),
            },
            self.do,
        )  # fmt: skip
        row.insertWidget(0, self.name, 1)
        self.line = JudgeLine()
        self.go = button_row({"go": ("Name them", "Name all that is listed")}, self.do)
        judging = QHBoxLayout()
        judging.setContentsMargins(0, 0, 0, 0)
        judging.addWidget(self.line, 1)
        judging.addLayout(self.go[0])
        self.judging = QWidget()
        self.judging.setLayout(judging)
        self.judging.setVisible(False)
        self.buttons["judge"].setCheckable(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(3)
        column.addLayout(row)
        column.addWidget(self.judging)
        self.buttons["undo"].setEnabled(False)

    def offer(self, names: list[str]) -> None:
        """List the categories that were seen."""
        text = self.name.currentText()
        self.name.clear()
        self.name.addItems(names)
        self.name.setCurrentText(text)

    def do(self, what: str) -> None:
        """Do what a button asks for."""
        actions: dict[str, Callable[[], None]] = {
            "set": self._set,
            "clear": lambda: self._say(None),
            "undo": self.take_back,
            "judge": lambda: self.judging.setVisible(self.buttons["judge"].isChecked()),
            "go": self._judge,
        }
        try:
            actions[what]()
        except SemError as error:
            self.panel.fail(error)

    def take_back(self) -> None:
        """Undo the last change."""
        if self._before and not self.panel.work.running:
            self._write(self._before.pop(), undo=True)

    # --- inside --------------------------------------------------------------------------

    def _set(self) -> None:
        """Give the chosen images the typed category."""
        name = self.name.currentText().strip().strip("/")
        if not name:
            self.panel.say("Choose or type a category.")
            return
        self._say(name)

    def _say(self, category: str | None) -> None:
        """Give the chosen images a category, or none."""
        chosen = self.page.view.chosen()
        if not chosen:
            self.panel.say("Choose images in the list first.")
            return
        self._write([Said(int(number), category, None, "typed") for number in chosen])

    def _write(self, said: list[Said], *, undo: bool = False) -> None:
        """Write categories down, off the GUI thread."""
        catalogue, former = self.shelf.catalogue, self._former([one.number for one in said])

        def job(progress: Progress, cancel: Cancel) -> int:
            write_categories(catalogue, said)
            return len(said)

        def done(count: int) -> None:
            if not undo:
                self._before.append(former)
            self._changed(count)

        self.panel.start_work(job, done, "Writing categories", leaves_files=True)

    def _former(self, numbers: list[int]) -> list[Said]:
        """Return what images are called now."""
        table = self.page.table
        rows = table.loc[numbers, ["category", "category_confidence", "category_origin"]]
        return [
            Said(number, _or_none(category), _or_none(sure), str(origin or ""))
            for number, (category, sure, origin) in zip(
                numbers, rows.itertuples(index=False), strict=True
            )
        ]

    def _judge(self) -> None:
        """Let what was chosen name all images that are listed, but not those named by hand."""
        judge = self.line.judge
        if judge is None:
            self.panel.say("Teach categories in the Classify widget, or open saved ones.")
            return
        table, catalogue = self.page.table, self.shelf.catalogue
        if table is None:
            self.panel.say("List the images first: Find.")
            return
        free = table[(table["category_origin"] != "typed") & ~table["gone"].astype(bool)]
        paths = self.page.paths([int(number) for number in free.index])
        former = self._former(list(paths))

        def job(progress: Progress, cancel: Cancel) -> int:
            said = []
            for place, (number, path) in enumerate(paths.items()):
                stop_if_cancelled(cancel)
                report(progress, place, len(paths), f"looking at {path.name}")
                row = judge.row(path)
                category = str(row.get("category") or "") or None
                if not row.get("error"):
                    said.append(Said(number, category, row["confidence"], judge.title))
            write_categories(catalogue, said)
            return len(said)

        def done(count: int) -> None:
            self._before.append(former)
            self._changed(count)

        self.panel.start_work(job, done, "Naming")

    def _changed(self, count: int) -> None:
        """Show what was written."""
        self.buttons["undo"].setEnabled(bool(self._before))
        self.page.again = f"Categories of {count} image{'s' if count != 1 else ''} changed."
        self.shelf.named.emit()


def write_categories(catalogue: Catalogue, said: list[Said]) -> None:
    """Write categories down, those that are equal together."""
    groups: dict[tuple[str | None, float | None, str], list[int]] = {}
    for one in said:
        key = one.category, one.confidence if one.category else None, one.origin or "typed"
        groups.setdefault(key, []).append(one.number)
    for (category, confidence, origin), numbers in groups.items():
        catalogue.set_category(numbers, category, confidence=confidence, origin=origin)


def _or_none(value: Any) -> Any:
    """Return None for what is missing."""
    return None if value is None or value != value else value
