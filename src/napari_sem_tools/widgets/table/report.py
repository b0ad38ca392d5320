"""The report of what the particle table shows: asked where to, written, opened."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QGroupBox,
    QHBoxLayout,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.analysis import Analysis, Measured, write_report
from napari_sem_tools.analysis.exports import EXPORTS
from napari_sem_tools.errors import InvalidSettings, SemError
from napari_sem_tools.layers import from_layer, segmentation_of
from napari_sem_tools.micrograph import Segmentation
from napari_sem_tools.settings import Settings
from napari_sem_tools.statistics.settings import StatisticsSettings
from napari_sem_tools.tasks import Cancel, Progress
from napari_sem_tools.widgets.forms import SettingsForm
from napari_sem_tools.widgets.panel import scrolled
from napari_sem_tools.widgets.parts import is_kind, wrapped_label
from napari_sem_tools.widgets.results import image_of, plane_of

if TYPE_CHECKING:
    from napari_sem_tools.widgets.table.state import TableState
    from napari_sem_tools.widgets.table.widget import TableWidget

__all__ = ["ReportButton", "ReportDialog", "measured_of"]

_WHAT = (
    "The report has figures, statistics with intervals, uncertainty, method text and all tables of "
    "the particles as they stand here, decisions by hand included."
)

_RARE = ("bootstrap", "max_components", "seed")  # for scripts: nothing that a specimen decides


class ReportDialog(QDialog):
    """Asks for the folder of a report, how its statistics are made, and what is written beside.

    Parameters
    ----------
    parent : QWidget
    folder : Path
        The one offered.
    statistics : StatisticsSettings, optional
        Shown at first; the defaults otherwise.
    """

    def __init__(
        self, parent: QWidget, folder: Path, statistics: StatisticsSettings | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle("Report")
        column = QVBoxLayout(self)
        column.addWidget(wrapped_label(_WHAT))
        self.place = QLineEdit(str(folder))
        self.place.setMinimumWidth(380)
        browse = QPushButton("Browse ...")
        browse.clicked.connect(self._browse)
        row = QHBoxLayout()
        row.addWidget(self.place, 1)
        row.addWidget(browse)
        column.addLayout(row)
        numbers = QGroupBox("Statistics")
        self.form = SettingsForm(StatisticsSettings, statistics, skip=_RARE)
        QVBoxLayout(numbers).addWidget(scrolled(self.form.native))
        column.addWidget(numbers, 1)
        beside = QGroupBox("Further files")
        ticks = QVBoxLayout(beside)
        self.exports: dict[str, QCheckBox] = {}
        for name, export in EXPORTS.items():
            tick = QCheckBox(f"{export.files}: {export.help}")
            if export.needs and importlib.util.find_spec(export.needs) is None:
                tick.setEnabled(False)
                tick.setToolTip(f"Needs {export.needs}, which is not installed.")
            ticks.addWidget(tick)
            self.exports[name] = tick
        column.addWidget(beside)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Cancel)
        write = buttons.addButton("Write report", QDialogButtonBox.ButtonRole.AcceptRole)
        write.setDefault(True)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)

    def folder(self) -> Path:
        """Return the folder that was chosen."""
        return Path(self.place.text().strip()).expanduser()

    def wished(self) -> tuple[str, ...]:
        """Return the further files that were ticked."""
        return tuple(name for name, tick in self.exports.items() if tick.isChecked())

    def statistics(self) -> Settings:
        """Return the settings of the statistics as they stand in the form."""
        return self.form.value()

    def accept(self) -> None:
        """Close, once a name is given and an existing folder may be replaced."""
        place = self.folder()
        if not self.place.text().strip():
            return
        if place.exists() and not self._may_replace(place):
            return
        super().accept()

    def _may_replace(self, place: Path) -> bool:
        """Ask before an earlier report goes."""
        yes = QMessageBox.StandardButton.Yes
        text = f"{place.name} exists. Replace it by this report?"
        return bool(QMessageBox.question(self, "Report", text) == yes)

    def _browse(self) -> None:
        """Choose the folder that the report's own folder goes to."""
        chosen = QFileDialog.getExistingDirectory(self, "Put the report into", str(self.folder()))
        if chosen:
            self.place.setText(str(Path(chosen) / self.folder().name))


