"""The page of the Catalogue widget that finds images: by filters, by likeness, by both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QFormLayout, QHBoxLayout, QPushButton, QSpinBox

from napari_sem_tools.errors import SemError
from napari_sem_tools.files import write_text
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.catalogue.filters import FilterForm
from napari_sem_tools.widgets.catalogue.naming import Naming
from napari_sem_tools.widgets.catalogue.pictures import LatePictures
from napari_sem_tools.widgets.catalogue.question import (
    Question,
    like_particle,
    like_region,
    like_view,
)
from napari_sem_tools.widgets.catalogue.words import image_words
from napari_sem_tools.widgets.gallery.model import Column, ImagesModel, Looks, plain
from napari_sem_tools.widgets.gallery.parts import asked_csv, button_row, gallery_button, narrow_box
from napari_sem_tools.widgets.gallery.views import ImagesView
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import scrolled, wrapped_label
from napari_sem_tools.widgets.recipes import catalogue_recipe

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FindPage"]

_MOST_OPENED = 12
_MOST_ALIKE, _USUAL = 1000, 20
_ALL, _VIEW, _REGION, _PARTICLE, _ROW = "all", "view", "region", "particle", "row"
_WHAT = {
    _ALL: "all images",
    _VIEW: "like the selected image",
    _REGION: "like the region drawn on it",
    _PARTICLE: "like the chosen particle",
    _ROW: "like the chosen one below",
}
_COLUMNS = (
    Column("name", "File", "Double-click or Enter opens it in the viewer", 86, stretch=True),
    Column("similarity", "Like", "Likeness: 1 is the same texture", 42, number=True,
           text=lambda value: "" if value is None or value != value else f"{value:.2f}"),
    Column("category", "Category", "Levels are separated by /", 80, bold=True),
    Column("magnification", "Mag", "Magnification", 56, number=True,
           text=lambda value: "" if value is None or value != value else f"{value:,.0f}"),
    Column("focus", "Focus", "0 to 10; 10 is as sharp as a well focused image", 44, number=True,
           text=lambda value: "" if value is None or value != value else f"{value:.1f}"),
    Column("acquired", "Date", "When it was taken", 78, text=lambda value: plain(value)[:10]),
    Column("instrument", "Instrument", "What took it", 90),
    Column("pixel_size_nm", "nm/px", "Pixel size", 54, number=True),
)  # fmt: skip
_BUTTONS = {
    "open": ("Open", "Open the chosen files in the viewer (Enter, double-click)"),
    "like": ("More like this", "Find what looks like the chosen image (L)"),
    "export": ("CSV ...", "Write the list as it is shown, with all that is known"),
    "all": ("Show all", "Take filters and likeness away"),
}
_KEYS = {Qt.Key.Key_L: "like"}


class FindPage(Page):
    """Images of the catalogue as a table or gallery."""

    title = "Find"
    run_text = "Find"
    wants = "Choose the folder of a catalogue above."

    def build(self) -> None:
        """Make the question, the list and what can be done."""
        self.shelf = self.panel.shelf
        self.table: pd.DataFrame | None = None
        self.question: Question | None = None
        self.again = ""  # why the list is made anew once the work is done
        self._words = ""  # what is said then
        self._stale = False  # images were added behind another page
        self.pictures = LatePictures(self.shelf, self)
        self.model = ImagesModel(_COLUMNS, Looks(self.pictures.get, self._caption, self._tip))
        self.pictures.came.connect(self.model.picture_came)
        self.view = ImagesView(self.model, _KEYS)
        self.view.asked.connect(self.do)
        self.view.opened.connect(self._open_number)
        self.column.addLayout(self._question_rows())
        self.form = FilterForm()
        self.form.asked.connect(self._find)
        self.area = scrolled(self.form)
        self.area.setMaximumHeight(250)
        self.area.setVisible(False)
        self.column.addWidget(self.area)
        self.column.addWidget(self.view, 1)
        self.line = wrapped_label()
        self.column.addWidget(self.line)
        self.naming = Naming(self)
        self.column.addWidget(self.naming)
        row, self.buttons = button_row(_BUTTONS, self.do)
        self.column.addLayout(row)
        self.shelf.opened.connect(self._on_opened)
        self.shelf.changed.connect(self._on_changed)
        self.show_state()

    def _question_rows(self) -> QFormLayout:
        """Make what is looked for, and the choosers it may need."""
        self.what = narrow_box(tip="All images, or those that look most like something")
        for name, text in _WHAT.items():
            self.what.addItem(text, name)
        self.what.currentIndexChanged.connect(self._on_what)
        self.count = QSpinBox()
        self.count.setRange(1, _MOST_ALIKE)
        self.count.setValue(_USUAL)
        self.count.setMaximumWidth(84)
        self.count.setToolTip("How many of the most alike are wanted")
        self.shapes = self.panel.add_chooser("Shapes", none_text="no region")
        self.labels = self.panel.add_chooser("Labels", none_text="no particles", follow=True)
        self.filters = QPushButton("Filters")
        self.filters.setCheckable(True)
        self.filters.setToolTip("Category, magnification, instrument, date, focus, name")
        self.filters.toggled.connect(lambda on: self.area.setVisible(on))
        self.gallery = gallery_button(self.view.show_gallery)
        first, second = QHBoxLayout(), QHBoxLayout()
        first.addWidget(self.what, 1)
        first.addWidget(self.count)
        second.addWidget(self.shapes, 1)
        second.addWidget(self.labels, 1)
        second.addStretch(0)
        second.addWidget(self.filters)
        second.addWidget(self.gallery)
        rows = QFormLayout()
        rows.addRow("Show", first)
        rows.addRow(second)
        self._on_what()
        return rows

    def _on_what(self, *_: Any) -> None:
        """Show the choosers that the question needs."""
        wanted = self.what.currentData()
        self.count.setVisible(wanted != _ALL)
        self.shapes.setVisible(wanted == _REGION)
        self.labels.setVisible(wanted == _PARTICLE)

    # --- asking --------------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether a catalogue is open."""
        return bool(self.shelf.is_open)

    def run(self) -> None:
        """Ask the catalogue."""
        self.ask(self._question())

    def ask(self, question: Question) -> None:
        """Ask the catalogue something, off the GUI thread."""
        catalogue = self.shelf.catalogue

        def job(progress: Progress, cancel: Cancel) -> pd.DataFrame:
            return question.answer(catalogue)

        self.panel.start_work(job, lambda table: self._show(question, table), "Looking")

    def _find(self) -> None:
        """Ask, as the button does."""
        if self.can_run() and not self.panel.work.running:
            self.panel.run_page(self)

    def _question(self) -> Question:
        """Take the question from the window."""
        filters, wanted = self.form.value(), self.what.currentData()
        if wanted == _ALL:
            return Question(filters)
        if wanted == _ROW:
            chosen = self.view.chosen()
            if not chosen:
                raise SemError("No image is chosen below.", hint="Choose one in the list.")
            words = f"like {self._row(chosen[0])['name']}"
            return Question(filters, int(chosen[0]), None, self.count.value(), words)
        layer = self.panel.chooser.layer()
        if layer is None:
            raise SemError("No image is selected.", hint="Select an image layer, or open one.")
        steps = self.panel.viewer.dims.current_step
        page = int(steps[0]) if steps else 0
        makers: dict[str, Callable[[], tuple[Any, Any, str]]] = {
            _VIEW: lambda: like_view(layer, page),
            _REGION: lambda: like_region(layer, page, self.shapes.layer()),
            _PARTICLE: lambda: like_particle(layer, page, self.labels.layer()),
        }
        like, region, words = makers[wanted]()
        return Question(filters, like, region, self.count.value(), words)

    def _show(self, question: Question, table: pd.DataFrame) -> None:
        """Show an answer."""
        if question is not self.question:
            self.model.sort_by("")
            self.view.table.horizontalHeader().setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
            self.view.table.scrollToTop()
        self.question = question
        self.table = table.assign(name=[Path(path).name for path in table["path"]])
        self.model.show_table(self.table)
        self.view.table.setColumnHidden(2, "similarity" not in table)
        known = [one for one in dict.fromkeys(table["category"]) if isinstance(one, str)]
        seen = [self.form.category.itemText(n) for n in range(self.form.category.count())]
        names = sorted({*known, *seen})
        self.form.offer(names)
        self.naming.offer(names)
        self.show_state()
        words = f"{len(table)} image{'s' if len(table) != 1 else ''}: {question.words}."
        self.panel.say(self._words or words)
        self._words, self._stale = "", False

    def show_state(self) -> None:
        """Say how many images are listed."""
        count = self.model.rowCount()
        text = f"{count} images, {self.question.words}" if self.question is not None else ""
        empty = "Nothing is listed yet: Find." if self.can_run() else self.wants
        self.line.setText(text or empty)
        for button in self.buttons.values():
            button.setEnabled(count > 0)
        self.buttons["all"].setEnabled(self.can_run())
        self.naming.setEnabled(count > 0)

    def _on_opened(self) -> None:
        """Forget the images of another catalogue, and list those of this one."""
        self.table = self.question = None
        self.changed.emit()
        self.what.setCurrentIndex(0)
        if not self.panel.work.running and self.shelf.exists:
            self.ask(Question(self.form.value()))
        self.show_state()

    def ended(self, *, cancelled: bool) -> None:
        """List again what was changed."""
        self._words, self.again = self.again, ""
        if self._words and not cancelled:
            self.ask(self.question or Question(self.form.value()))

    def _on_changed(self) -> None:
        """List again, once it is seen."""
        self._stale = True

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """List what was added behind another page."""
        super().showEvent(event)
        if self._stale and self.shelf.exists and not self.panel.work.running:
            self.ask(self.question or Question(self.form.value()))

    # --- what the list asks --------------------------------------------------------------

    def _row(self, number: int) -> dict[str, Any]:
        """Return all that the list knows of an image."""
        if self.table is None:
            return {}
        return {str(name): value for name, value in self.table.loc[number].items()}

    def _caption(self, number: int) -> str:
        """Return the words below a picture."""
        row = self._row(number)
        alike = row.get("similarity")
        category = row.get("category")
        parts = [category if isinstance(category, str) else ""]
        parts += [f"{alike:.2f}"] if alike is not None else []
        return f"{row.get('name', '')}\n{' '.join(part for part in parts if part)}"

    def _tip(self, number: int) -> str:
        """Return all that is known about an image."""
        return image_words(self._row(number))

    # --- what can be done ----------------------------------------------------------------

    def do(self, what: str) -> None:
        """Do what a key or a button asks for, to the chosen images."""
        actions: dict[str, Callable[[], None]] = {
            "open": self._open,
            "like": self._like,
            "export": self._export,
            "all": self._all,
            "copy": self._copy,
            "undo": self.naming.take_back,
        }
        try:
            actions.get(what, lambda: None)()
        except SemError as error:
            self.panel.fail(error)

    def paths(self, numbers: list[int]) -> dict[int, Path]:
        """Return where images lie."""
        return {number: Path(self._row(number)["path"]) for number in numbers}

    def _open_number(self, number: int) -> None:
        """Open an image, or say that its file is gone."""
        row = self._row(number)
        if row.get("gone"):
            self.panel.say(f"{row['name']} is no longer there; add the folder it is in.", "warning")
        else:
            self.panel.open_file(Path(row["path"]))

    def _open(self) -> None:
        """Open the chosen images."""
        for number in self.view.chosen()[:_MOST_OPENED]:
            self._open_number(number)

    def _like(self) -> None:
        """Find what looks like the chosen image."""
        self.what.setCurrentIndex(self.what.findData(_ROW))
        self._find()

    def _all(self) -> None:
        """Ask for everything."""
        self.form.clear()
        self.what.setCurrentIndex(0)
        self._find()

    def _copy(self) -> None:
        """Copy the list for a spreadsheet."""
        chosen = self.view.chosen()
        table = self.model.shown_table()
        table = table.loc[chosen] if chosen else table
        QApplication.clipboard().setText(table.to_csv(sep="\t", lineterminator="\n"))
        self.panel.say(f"{len(table)} rows copied.")

    def _export(self) -> None:
        """Write the list as CSV."""
        path = asked_csv(self, "Export the list", "images.csv")
        if path is None:
            return
        table = self.model.shown_table().drop(columns="name")
        write_text(path, table.to_csv(lineterminator="\n"))
        self.panel.say(f"{len(table)} rows written to {path.name}.")

    def python(self) -> str:
        """Return the same question as Python."""
        question = self.question or Question(self.form.value())
        return catalogue_recipe(self.shelf.path, question.python())

    def release(self) -> None:
        """Fetch no more."""
        self.pictures.release()
