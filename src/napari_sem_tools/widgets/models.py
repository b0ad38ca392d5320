"""The Models widget: which models there are, what they are, and what is in memory."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtWidgets import (
    QAbstractItemView,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QPushButton,
    QSplitter,
    QTextBrowser,
    QTreeWidget,
    QTreeWidgetItem,
)

from napari_sem_tools.errors import Cancelled, MissingExtra, SemError
from napari_sem_tools.models import models as registry
from napari_sem_tools.models.card import MAX_CARD_BYTES, ModelCard
from napari_sem_tools.models.store import Entry, Problem, Verdict
from napari_sem_tools.tasks import Cancel, Progress, part_of, stop_if_cancelled
from napari_sem_tools.widgets.model_card import ORIGINS, card_html, readable_size
from napari_sem_tools.widgets.panel import Panel, agrees, wrapped_label
from napari_sem_tools.widgets.recipes import model_recipe
from napari_sem_tools.widgets.work import Outcome, Work

__all__ = ["ModelsWidget"]

_KEY = int(Qt.ItemDataRole.UserRole)
_COLUMNS = ("Model", "Task", "Size", "Licence", "Where")  # few: the dock is narrow
_DROPPED = (".zip", ".safetensors")
_MEMORY_MS = 1000  # between two looks at what is loaded, while the widget is seen
_OPEN = "Models (*.zip *.safetensors *.pth *.pt);;All files (*)"
_SAVE = {"One file for SEM tools (*.zip)": "sem", "bioimage.io package (*.zip)": "bioimage.io"}
_EMPTY = (
    "<p>No model is installed yet. <b>Import</b> a file, or drop a .zip or .safetensors file "
    "onto the list.</p><p>The method <i>threshold</i> needs no model.</p>"
)


@dataclasses.dataclass(frozen=True)
class _Imported:
    """What came of some files: the models kept, and a sentence for each that was refused."""

    keys: tuple[str, ...]
    refused: tuple[str, ...]


class ModelList(QTreeWidget):
    """The list of models; files can be dropped onto it."""

    dropped = Signal(list)

    def __init__(self) -> None:
        super().__init__()
        self.setHeaderLabels(_COLUMNS)
        self.setRootIsDecorated(False)
        self.setSortingEnabled(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.sortByColumn(0, Qt.SortOrder.AscendingOrder)
        self.header().setSectionResizeMode(QHeaderView.ResizeMode.Interactive)
        self.setAcceptDrops(True)
        self.setToolTip("Drop a .zip or .safetensors file here to import it")

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Take files of models."""
        self._answer(event)

    def dragMoveEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Take files of models anywhere on the list."""
        self._answer(event)

    def dropEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Hand the files on."""
        paths = model_files(event.mimeData())
        if paths:
            event.acceptProposedAction()
            self.dropped.emit(paths)

    def _answer(self, event: Any) -> None:
        """Accept a drag with a file of a model."""
        if model_files(event.mimeData()):
            event.acceptProposedAction()
        else:
            event.ignore()

    def show_entries(self, entries: Sequence[Entry]) -> None:
        """List models; the chosen one stays chosen."""
        chosen = self.chosen()
        self.setSortingEnabled(False)
        self.clear()
        for entry in entries:
            item = _item(entry)
            self.addTopLevelItem(item)
            if entry.card.key == chosen:
                self.setCurrentItem(item)
        self.setSortingEnabled(True)
        if entries and self.currentItem() is None:
            self.setCurrentItem(self.topLevelItem(0))
        for column in range(len(_COLUMNS)):
            self.resizeColumnToContents(column)

    def chosen(self) -> str | None:
        """Return name and version of the chosen model."""
        item = self.currentItem()
        return None if item is None else item.data(0, _KEY)


