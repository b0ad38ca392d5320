"""Table and gallery of images over one model, with keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qtpy.QtCore import QItemSelectionModel, QSize, Qt, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
)

from napari_sem_tools.widgets.gallery.model import ImagesModel
from napari_sem_tools.widgets.gallery.rows import PICTURE_PX, asked_by, set_up_rows

__all__ = ["ImagesView"]

_LARGE = QSize(92, 69)
_CELL = QSize(_LARGE.width() + 11, _LARGE.height() + 38)  # two lines of words below


class ImagesView(QStackedWidget):
    """The list of images, as a table or as a gallery.

    Its signal ``asked`` names what a key wants of the chosen images, ``opened`` brings the key
    of the one that was double-clicked, ``choice_changed`` says that others are chosen.

    Parameters
    ----------
    model : ImagesModel
    keys : mapping of Qt.Key to str, optional
        What plain keys ask for; Enter opens, Ctrl+Z, Ctrl+Shift+Z and Ctrl+C are known.
    """

    asked = Signal(str)
    opened = Signal(object)
    choice_changed = Signal()

    def __init__(self, model: ImagesModel, keys: Mapping[Any, str] | None = None) -> None:
        super().__init__()
        self.model = model
        self._keys = dict(keys or {})
        self.table, self.gallery = _Table(model, self), _Gallery(model, self)
        for view in (self.table, self.gallery):
            view.doubleClicked.connect(self._on_double_click)
            view.selectionModel().selectionChanged.connect(self._on_choice)
            self.addWidget(view)

    @property
    def view(self) -> QAbstractItemView:
        """The one that is seen."""
        return self.gallery if self.currentIndex() else self.table

    def show_gallery(self, on: bool) -> None:
        """Change between table and gallery; the choice stays."""
        keys = self.chosen()
        self.setCurrentIndex(int(on))
        self.choose(keys)

    def chosen(self) -> list[Any]:
        """List the keys of the chosen images, as they are shown."""
        rows = sorted({index.row() for index in self.view.selectionModel().selectedIndexes()})
        return [self.model.key(row) for row in rows]

    def choose(self, keys: list[Any]) -> None:
        """Choose images by key; those that are not shown are passed by."""
        wanted, chooser = set(keys), self.view.selectionModel()
        chooser.clearSelection()
        how = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        for row, key in enumerate(self.model.listed()) if wanted else ():
            if key in wanted:
                chooser.select(self.model.index(row, 0), how)
                self.view.scrollTo(self.model.index(row, 0))

    def choose_row(self, row: int) -> None:
        """Choose a line and bring it into view."""
        if 0 <= row < self.model.rowCount():
            self.view.setCurrentIndex(self.model.index(row, 0))
            self.choose([self.model.key(row)])

    def _on_choice(self, *_: Any) -> None:
        """Tell about another choice."""
        self.choice_changed.emit()

    def _on_double_click(self, index: Any) -> None:
        """Open an image."""
        self.opened.emit(self.model.key(index.row()))

    def take_key(self, event: Any) -> bool:
        """Answer a key; False leaves it to Qt."""
        what = asked_by(event, self._keys)
        if what:
            self.asked.emit(what)
        return bool(what)


class _Table(QTableView):
    """The table; one column takes the room that is left."""

    def __init__(self, model: ImagesModel, owner: ImagesView) -> None:
        super().__init__()
        self.owner, self.images = owner, model
        self.setModel(model)
        self._widths = [PICTURE_PX.width() + 6, *(column.width for column in model.columns)]
        set_up_rows(self, self._widths)
        self.setTabKeyNavigation(False)  # Tab goes on to the buttons

    def resizeEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Give one column what room there is."""
        super().resizeEvent(event)
        for place, column in enumerate(self.images.columns, 1):
            if column.stretch:
                others = sum(self.columnWidth(n) for n in range(len(self._widths)) if n != place)
                room = self.viewport().width() - others
                self.setColumnWidth(place, max(self._widths[place], room))

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Answer our keys; the arrows stay Qt's."""
        if not self.owner.take_key(event):
            super().keyPressEvent(event)


class _Gallery(QListView):
    """The pictures, with two lines of words below each."""

    def __init__(self, model: ImagesModel, owner: ImagesView) -> None:
        super().__init__()
        self.owner = owner
        self.setModel(model)
        self.setViewMode(QListView.ViewMode.IconMode)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMovement(QListView.Movement.Static)
        self.setUniformItemSizes(True)
        self.setLayoutMode(QListView.LayoutMode.Batched)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setWordWrap(True)
        self.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.setIconSize(_LARGE)
        self.setGridSize(_CELL)
        self.setItemDelegate(_Captions(self))

    def keyPressEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Answer our keys; the arrows stay Qt's."""
        if not self.owner.take_key(event):
            super().keyPressEvent(event)


class _Captions(QStyledItemDelegate):
    """Writes the caption below a picture, for which the table has a column of its own."""

    def initStyleOption(self, option: Any, index: Any) -> None:  # noqa: N802  Qt's name
        """Put the words of the owner below the picture."""
        super().initStyleOption(option, index)
        model = index.model()
        caption = model.looks.caption(model.key(index.row()))
        option.text = caption.replace("\n", "\N{LINE SEPARATOR}")
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasDisplay
        option.displayAlignment = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop

    def sizeHint(self, option: Any, index: Any) -> QSize:  # noqa: N802  Qt's name
        """Ask for the same room for all."""
        return _CELL
