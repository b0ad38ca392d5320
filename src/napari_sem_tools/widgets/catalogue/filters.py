"""The filter form of the Catalogue widget."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QCheckBox, QFormLayout, QHBoxLayout, QLineEdit, QWidget

from napari_sem_tools.catalogue import CatalogueFilter
from napari_sem_tools.widgets.catalogue.words import FILTER_ROWS, filter_of
from napari_sem_tools.widgets.gallery.parts import narrow_box

__all__ = ["FilterForm"]

_HELP = {field.name: field.help for field in CatalogueFilter.fields()}


class FilterForm(QWidget):
    """A line for everything that images can be found by; ``asked`` says that Enter was hit."""

    asked = Signal()

    def __init__(self) -> None:
        super().__init__()
        form = QFormLayout(self)
        form.setContentsMargins(0, 0, 0, 0)
        form.setVerticalSpacing(3)
        self.lines: dict[str, QLineEdit] = {}
        self.category = narrow_box(tip=_HELP["category"])
        self.category.setEditable(True)
        self.category.setInsertPolicy(self.category.InsertPolicy.NoInsert)
        for row in FILTER_ROWS:
            line = QHBoxLayout()
            for name, hint in zip(row.fields, row.hints, strict=True):
                edit = self._line(name, hint)
                line.addWidget(self.category if name == "category" else edit, 1)
            form.addRow(row.title, line)
        self.nameless = QCheckBox("no category")
        self.gone = QCheckBox("gone ones, too")
        self.gone.setToolTip(_HELP["gone"])
        ticks = QHBoxLayout()
        ticks.addWidget(self.nameless)
        ticks.addWidget(self.gone)
        ticks.addStretch(1)
        form.addRow("", ticks)

    def _line(self, name: str, hint: str) -> QLineEdit:
        """Make the line of a field."""
        edit = self.category.lineEdit() if name == "category" else QLineEdit()
        edit.setPlaceholderText(hint)
        edit.setToolTip(_HELP[name])
        edit.setClearButtonEnabled(True)
        edit.returnPressed.connect(self.asked)
        self.lines[name] = edit
        return edit

    def offer(self, categories: list[str]) -> None:
        """List the categories that were seen."""
        text = self.category.currentText()
        self.category.clear()
        self.category.addItems(categories)
        self.category.setCurrentText(text)

    def value(self) -> CatalogueFilter:
        """Return the filter.

        Raises
        ------
        InvalidSettings
            Something is no number or no date.
        """
        texts = {name: edit.text() for name, edit in self.lines.items()}
        found = filter_of(texts, nameless=self.nameless.isChecked())
        return found.replace(gone=True) if self.gone.isChecked() else found

    def clear(self) -> None:
        """Ask for nothing."""
        for edit in self.lines.values():
            edit.clear()
        self.nameless.setChecked(False)
        self.gone.setChecked(False)