class ModelsWidget(Panel):
    """The models that this computer can see: cards, import, export, memory."""

    run_text = "Verify all"
    wants = "There is no model yet: import one."
    leaves_files = True

    def build(self) -> None:
        """Make the device line, the list with the card, the memory line and the buttons."""
        self.entries: dict[str, Entry] = {}
        self.device_line = wrapped_label()
        self.device_button = QPushButton("Look")
        self.device_button.setToolTip("Load PyTorch and find out where networks run, and why there")
        self.device_button.clicked.connect(self.find_device)
        top = QHBoxLayout()
        top.addWidget(self.device_line, 1)
        top.addWidget(self.device_button)
        top.addWidget(self.copy_button)
        self.list = ModelList()
        self.list.dropped.connect(self.import_files)
        self.list.currentItemChanged.connect(self._on_chosen)
        self.card = QTextBrowser()
        self.card.setOpenExternalLinks(True)
        split = QSplitter(Qt.Orientation.Vertical)
        split.addWidget(self.list)
        split.addWidget(self.card)
        split.setSizes([1, 3])  # parts of the height
        split.setStretchFactor(1, 3)
        self.problem_line, self.memory_line = wrapped_label(), wrapped_label()
        self.problem_line.hide()
        self.body.addLayout(top)
        self.body.addWidget(split, 1)
        for line in (self.problem_line, self.memory_line):
            self.body.addWidget(line)
        self.body.addLayout(self._buttons())
        self.listing = Work(self)
        self.listing.finished.connect(self._show_listing)
        self.device_work = Work(self)
        self.device_work.finished.connect(self._show_device)
        self.clock = QTimer(self)
        self.clock.setInterval(_MEMORY_MS)
        self.clock.timeout.connect(self.show_memory)
        self._on_chosen()
        self._say_device()

    def _buttons(self) -> QGridLayout:
        """Make the buttons that do something with models."""
        self.import_button = QPushButton("Import ...")
        self.import_button.setToolTip("Keep a model from a file")
        self.import_button.clicked.connect(self._ask_import)
        self.export_button = QPushButton("Export ...")
        self.export_button.setToolTip("Write the model as one file, for any computer")
        self.export_button.clicked.connect(self._ask_export)
        self.unload_button = QPushButton("Unload")
        self.unload_button.setToolTip("Take the model out of memory; all, if it is not loaded")
        self.unload_button.clicked.connect(self.unload)
        self.remove_button = QPushButton("Remove ...")
        self.remove_button.setToolTip("Delete a model of yours from disk")
        self.remove_button.clicked.connect(self._ask_remove)
        grid = QGridLayout()
        buttons = (self.import_button, self.export_button, self.unload_button, self.remove_button)
        for number, button in enumerate(buttons):
            grid.addWidget(button, number // 2, number % 2)
        return grid

    # --- what there is -------------------------------------------------------------------

    def refresh(self) -> None:
        """List the models anew; folders are read off the GUI thread."""
        if not self.listing.running:
            self.listing.start(_listing)

    def chosen(self) -> Entry | None:
        """Return the chosen model."""
        return self.entries.get(self.list.chosen() or "")

    def _show_listing(self, outcome: Outcome) -> None:
        """Show the models that were found, and what is none."""
        if outcome.error is not None:
            self.fail(outcome.error)
            return
        entries, problems = outcome.value
        self.entries = {entry.card.key: entry for entry in entries}
        self.list.show_entries(entries)
        self._show_problems(problems)
        self._on_chosen()

    def _show_problems(self, problems: Sequence[Problem]) -> None:
        """Name the folders that look like models and are none."""
        self.problem_line.setVisible(bool(problems))
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            self.problem_line.setText(f"⚠ Not used: {problems[0].reason}{more}")
            self.problem_line.setToolTip("\n".join(f"{p.folder}: {p.reason}" for p in problems))

    def _on_chosen(self, *_: Any) -> None:
        """Show the card of the chosen model and what can be done with it."""
        entry = self.chosen()
        self.card.setHtml(_EMPTY if entry is None else card_html(entry))
        self.export_button.setEnabled(entry is not None)
        self.remove_button.setEnabled(entry is not None and entry.origin == "user")
        self.run_button.setEnabled(self.can_run() or self.work.running)
        self.show_memory()

    def can_run(self) -> bool:
        """Say whether there is anything to verify."""
        return bool(self.entries)

    def python(self) -> str:
        """Return the call that borrows the chosen model."""
        entry = self.chosen()
        return "" if entry is None else model_recipe(entry.card.key)

    # --- device and memory ---------------------------------------------------------------

    def _say_device(self) -> None:
        """Say where networks run as far as that is known without loading PyTorch."""
        if importlib.util.find_spec("torch") is None:
            missing = MissingExtra("Networks need PyTorch, which is not installed.", extra="torch")
            self.device_line.setText(f"{missing.message} {missing.hint}")
            self.device_button.hide()
        elif "torch" in sys.modules:
            self.find_device()
        else:
            self.device_line.setText("Device: found when the first network runs.")

    def find_device(self) -> None:
        """Find out off the GUI thread where networks run."""
        if not self.device_work.running:
            self.device_line.setText("Loading PyTorch ...")
            self.device_work.start(_find_device)

    def _show_device(self, outcome: Outcome) -> None:
        """Show where networks run and why, or why they cannot."""
        error = outcome.error
        if error is not None:
            self.device_line.setText(f"⚠ {error.message} {error.hint}".strip())
        else:
            text, details = outcome.value
            self.device_line.setText(text)
            self.device_line.setToolTip(details)
        self.device_button.setVisible(error is not None)

    def show_memory(self) -> None:
        """Say which models are loaded, where, how large and how often in use."""
        loaded = registry.in_memory()
        lines = [
            f"{one.key} on {one.device}, {readable_size(one.size_bytes)}, {_uses(one.leases)}"
            for one in loaded
        ]
        total = sum(one.size_bytes for one in loaded)
        head = f"In memory: {readable_size(total)}" if loaded else "In memory: no model"
        self.memory_line.setText("\n".join([head, *lines]))
        self.unload_button.setEnabled(any(one.leases == 0 for one in loaded))

    def unload(self) -> None:
        """Take the chosen model out of memory, or all when the chosen one is not loaded."""
        entry = self.chosen()
        loaded = {one.key for one in registry.in_memory()}
        name = entry.card.key if entry is not None and entry.card.key in loaded else None
        freed = registry.unload(name)
        self.show_memory()
        if freed:
            self.say(f"{readable_size(freed)} of memory freed.")
        else:
            self.say("Nothing was unloaded: the model is in use.", "warning")

    # --- in and out ----------------------------------------------------------------------

    def import_files(self, paths: Sequence[Path]) -> None:
        """Keep the models of some files."""
        if self.work.running:
            self.say("Wait until the work that runs is done, then drop it again.", "warning")
            return
        files = tuple(paths)
        self.start(
            lambda progress, cancel: _import(files, progress, cancel),
            self._show_imported,
            f"Importing {files[0].name}",
        )

    def _show_imported(self, value: _Imported) -> None:
        """Say what was kept and what was refused."""
        self.refresh()
        kept = f"Imported {', '.join(value.keys)}. " if value.keys else ""
        if value.refused:
            self.say(f"{kept}⚠ {' '.join(value.refused)}", "warning")
        else:
            self.say(kept)

    def export_to(self, path: Path, kind: str = "sem") -> None:
        """Write the chosen model as one file, replacing one of that name."""
        entry = self.chosen()
        if entry is None:
            return
        key, target = entry.card.key, path.with_suffix(".zip")

        def job(progress: Progress, cancel: Cancel) -> Path:
            return registry.export(key, target, kind=kind, overwrite=True)

        self.start(job, lambda written: self.say(f"Written to {written}."), f"Exporting {key}")

    def run(self) -> None:
        """Hash all weights again."""

        def job(progress: Progress, cancel: Cancel) -> tuple[Verdict, ...]:
            return registry.verify(progress=progress, cancel=cancel)

        self.start(job, self._show_verdicts, "Verifying the weights")

    def _show_verdicts(self, verdicts: tuple[Verdict, ...]) -> None:
        """Say which models are not what their cards say."""
        bad = [verdict for verdict in verdicts if not verdict.good]
        if not bad:
            self.say(f"All {len(verdicts)} models are what their cards say.")
            return
        reasons = " ".join(verdict.reason for verdict in bad)
        self.say(f"⚠ {len(bad)} of {len(verdicts)} models cannot be used. {reasons}", "warning")

    def remove(self) -> None:
        """Delete the chosen model, from memory and from disk."""
        entry = self.chosen()
        if entry is not None:
            key = entry.card.key
            self.start(lambda progress, cancel: registry.remove(key), self._removed, "Removing")

    def _removed(self, card: ModelCard) -> None:
        """Say that a model is gone."""
        self.refresh()
        self.say(f"{card.key} was removed.")

    # --- dialogs -------------------------------------------------------------------------

    def _ask_import(self) -> None:
        """Let the user choose files."""
        names, _ = QFileDialog.getOpenFileNames(self, "Import models", "", _OPEN)
        if names:
            self.import_files([Path(name) for name in names])

    def _ask_export(self) -> None:
        """Let the user choose where to, and for whom."""
        entry = self.chosen()
        if entry is None:
            return
        proposed = f"{entry.card.name}-{entry.card.version}.zip"
        name, chosen = QFileDialog.getSaveFileName(self, "Export model", proposed, ";;".join(_SAVE))
        if name:
            self.export_to(Path(name), _SAVE.get(chosen, "sem"))

    def _ask_remove(self) -> None:
        """Ask once, then remove."""
        entry = self.chosen()
        if entry is None:
            return
        size = readable_size(entry.card.weights.size_bytes)
        if agrees(self, "Remove model", f"Delete {entry.card.key} ({size}) from disk?"):
            self.remove()

    # --- life ----------------------------------------------------------------------------

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Look at disk and memory while the widget is seen."""
        super().showEvent(event)
        self.refresh()
        self.show_memory()
        self.clock.start()

    def hideEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Look no longer."""
        self.clock.stop()
        super().hideEvent(event)

    def release(self) -> None:
        """Stop everything that looks or works."""
        self.clock.stop()
        self.listing.abandon()
        self.device_work.abandon()
        super().release()


def model_files(mime: Any) -> list[Path]:
    """Return the files of models in what is dragged."""
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()]
    return [path for path in paths if path.suffix.lower() in _DROPPED]


