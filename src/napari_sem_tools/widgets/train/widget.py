"""The Train widget: a network learned from a folder, in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QStackedWidget, QTabWidget

from napari_sem_tools.errors import InvalidSettings, MissingExtra, SemError
from napari_sem_tools.settings import Settings
from napari_sem_tools.training import ClassificationTraining
from napari_sem_tools.widgets.panel import Panel
from napari_sem_tools.widgets.recipes import train_recipe
from napari_sem_tools.widgets.train.categories import CategoryChoices
from napari_sem_tools.widgets.train.choices import TrainingChoices, plain_name
from napari_sem_tools.widgets.train.course import CoursePage
from napari_sem_tools.widgets.train.earlier import EarlierBox
from napari_sem_tools.widgets.train.sample import add_to_training_set
from napari_sem_tools.widgets.train.set import TrainingSetBox, dropped_folder, has_categories
from napari_sem_tools.widgets.train.use import tell_others, torch_is_there, use_model
from napari_sem_tools.widgets.train.watch import (
    End,
    Order,
    Watch,
    free_name,
    newest_unfinished,
)
from napari_sem_tools.widgets.work import Outcome

__all__ = ["TrainWidget"]

_POLL_MS = 100
_PARTS = 1000  # of the progress
_KINDS = ("Particles, or classes of pixels", "Categories of images")
_CATEGORIES = 1
_START, _RESUME, _AT_ONCE = "Start training", "Resume training", "End at once"


class TrainWidget(Panel):
    """Train a network on a folder: particles or classes of pixels, or categories of images."""

    run_text = _START
    wants = "Choose a training set whose files can all be used, and a name for the model."
    leaves_files = True

    def build(self) -> None:
        """Make the training set, the settings, the course and what was there before."""
        self.watch: Watch | None = None  # of the training that runs
        self.made = ""  # name of the model that this widget made last
        self.setAcceptDrops(True)
        self.set = TrainingSetBox()
        self.kind = QComboBox()
        self.kind.addItems(_KINDS)
        self.kind.setToolTip("What is learned from the folder")
        self.kinds: tuple[Any, ...] = (TrainingChoices(), CategoryChoices())
        self.choices: Any = self.kinds[0]
        self.pages = QStackedWidget()
        for page in self.kinds:
            self.pages.addWidget(page)
        self.course = CoursePage()
        self.earlier = EarlierBox()
        self.tabs = QTabWidget()
        self.tabs.addTab(self.pages, "Settings")
        self.tabs.addTab(self.course, "Course")
        self.set.row.addWidget(self.copy_button)
        self.body.addWidget(self.kind)
        self.body.addWidget(self.set)
        self.body.addWidget(self.tabs, 1)
        self.body.addWidget(self.earlier)
        self.clock = QTimer(self)
        self.clock.setInterval(_POLL_MS)
        self.clock.timeout.connect(self._poll)
        self.set.changed.connect(self._on_folder)
        self.set.wanted.connect(self._add_sample)
        self.earlier.restored.connect(self._take_settings)
        self.course.used.connect(self._use)
        for part in (*self.kinds, self.earlier):
            part.changed.connect(self._update)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self.set.checked.connect(self._update)
        self._update()
        if not torch_is_there():
            self.fail(
                MissingExtra("Training needs PyTorch, which is not installed.", extra="torch")
            )

    # --- what the window says ------------------------------------------------------------

    def order(self) -> Order:
        """Return what is to be trained as the window stands.

        Raises
        ------
        InvalidSettings
            There is no folder or no name, or a setting is out of its range.
        """
        name = self.choices.name.text().strip()
        if self.set.folder is None or not name:
            raise InvalidSettings(self.wants)
        return Order(self.set.folder, name, self.choices.settings(), self.earlier.drops)

    def can_run(self) -> bool:
        """Say whether a training may be started."""
        named = bool(self.choices.name.text().strip())
        return self.set.good and named and self.earlier.allows(self._settings())

    def python(self) -> str:
        """Return the call that trains the same."""
        order = self.order()
        return train_recipe(order.folder, order.name, order.settings, anew=order.anew)

    def _settings(self) -> Settings | None:
        """Return the settings, None while one cannot be used."""
        try:
            settings: Settings = self.choices.settings()
            return settings
        except InvalidSettings:
            return None

    # --- the training set and earlier runs -----------------------------------------------

    def _on_kind(self, place: int) -> None:
        """Show the settings of another kind; the name stays."""
        name = self.choices.name.text()
        self.choices = self.kinds[place]
        self.choices.name.setText(name)
        self.pages.setCurrentIndex(place)
        self._update()

    def _on_folder(self) -> None:
        """Propose a name, or the run that was stopped last, and what may be learned."""
        folder = self.set.folder
        if folder is None:
            return
        if has_categories(folder):
            self.kind.setCurrentIndex(_CATEGORIES)
        stopped = newest_unfinished(folder)
        self.choices.name.setText(stopped or free_name(folder, plain_name(folder)))
        self._update()
        if stopped is not None:
            self._take_settings()

    def _take_settings(self) -> None:
        """Show the settings of the earlier run."""
        settings = self.earlier.earlier.settings
        if settings is not None:
            self.kind.setCurrentIndex(int(isinstance(settings, ClassificationTraining)))
            self.choices.show_settings(settings)

    def _update(self) -> None:
        """Look for an earlier run of the name and say what the button will do."""
        if self.work.running:
            return
        folder, name = self.set.folder, self.choices.name.text().strip()
        place = Order.place(folder, name) if folder and name else None
        if self.earlier.look(place):
            found = self.earlier.earlier
            self.course.clear(found.rows, getattr(found.settings, "epochs", 0))
            if place is not None and found.rows:
                self.course.previews.show_files(sorted(place.glob("previews/*.png")))
        settings = self._settings()
        if settings is not None:
            self.set.look_for(settings)
        self.earlier.tell(settings)
        self.run_text = _RESUME if self.earlier.goes_on(settings) else _START
        self.run_button.setText(self.run_text)
        self.run_button.setEnabled(self.can_run())

    def _add_sample(self) -> None:
        """Save the image and labels of the viewer into the training set."""
        folder = self.set.folder
        if folder is None:
            return
        try:
            job = add_to_training_set(self.viewer, folder, self)
        except SemError as error:
            self.fail(error)
            return
        if job is not None:
            self.start(job, self._show_added, "Saving")

    def _show_added(self, written: tuple[Path, ...]) -> None:
        """Look at the training set with its new image."""
        self.say(f"{written[0].stem} was added.")
        self.set.check()

    # --- running -------------------------------------------------------------------------

    def run(self) -> None:
        """Start the training, or go on with it."""
        order = self.order()
        earlier = self.earlier.earlier
        rows = earlier.rows if self.earlier.goes_on(order.settings) else ()
        self.watch, self.made = Watch(order), ""
        self.course.clear(rows, getattr(order.settings, "epochs", 0))
        self._freeze(running=True)
        self.tabs.setCurrentWidget(self.course)
        self.start(self.watch.job, self._show_end, f"Training {order.name}")
        self.say("Starting: PyTorch is loaded and the images are read ...")
        self.clock.start()

    def _freeze(self, *, running: bool) -> None:
        """Let nothing be changed that the training does not follow."""
        for part in (self.kind, self.set, self.pages, self.earlier):
            part.setEnabled(not running)

    def _on_button(self) -> None:
        """Start; or stop and keep the best; or, asked again, end it at once."""
        watch = self.watch
        if watch is None or not self.work.running:
            super()._on_button()
        elif watch.keep.is_set():
            watch.at_once.set()
            self.say("Ending it at once ...")
        else:
            watch.keep.set()
            super()._on_button()
            self.say("Stopping; the best epoch so far is kept ...")
            self.run_button.setText(_AT_ONCE)

    def _poll(self) -> None:
        """Take the news of the training; never waits."""
        watch = self.watch
        if watch is None or watch.run is None:
            return
        for event in watch.run.poll():
            words = self.course.take(event)
            if words and not watch.keep.is_set():
                self.work.progressed.emit(round(_PARTS * event.share), _PARTS, words)

    # --- the end -------------------------------------------------------------------------

    def _on_finished(self, outcome: Outcome) -> None:
        """Take the last news, then show how it ended."""
        self.clock.stop()
        self._poll()
        trained, self.watch = self.watch is not None, None
        self._freeze(running=False)
        super()._on_finished(outcome)
        if not trained:
            self._update()
            return
        self.earlier.anew.setChecked(False)
        self._update()
        if self.earlier.earlier.unfinished:
            self._take_settings()
        if not self.isVisible():
            _tell(self.status_line.text())

    def _show_end(self, end: End) -> None:
        """Say which model was made; the other widgets offer it at once."""
        if end.card is None:
            self.say(f"Stopped. {end.text}")
            return
        self.made = end.card.name
        scores = ", ".join(f"{one.metric} {one.value:.3f}" for one in end.card.scores[:3])
        verb = "Stopped; the best epoch is" if end.cancelled else "Done:"
        self.say(f"{verb} model {end.card.name} {end.card.version}. {scores}".strip())
        self.course.offer(self.made)
        tell_others(self.viewer)

    def _use(self) -> None:
        """Open Segment particles with the new model."""
        try:
            use_model(self.viewer, self.made)
        except SemError as error:
            self.fail(error)

    # --- life ----------------------------------------------------------------------------

    def _on_theme(self, event: Any = None) -> None:
        """Take the colours of the new theme."""
        self.set.restyle()
        self.course.restyle()

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Take a folder anywhere on the widget."""
        if dropped_folder(event.mimeData()) is not None and not self.work.running:
            event.acceptProposedAction()
        else:
            event.ignore()

    def dropEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Choose the folder."""
        folder = dropped_folder(event.mimeData())
        if folder is not None:
            event.acceptProposedAction()
            self.set.choose(folder)

    def release(self) -> None:
        """End a training at once, so that it can be resumed, and let go of everything."""
        if self.watch is not None and self.work.running:
            _tell(f"The training of {self.watch.order.name} was stopped; Train can resume it.")
        self.clock.stop()
        self.course.release()
        self.set.release()
        super().release()


def _tell(text: str) -> None:
    """Say something where it is seen without this widget."""
    from napari.utils.notifications import show_info

    show_info(text)