class ReportButton(QPushButton):
    """Writes the report of what a particle table shows, and opens its page.

    Parameters
    ----------
    table : TableWidget
    """

    def __init__(self, table: TableWidget) -> None:
        super().__init__("Report ...")
        self._table = table
        self._statistics = StatisticsSettings()  # as last chosen
        self.setToolTip(
            "Write figures, statistics and tables of these particles, and open the page"
        )
        self.clicked.connect(self.ask)

    def ask(self) -> None:
        """Ask where the report goes and what is written beside it."""
        table = self._table
        if table.table is None:
            table.say(table.wants)
            return
        dialog = ReportDialog(table, _offered(table.state), self._statistics)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            chosen: Any = dialog.statistics()
            self._statistics = chosen
            self.write(dialog.folder(), dialog.wished(), statistics=chosen, overwrite=True)

    def write(
        self,
        folder: Path,
        exports: Iterable[str] = (),
        *,
        statistics: StatisticsSettings | None = None,
        overwrite: bool = False,
    ) -> None:
        """Write the report off the GUI thread and open its page.

        Parameters
        ----------
        folder : Path
        exports : iterable of str
            Further files, keys of `EXPORTS`.
        statistics : StatisticsSettings, optional
        overwrite : bool
            Replace an earlier report there.
        """
        table, wished = self._table, tuple(exports)
        images = [layer for layer in table.viewer.layers if is_kind(layer, "Image")]
        try:
            measured = measured_of(table.state, images, table.viewer)
        except SemError as error:
            table.fail(error)
            return

        def job(progress: Progress, cancel: Cancel) -> Analysis:
            return write_report(
                measured,
                folder,
                statistics_settings=statistics,
                exports=wished,
                overwrite=overwrite,
                progress=progress,
                cancel=cancel,
            )

        table.start(job, self._show, "Writing the report")

    def _show(self, written: Analysis) -> None:
        """Open the page and say where it lies."""
        counted = written.summary["included"]
        self._table.say(f"Report on {counted} counted particles written to {written.out}.")
        open_page(written.report)


def measured_of(state: TableState, images: Iterable[Any], viewer: Any) -> list[Measured]:
    """Gather image, labels and rows of every layer that a table shows.

    Parameters
    ----------
    state : TableState
    images : iterable of napari Image layers
    viewer : napari viewer

    Returns
    -------
    list of Measured
        Labels are copies: the user may paint on.

    Raises
    ------
    InvalidSettings
        An image is not open any more, or labels are a stack.
    """
    known = list(images)
    return [_measured(state, number, known, viewer) for number in range(len(state.layers))]


def open_page(page: Path) -> None:
    """Show a page in the browser."""
    QDesktopServices.openUrl(QUrl.fromLocalFile(str(page)))


def _offered(state: TableState) -> Path:
    """Offer a folder beside the image, else in the user's own."""
    origin = state.layers[0].metadata.get("sem_origin")
    source = origin.image.source if origin is not None else None
    parent = source.parent if source is not None and source.exists() else Path.home()
    stem = state.layers[0].name.removesuffix(" particles") if len(state.layers) == 1 else "images"
    return parent / f"{stem} report"


def _measured(state: TableState, number: int, images: list[Any], viewer: Any) -> Measured:
    """Gather image, labels and rows of a layer."""
    layer = state.layers[number]
    if layer.ndim != 2:
        raise InvalidSettings(
            f"{layer.name} is a stack; a report has planes.",
            hint="Measure the slice that it is about as a layer of its own.",
        )
    image = image_of(layer, images)
    if image is None:
        raise InvalidSettings(f"The image of {layer.name} is not open.", hint="Open it again.")
    attributes = state.table.attrs.get("images") or [state.table.attrs]
    table = state.table[state.source == number]
    table.attrs = {
        **attributes[number],
        "settings": state.settings.to_dict(),
        "decisions": state.record(layer),
    }
    return Measured(plane_of(layer, from_layer(image), viewer), _found(layer), table)


def _found(layer: Any) -> Segmentation:
    """Return what is known of how the particles were found; edited ones say so."""
    found = segmentation_of(layer)
    if isinstance(found, Segmentation):
        return Segmentation(
            found.labels.copy(),
            found.confidence,
            found.method,
            found.settings,
            found.model,
            found.image,
            found.notes,
        )
    labels = np.array(found, np.int32)
    origin = layer.metadata.get("sem_origin")
    method = f"{origin.method}, edited by hand" if origin is not None else "hand or another program"
    confidence = np.full(int(labels.max(initial=0)), np.nan, np.float32)
    if origin is None:
        return Segmentation(labels, confidence, method)
    return Segmentation(labels, confidence, method, origin.settings, origin.model, origin.image)