def _item(entry: Entry) -> QTreeWidgetItem:
    """Make the row of a model."""
    card = entry.card
    size = readable_size(card.weights.size_bytes)
    where = ORIGINS[entry.origin]
    item = QTreeWidgetItem([f"{card.name} {card.version}", card.task, size, card.licence, where])
    item.setData(0, _KEY, card.key)
    item.setToolTip(0, card.description)
    item.setToolTip(len(_COLUMNS) - 1, str(entry.folder))
    return item


def _uses(leases: int) -> str:
    """Say how many use a model."""
    return "idle" if leases == 0 else "in use" if leases == 1 else f"in use {leases} times"


def _listing(progress: Progress, cancel: Cancel) -> tuple[tuple[Entry, ...], tuple[Problem, ...]]:
    """Read the folders of models."""
    return registry.on_disk.entries(), registry.problems()


def _find_device(progress: Progress, cancel: Cancel) -> tuple[str, str]:
    """Load PyTorch, which may take seconds, and ask it; a line and all that is known."""
    from napari_sem_tools.models import runtime

    found = dict(runtime.describe())
    line = f"Networks run on {found.pop('networks run on')}."
    return line, "\n".join(f"{name}: {text}" for name, text in found.items())


def _import(files: Sequence[Path], progress: Progress, cancel: Cancel) -> _Imported:
    """Import file by file; one that is refused does not keep the others out."""
    keys, refused = [], []
    for number, path in enumerate(files):
        stop_if_cancelled(cancel)
        step = part_of(progress, number / len(files), (number + 1) / len(files))
        try:
            card = registry.import_file(path, card=_card_beside(path), progress=step, cancel=cancel)
            keys.append(card.key)
        except Cancelled:
            raise
        except SemError as error:
            refused.append(f"{error.message} {error.hint}".strip())
    return _Imported(tuple(keys), tuple(refused))


def _card_beside(path: Path) -> ModelCard | None:
    """Read the card that lies beside a bare file of weights, if there is one."""
    from napari_sem_tools.models.weights import open_regular

    if path.suffix.lower() == ".zip":
        return None
    for place in (path.with_suffix(".json"), path.with_name("card.json")):
        if place.is_file():
            with open_regular(place, max_bytes=MAX_CARD_BYTES) as file:
                return ModelCard.from_json(file.read())
    return None
