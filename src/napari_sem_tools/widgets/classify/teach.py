"""The page of the Classify widget on which a user teaches categories of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_sem_tools.classification import EMBEDDINGS, Categories, TeachSettings, examples_in
from napari_sem_tools.errors import SemError
from napari_sem_tools.reading import list_files
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.classify.judges import Judge, categories_folder
from napari_sem_tools.widgets.classify.lesson import Example, Lesson
from napari_sem_tools.widgets.classify.looking import Found, look_at_examples
from napari_sem_tools.widgets.classify.text import lesson_text
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.gallery.parts import button_row, narrow_box
from napari_sem_tools.widgets.pages import Page
from napari_sem_tools.widgets.panel import wrapped_label

__all__ = ["TeachPage"]

_STEPS = {
    "layer": ("+ Image", "Add the selected image to the chosen category"),
    "files": ("+ Files ...", "Add files to the chosen category"),
    "folder": ("+ Folder ...", "A folder with a folder of images for every category"),
    "corrected": ("+ Corrected", "Add the files that you corrected on the page Files"),
}
_CHANGES = {
    "remove": ("Remove", "Take away what is chosen: examples, or whole categories (Delete)"),
    "undo": ("↶", "Undo (Ctrl+Z)"),
    "redo": ("↷", "Redo (Ctrl+Shift+Z)"),
    "load": ("Take over", "Go on from the categories that judge now, to add to them"),
    "save": ("Save ...", "Keep the taught categories under a name, for every session"),
}
_EXAMPLE = Qt.ItemDataRole.UserRole


class TeachPage(Page):
    """Categories with their examples; teaching takes a second, and nothing is trained."""

    title = "Teach"
    run_text = "Teach"
    wants = "Add at least two categories, each with an example."

    def build(self) -> None:
        """Make the tree of categories and the buttons."""
        self.lesson = Lesson()
        self.taught: Categories | None = None
        self.column.addLayout(self._name_row())
        self.tree = _Tree()
        self.tree.setHeaderLabels(["Category, examples", "n"])
        self.tree.header().setStretchLastSection(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.tree.setEditTriggers(QAbstractItemView.EditTrigger.EditKeyPressed)
        self.tree.setToolTip("F2 renames a category; Delete takes away what is chosen")
        self.tree.itemChanged.connect(self._on_renamed)
        self.tree.asked.connect(self.do)
        self.column.addWidget(self.tree, 1)
        first, self.adders = button_row(_STEPS, self.do)
        second, self.changers = button_row(_CHANGES, self.do)
        self.column.addLayout(first)
        self.column.addLayout(second)
        self.line = wrapped_label()
        self.column.addWidget(self.line)
        self.form = SettingsForm(TeachSettings)
        self.more = QPushButton("More settings")
        self.more.setCheckable(True)
        self.more.toggled.connect(self.form.container.native.setVisible)
        self.form.container.native.setVisible(False)
        self.column.addWidget(self.more)
        self.column.addWidget(self.form.container.native)
        self.show_state()

    def _name_row(self) -> QHBoxLayout:
        """Make the line for a new category, and what images are looked at by."""
        self.name = QLineEdit()
        self.name.setPlaceholderText("new category")
        self.name.returnPressed.connect(self._add_category)
        self.new = QPushButton("Add category")
        self.new.clicked.connect(self._add_category)
        self.embedding = narrow_box(*EMBEDDINGS, tip="What images are looked at by")
        self.embedding.setCurrentText(self.lesson.embedding)
        self.embedding.setCurrentText(self.lesson.embedding)
        self.embedding.setVisible(len(EMBEDDINGS) > 1)
        self.embedding.currentTextChanged.connect(self._on_embedding)
        row = QHBoxLayout()
        row.addWidget(self.name, 1)
        row.addWidget(self.new)
        row.addWidget(self.embedding)
        return row

    # --- what is shown -------------------------------------------------------------------

    def show_state(self) -> None:
        """List the categories, and say what is missing or how good it was."""
        lesson = self.lesson
        with QSignalBlocker(self.tree):
            opened = {item.data(0, _EXAMPLE) for item in self._tops() if item.isExpanded()}
            chosen = self.category()
            self.tree.clear()
            for name, held in lesson.examples.items():
                self._add_top(name, held, opened=name in opened, chosen=name == chosen)
        self.changers["undo"].setEnabled(lesson.can_undo)
        self.changers["redo"].setEnabled(lesson.can_redo)
        self.changers["save"].setEnabled(self.taught is not None)
        if lesson.missing:
            self.line.setText(lesson.missing)
        elif self.taught is not None:
            self.line.setText(
                lesson_text(self.taught.report, self.taught.head_name,
                            len(self.taught.examples.labels))
            )  # fmt: skip
        else:
            self.line.setText(f"{sum(lesson.counts.values())} examples; ready to teach.")
        self.changed.emit()

    def _add_top(self, name: str, held: Sequence[Example], *, opened: bool, chosen: bool) -> None:
        """Add a category with its examples to the tree."""
        top = QTreeWidgetItem(self.tree, [name, str(len(held))])
        top.setData(0, _EXAMPLE, name)
        top.setFlags(top.flags() | Qt.ItemFlag.ItemIsEditable)
        for one in held:
            item = QTreeWidgetItem(top, [Path(one.source).name or "an image", ""])
            item.setData(0, _EXAMPLE, one)
            item.setToolTip(0, one.source)
        top.setExpanded(opened)
        if chosen:
            self.tree.setCurrentItem(top)

    def _tops(self) -> list[QTreeWidgetItem]:
        """List the categories in the tree."""
        return [self.tree.topLevelItem(n) for n in range(self.tree.topLevelItemCount())]

    def category(self) -> str:
        """Return the chosen category, that of a chosen example included; else empty."""
        item = self.tree.currentItem()
        if item is None:
            return ""
        return str((item.parent() or item).data(0, _EXAMPLE))

    # --- changing ------------------------------------------------------------------------

    def do(self, what: str) -> None:
        """Do what a button or a key asks for."""
        actions: dict[str, Callable[[], None]] = {
            "layer": self._add_layer,
            "files": self._ask_files,
            "folder": self._ask_folder,
            "corrected": self._add_corrected,
            "remove": self._remove,
            "undo": lambda: self._changed(self.lesson.undo),
            "redo": lambda: self._changed(self.lesson.redo),
            "load": self._take_over,
            "save": self._save,
        }
        try:
            actions[what]()
        except SemError as error:
            self.panel.fail(error)

    def _changed(self, change: Callable[[], Any]) -> None:
        """Change the lesson and show it; what was taught before is no longer what is shown."""
        change()
        self.taught = None
        self.show_state()
        self.panel.offer_categories()

    def _add_category(self) -> None:
        """Add a category of the typed name, and choose it."""
        try:
            self._changed(lambda: self.lesson.add_category(self.name.text()))
        except SemError as error:
            self.panel.fail(error)
            return
        self.name.clear()
        self.tree.setCurrentItem(self._tops()[-1])

    def _on_renamed(self, item: QTreeWidgetItem, column: int) -> None:
        """Take a new name of a category."""
        name, new = str(item.data(0, _EXAMPLE)), item.text(0)
        try:
            self._changed(lambda: self.lesson.rename(name, new))
        except SemError as error:
            self.show_state()
            self.panel.fail(error)

    def _remove(self) -> None:
        """Take away what is chosen."""
        chosen = [item.data(0, _EXAMPLE) for item in self.tree.selectedItems()]
        names = [one for one in chosen if isinstance(one, str)]
        examples = [one for one in chosen if isinstance(one, Example)]
        self._changed(lambda: self.lesson.remove(examples, names))

    def _on_embedding(self, name: str) -> None:
        """Look at all examples again by another embedding; those without a file are lost."""
        held = {
            category: [Path(one.source) for one in found if Path(one.source).is_file()]
            for category, found in self.lesson.examples.items()
        }
        lost = sum(self.lesson.counts.values()) - sum(map(len, held.values()))
        self.lesson = Lesson(name)
        self._changed(lambda: self.lesson.add({category: [] for category in held}))
        if any(held.values()):
            self.add_images(held)
        if lost:
            self.panel.say(f"{lost} examples are no files and have to be added again.", "warning")

    # --- adding --------------------------------------------------------------------------

    def take_paths(self, paths: list[Any]) -> bool:
        """Take dropped folders as categories, and files for the chosen category."""
        try:
            found = self._sorted(list(paths))
        except SemError as error:
            self.panel.fail(error)
            return True
        if found:
            self.add_images(found)
        else:
            self.panel.say("Choose the category that the files are examples of, then drop them.")
        return True

    def _sorted(self, paths: list[Path]) -> dict[str, list[Any]]:
        """Sort what was dropped into categories."""
        found: dict[str, list[Any]] = {}
        for path in paths:
            if path.is_dir():
                inside = examples_in(path) or {path.name: list_files(path)}
                for name, images in inside.items():
                    found.setdefault(name, []).extend(images)
            elif self.category():
                found.setdefault(self.category(), []).append(path)
        return found

    def _add_layer(self) -> None:
        """Add the selected image to the chosen category."""
        if not self.category():
            self.panel.say("Choose a category in the list first, or add one.")
            return
        sight = self.panel.image.sight()
        if sight is None:
            self.panel.say("Select an image layer first.")
            return
        self.add_images({self.category(): [sight]})

    def _ask_files(self) -> None:
        """Let the user choose files for the chosen category."""
        if not self.category():
            self.panel.say("Choose a category in the list first, or add one.")
            return
        names, _ = QFileDialog.getOpenFileNames(self, f"Examples of {self.category()}")
        if names:
            self.add_images({self.category(): [Path(name) for name in names]})

    def _ask_folder(self) -> None:
        """Let the user choose a folder of folders."""
        name = QFileDialog.getExistingDirectory(self, "Folder with a folder for every category")
        if name:
            self.take_paths([Path(name)])

    def _add_corrected(self) -> None:
        """Add the files that were corrected."""
        lessons = self.panel.files.box.files.lessons()
        if not lessons:
            self.panel.say("No file on the page Files was corrected.")
            return
        self.add_images(dict(lessons))

    def add_images(self, found: Mapping[str, Sequence[Any]]) -> None:
        """Look at images and add them as examples.

        Parameters
        ----------
        found : mapping of str to sequence of Path or Sight
            By category.
        """
        wanted, model = (
            {name: list(images) for name, images in found.items()},
            self.lesson.embedding,
        )

        def job(progress: Progress, cancel: Cancel) -> Found:
            return look_at_examples(wanted, model=model, progress=progress, cancel=cancel)

        self.panel.start_work(job, self._take, "Looking at the examples")

    def _take(self, found: Found) -> None:
        """Add what was looked at."""
        count = 0

        def add() -> None:
            nonlocal count
            count = self.lesson.add(dict(found.examples))

        self._changed(add)
        names = ", ".join(found.examples)
        if found.problems:
            self.panel.say(f"{count} added; {found.problems[0]}", "warning")
        else:
            self.panel.say(f"{count} example{'s' if count != 1 else ''} of {names}.")

    # --- teaching ------------------------------------------------------------------------

    def can_run(self) -> bool:
        """Say whether there are examples enough."""
        return not self.lesson.missing

    def run(self) -> None:
        """Teach."""
        lesson, settings = self.lesson, cast(TeachSettings, self.form.value())

        def job(progress: Progress, cancel: Cancel) -> Categories:
            return lesson.taught(settings)

        self.panel.start_work(job, self._use, "Teaching")

    def _use(self, categories: Categories) -> None:
        """Let the taught categories judge."""
        self.taught = categories
        self.show_state()
        self.panel.line.take_taught(categories)
        self.panel.say("Taught: these categories judge on all pages now.")

    def _take_over(self) -> None:
        """Go on from the categories that judge now."""
        judge: Judge | None = self.panel.judge
        model = None if judge is None else judge.load()
        if not isinstance(model, Categories):
            self.panel.say("What judges now are no categories that were taught from examples.")
            return
        self.lesson.take(model)
        with QSignalBlocker(self.embedding):
            self.embedding.setCurrentText(model.embedding)
        self.taught = model
        self.show_state()
        self.panel.offer_categories()

    def _save(self) -> None:
        """Keep the taught categories as a folder."""
        if self.taught is None:
            return
        place = asked_name(self, categories_folder())
        if place is None:
            return
        self.taught.save(place, overwrite=True)
        self.panel.line.open(place)
        self.panel.say(f"Saved as {place.name}; the list above offers it from now on.")

    def python(self) -> str:
        """Return how the same categories are taught in Python."""
        sources = {
            name: [one.source for one in held] for name, held in self.lesson.examples.items()
        }
        return (
            "import napari_sem_tools as sem\n"
            f"mine = sem.teach({sources!r}, model={self.lesson.embedding!r})\n"
            'mine.save("mine")\n'
        )


class _Tree(QTreeWidget):
    """The categories with their examples; ``asked`` names what a key wants."""

    asked = Signal(str)

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Answer our keys; the others stay Qt's."""
        standard = QKeySequence.StandardKey
        for keys, what in ((standard.Undo, "undo"), (standard.Redo, "redo")):
            if event.matches(keys):
                self.asked.emit(what)
                return
        if event.key() == Qt.Key.Key_Delete:
            self.asked.emit("remove")
        else:
            super().keyPressEvent(event)


def asked_name(parent: Any, folder: Path) -> Path | None:
    """Ask where categories are kept; the dialog asks before it replaces some."""
    folder.mkdir(parents=True, exist_ok=True)
    name, _ = QFileDialog.getSaveFileName(parent, "Save the categories", str(folder / "mine"))
    return Path(name) if name else None
