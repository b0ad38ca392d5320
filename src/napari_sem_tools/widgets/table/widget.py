"""The Particle table widget: rows, particles and plots find each other."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QItemSelectionModel, Qt
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractItemView,
    QApplication,
    QPushButton,
    QSplitter,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from napari_sem_tools.errors import InvalidSettings
from napari_sem_tools.layers import show_scale_bar
from napari_sem_tools.widgets.panel import late
from napari_sem_tools.widgets.parts import Links, SemWidget, is_kind, theme_colour, wrapped_label
from napari_sem_tools.widgets.plots.drawing import Style
from napari_sem_tools.widgets.plots.panel import PlotPanel
from napari_sem_tools.widgets.recipes import table_recipe
from napari_sem_tools.widgets.table.colour_panel import ColourPanel
from napari_sem_tools.widgets.table.doubt_panel import DoubtPanel
from napari_sem_tools.widgets.table.export import ask_path, clipboard_text, export_table
from napari_sem_tools.widgets.table.filter_bar import CHOSEN, FilterBar
from napari_sem_tools.widgets.table.filters import flag
from napari_sem_tools.widgets.table.following import Follower
from napari_sem_tools.widgets.table.marks import TableMarks, clicked_at
from napari_sem_tools.widgets.table.model import ParticleModel, titles_of
from napari_sem_tools.widgets.table.parts import (
    ActionBar,
    PoolButton,
    TableView,
    ask_class,
    features_table_open,
)
from napari_sem_tools.widgets.table.report import ReportButton
from napari_sem_tools.widgets.table.state import BY_HAND, CLASS, TableState
from napari_sem_tools.widgets.table.text import offered_columns, plot_values, summary_text

__all__ = ["TableWidget", "tables_of"]

_PAUSE_MS = 300  # between the last decision and the writing of the features
_PLOT_PAUSE_MS = 40  # a plot takes longer than a slider moves
_MOST_RANGES = 300  # of rows that Qt selects; beyond, rows are painted
_NOT_MEASURED = "These particles are not measured yet: Layers > Measure > Measure."
_SLOW_ROWS = 2000  # from which on napari's own features table takes seconds to fill


class TableWidget(SemWidget):
    """The table of the particles of one or several labels layers."""

    kind = "Labels"
    wants = "Select a labels layer that was measured."
    run_text = "Export ..."
    leaves_files = True

    def build(self) -> None:
        """Make the filter, the table, the buttons and the tabs below."""
        self.state = TableState([])
        self.chosen: NDArray[np.bool_] = np.zeros(0, bool)
        self.drawn: NDArray[np.intp] = np.empty(0, np.intp)
        self.picture = TableMarks(self.viewer)
        self.layer_links = Links()
        self._writing = self.mixed = self._scaled = False
        self.model = ParticleModel(self)
        self.model.ticked.connect(self._on_ticked)
        self.model.classified.connect(lambda row, name: self.classify([row], name))
        self.follower = Follower(self.viewer, self)
        self.follower.said.connect(self.say)
        self._timer = late(self, _PAUSE_MS, self.write)
        self._plot_timer = late(self, _PLOT_PAUSE_MS, self._draw)
        splitter = QSplitter(Qt.Orientation.Vertical)
        splitter.addWidget(self._upper())
        splitter.addWidget(self._lower())
        splitter.setStretchFactor(0, 3)
        splitter.setStretchFactor(1, 2)
        splitter.setChildrenCollapsible(False)
        self.body.addWidget(splitter, 1)
        self.report_button = ReportButton(self)
        self.body.addWidget(self.report_button)
        for keys, answer in (
            (QKeySequence.StandardKey.Copy, self.copy),
            (QKeySequence.StandardKey.Undo, self.undo),
            (QKeySequence.StandardKey.Redo, self.redo),
        ):
            shortcut = QShortcut(QKeySequence(keys), self)
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
            shortcut.activated.connect(answer)
        self.viewer.mouse_drag_callbacks.append(self._on_mouse)

    def _upper(self) -> QWidget:
        """Make the filter, the table and its buttons."""
        self.pool_button = PoolButton(self.viewer)
        self.pool_button.wanted.connect(self._on_pool)
        self.filters = FilterBar(self.pool_button)
        self.filters.changed.connect(self._refilter)
        self.question = wrapped_label()
        self.agree = QPushButton("Pool all the same")
        self.agree.clicked.connect(lambda: self.show_layers(self.pool_button.layers(), mixed=True))
        self.view = TableView(self.model)
        # after Qt's own answer, which keeps the selected rows where they were
        self.model.layoutChanged.connect(self._select_rows)
        self.view.selectionModel().selectionChanged.connect(self._on_selection)
        self.summary_line = wrapped_label()
        upper = QWidget()
        column = QVBoxLayout(upper)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.question)
        column.addWidget(self.agree)
        column.addWidget(self.filters)
        column.addWidget(self.view, 1)
        self.actions = ActionBar()
        answers: dict[str, Any] = {
            "count": lambda: self.count(True),
            "leave out": lambda: self.count(False),
            "by rule": lambda: self.count(None),
            "class": self._ask_class,
            "undo": self.undo,
            "redo": self.redo,
            "copy": self.copy,
        }
        self.actions.asked.connect(lambda name: answers[name]())
        column.addWidget(self.actions)
        column.addWidget(self.summary_line)
        self._ask("")
        return upper

    def _lower(self) -> QWidget:
        """Make the tabs: plot, doubt, colours."""
        self.plot = PlotPanel()
        self.plot.changed.connect(self._plot_timer.start)
        self.plot.brushed.connect(self._on_brush)
        self.doubt = DoubtPanel()
        self.doubt.changed.connect(self._on_threshold)
        self.doubt.hatch.toggled.connect(self._mark)
        self.marks = self.doubt.hatch
        self.colours = ColourPanel()
        self.colours.changed.connect(self._colour)
        tabs = QTabWidget()
        tabs.addTab(self.plot, "Plot")
        tabs.addTab(self.doubt, "Doubt")
        tabs.addTab(self.colours, "Colours")
        self.tabs = tabs
        return tabs

    # --- which tables ----------------------------------------------------------------------

    @property
    def table(self) -> Any:
        """The table as it stands, None without one."""
        return self.state.table if self.state.layers else None

    @property
    def shown_layer(self) -> Any:
        """The first of the layers shown, None when there is none or it was removed."""
        layers = self.state.layers
        return layers[0] if layers and layers[0] in self.viewer.layers else None

    def show_layer(self, layer: Any) -> None:
        """Show the table of a labels layer."""
        self.chooser.choose(layer)
        if list(self.state.layers) != [layer]:
            self.layer_changed(layer)

    def layer_changed(self, layer: Any) -> None:
        """Show another layer's table; a removed layer leaves its table standing."""
        if layer is None:
            self._let_go()
            if self.table is not None:
                self.say("The labels layer was removed; its table stays until another is chosen.")
            self.run_button.setEnabled(self.table is not None)
            return
        if len(self.state.layers) > 1 and layer in self.state.layers:
            return  # pooled: a click on one of its images changes nothing
        self.pool_button.reset()
        self.show_layers([layer])

    def show_layers(self, layers: list[Any], *, mixed: bool = False) -> None:
        """Show the particles of one or several labels layers as one table.

        Parameters
        ----------
        layers : list of napari Labels layers
        mixed : bool
            True: pool images of different pixel size without asking.
        """
        try:
            state = TableState(layers, mixed=mixed)
        except InvalidSettings as error:
            self._ask(error.message, can_agree="Pool" in error.hint)
            return
        self._ask("")
        self._let_go()
        self.state = state
        self.mixed = mixed
        if state.layers and hasattr(self.viewer, "window") and not self._scaled:
            self._scaled = True  # once: who switches it off means it
            show_scale_bar(self.viewer)
        for layer in state.layers or layers:
            self.layer_links.connect(layer.events.features, self._on_features)
            self.layer_links.connect(layer.events.selected_label, self._on_label)
        self.follower.watch(layers[0] if len(layers) == 1 else None)
        self._fill()

    def _ask(self, question: str, *, can_agree: bool = False) -> None:
        """Show a question about pooling, or take it away."""
        self.question.setText(f"⚠ {question}")
        self.question.setVisible(bool(question))
        self.agree.setVisible(can_agree)

    def _let_go(self) -> None:
        """Let go of the layers shown before; write what was decided."""
        if self._timer.isActive():
            self._timer.stop()
            self.write()
        self.layer_links.release()
        self.follower.watch(None)
        self.colours.colouring.clear()
        self.picture.clear()

    def _fill(self) -> None:
        """Show the table of the state."""
        state = self.state
        known = bool(state.layers)
        self.say("" if known else _NOT_MEASURED)
        table = state.table
        before = list(self.model.names)
        self.model.set_table(table, pooled=len(state.layers) > 1)
        if self.model.names != before:
            self.view.fit_columns()
        self.chosen = np.zeros(len(table), bool)
        self.drawn = np.empty(0, np.intp)  # until the plot is drawn again
        self.run_button.setEnabled(known)
        self.doubt.show_settings(state.settings)
        self.doubt.setEnabled(state.can_judge)
        self._offer()
        self._refilter()
        self._colour()
        self._after_change()

    def _offer(self) -> None:
        """List the columns in filter, plot and colours."""
        columns = self.model.columns()
        titles = titles_of(columns)
        offered = offered_columns(columns, {name: title for name, (title, _) in titles.items()})
        self.filters.offer({name: columns[name] for name in offered.ranges}, offered.titles)
        self.plot.offer(offered.plots, offered.groups)
        self.colours.offer(offered.colours)

    # --- what is chosen --------------------------------------------------------------------

    def choose(self, chosen: NDArray[np.bool_], *, move: bool = False) -> None:
        """Choose particles: in the table, in the picture and in the plot.

        Parameters
        ----------
        chosen : bool array (n,)
            Over the rows of the table.
        move : bool
            Move the camera to the first of them.
        """
        self.chosen = np.asarray(chosen, bool)
        self._select_rows()
        positions = np.flatnonzero(self.chosen)
        if len(positions):
            rows = [self.model.row_at(int(at)) for at in positions[:1000]]
            seen = [row for row in rows if row is not None]
            if seen:
                hint = QAbstractItemView.ScrollHint.PositionAtCenter
                self.view.scrollTo(self.model.index(min(seen), 0), hint)
            if move:
                self._go_to(int(positions[0]))
        self._show_chosen()

    def select_particle(self, label: int, layer: Any = None) -> bool:
        """Select and show the row of a particle; False when it has none that is shown."""
        if not self.state.layers:
            return False
        positions = self.state.positions_of(layer or self.state.layers[0], [label])
        positions = positions[self.model.shown[positions]]
        if not len(positions):
            return False
        chosen = np.zeros(len(self.chosen), bool)
        chosen[positions[0]] = True
        self.choose(chosen)
        return True

    def _select_rows(self) -> None:
        """Let Qt select the chosen rows, or paint them where that would be slow."""
        selection = self.model.ranges(self.chosen, _MOST_RANGES) if len(self.chosen) else None
        model = self.view.selectionModel()
        flags = QItemSelectionModel.SelectionFlag
        with self._own_change():
            if selection is None or selection.isEmpty():
                model.clearSelection()
            else:
                top = self.model.index(selection.first().top(), 0)
                model.setCurrentIndex(top, flags.NoUpdate)
                model.select(selection, flags.ClearAndSelect | flags.Rows)
        none = np.zeros(len(self.chosen), bool)
        self.model.choose(self.chosen if selection is None else none)

    def _on_selection(self, *_: Any) -> None:
        """Take the rows that the user selected; move to the current one."""
        if self._writing:
            return
        chosen = np.zeros(len(self.chosen), bool)
        for part in self.view.selectionModel().selection():
            chosen[self.model.order[part.top() : part.bottom() + 1]] = True
        self.chosen = chosen
        self.model.choose(np.zeros(len(chosen), bool))
        self._show_chosen()
        current = self.view.currentIndex()
        if current.isValid() and chosen[self.model.position_of(current.row())]:
            self._go_to(self.model.position_of(current.row()))

    def _show_chosen(self) -> None:
        """Outline the chosen particles and mark them in the plot."""
        self.picture.outline(self.state, np.flatnonzero(self.chosen))
        self.plot.choose(self.chosen[self.drawn])
        self._summarise()

    def _go_to(self, position: int) -> None:
        """Move the camera to a particle, and make it napari's selected label."""
        layer = self.picture.go_to(self.state, position)
        if layer is not None:
            with self._own_change():
                layer.selected_label = int(self.model.labels[position])

    @contextlib.contextmanager
    def _own_change(self) -> Iterator[None]:
        """Pass over the events that our own changes come back as."""
        before, self._writing = self._writing, True
        try:
            yield
        finally:
            self._writing = before

    def _on_label(self, event: Any = None) -> None:
        """Follow napari's own selected label (its picker tool)."""
        layer = getattr(event, "source", None) or self.shown_layer
        if not self._writing and layer is not None and hasattr(layer, "selected_label"):
            self.select_particle(layer.selected_label, layer)

    def _on_mouse(self, viewer: Any, event: Any) -> Any:
        """Select the row of a particle that is clicked, not dragged, while nothing is drawn."""
        clicked = yield from clicked_at(viewer, event)
        if not clicked or not self.isVisible():
            return
        for layer, label in self.picture.particles_at(self.state, event.position):
            if self.select_particle(label, layer):
                return

    def _on_brush(self, brushed: NDArray[np.bool_], add: bool) -> None:
        """Choose what was brushed in the plot."""
        chosen = self.chosen.copy() if add else np.zeros(len(self.chosen), bool)
        chosen[self.drawn[brushed]] = True
        if self.filters.preset.currentText() == CHOSEN:
            self.chosen = chosen
            self._refilter()
        self.choose(chosen)

    # --- what counts -----------------------------------------------------------------------

    def count(self, wanted: bool | None) -> None:
        """Count the chosen particles, leave them out, or (None) leave them to the rules."""
        if not self.chosen.any():
            self.say("Choose particles first: rows of the table, or a part of the plot.")
            return
        self.state.count(np.flatnonzero(self.chosen), wanted)
        self._decided()

    def classify(self, positions: Any, name: str) -> None:
        """Give rows of the table a class; an empty name takes it away."""
        if len(positions):
            self.state.classify(np.asarray(positions, np.intp), name)
            self._decided()

    def undo(self) -> None:
        """Take the last decision by hand back."""
        if self.state.can_undo:
            text = self.state.undo()
            self._decided()
            self.say(f"Taken back: {text}.")

    def redo(self) -> None:
        """Make the decision again that was taken back last."""
        if self.state.can_redo:
            text = self.state.redo()
            self._decided()
            self.say(f"Done again: {text}.")

    def _ask_class(self) -> None:
        """Ask for a class and give it to the chosen particles."""
        if not self.chosen.any():
            self.say("Choose particles first: rows of the table, or a part of the plot.")
            return
        name, agreed = ask_class(self, int(self.chosen.sum()), self.state.classes())
        if agreed:
            self.classify(np.flatnonzero(self.chosen), name.strip())

    def _on_ticked(self, positions: Any, wanted: bool) -> None:
        """Take a tick; one on a chosen row counts for all chosen rows."""
        if self.chosen[positions].all() and self.chosen.any():
            positions = np.flatnonzero(self.chosen)
        self.state.count(positions, wanted)
        self._decided()

    def _on_threshold(self) -> None:
        """Judge by other thresholds, at once: only columns of the table are looked at."""
        self.state.judge(self.doubt.settings())
        self._decided()

    def _decided(self) -> None:
        """Show a decision at once, write it to the layers a moment later."""
        state = self.state
        decided = {BY_HAND, CLASS} & set(state.table.columns)
        if decided <= set(self.model.names):
            self.model.refresh(state.table)
        else:
            shown, chosen = self.model.shown, self.chosen
            self.model.set_table(state.table, pooled=len(state.layers) > 1)
            self.view.fit_columns()
            self.model.show_rows(shown)
            self.chosen = chosen
            self._offer()
            self._select_rows()
        if self.filters.preset.currentText() not in ("all particles", CHOSEN):
            self._plot_timer.start()
        if self.colours.chosen() in ("included", "doubtful", "doubt_reason", BY_HAND, CLASS):
            self._colour()
        self._timer.start()
        self._after_change()

    def _after_change(self) -> None:
        """Show what counts now: marks, numbers, plot, buttons."""
        self._mark()
        self.doubt.count(self.state.table)
        self._plot_timer.start()
        self._summarise()
        self.actions.offer(self.state)

    def _on_features(self, event: Any = None) -> None:
        """Load the table again after somebody measured."""
        if self._writing:
            return
        if not self.state.layers:
            self.show_layers([self.chooser.layer()])
            return
        keys = self.state.keys[self.chosen]
        self.state.reload(mixed=self.mixed)
        self._fill()
        self.choose(np.isin(self.state.keys, keys))

    def write(self) -> None:
        """Write what was decided to the features of the layers, once."""
        if len(self.state.table) > _SLOW_ROWS and features_table_open(self.viewer):
            self.say(
                "napari's own features table is open and would take seconds to fill; decisions "
                "are written when it is closed.",
                "warning",
            )
            self._timer.start(10 * _PAUSE_MS)
            return
        self._timer.setInterval(_PAUSE_MS)
        with self._own_change():
            self.state.write_back()

    # --- what is shown ---------------------------------------------------------------------

    def _refilter(self, *_: Any) -> None:
        """Show the rows that the filter wants."""
        if self.table is not None and len(self.table):
            self.model.show_rows(self.filters.rows(self.table, self.chosen))
            self._select_rows()
        self._plot_timer.start()
        self._summarise()

    def _mark(self, *_: Any) -> None:
        """Hatch doubtful particles in the picture, or take the hatching away."""
        self.picture.hatch(self.state, self.marks.isChecked())

    def _colour(self, *_: Any) -> None:
        """Colour the particles by the column that is wanted."""
        try:
            with self._own_change():  # napari tells of other colours as of another label
                self.colours.apply(self.state)
        except InvalidSettings as error:
            self.fail(error)

    def _draw(self) -> None:
        """Draw the plot of the particles that are shown and counted."""
        self._plot_timer.stop()
        table = self.state.table
        shown = self.model.shown & flag(table, "included", True)
        self.drawn = np.flatnonzero(shown if shown.any() else self.model.shown)
        x, y, group = (box.currentData() for box in (self.plot.x, self.plot.y, self.plot.group))
        style = Style(theme_colour("text"), theme_colour("background"))
        self.plot.draw(plot_values(table, self.drawn, x, y, group), style)
        self.plot.choose(self.chosen[self.drawn])

    def _summarise(self) -> None:
        """Write how many particles count, are shown and are chosen."""
        self.summary_line.setText(summary_text(self.table, self.model.shown, self.chosen))

    # --- out of the window -----------------------------------------------------------------

    def _on_pool(self, layers: list[Any]) -> None:
        """Show the images that were ticked."""
        if layers:
            self.show_layers(layers)

    def run(self) -> None:
        """Ask where to and export."""
        if self.table is None:
            self.say(self.wants)
            return
        path = ask_path(self, self.state)
        if path:
            self.export(path)

    def export(self, path: str | Path) -> Path:
        """Write all particles with all columns; the ending says the format.

        Parameters
        ----------
        path : path-like
            Ends in one of `table_export.FORMATS`.

        Returns
        -------
        Path
            The file.
        """
        images = [layer for layer in self.viewer.layers if is_kind(layer, "Image")]
        written = export_table(self.state, path, images)
        self.say(f"{len(self.table)} particles written to {written.name}.")
        return written

    def copy(self) -> None:
        """Copy the chosen rows, or all that are shown, with titles."""
        if self.table is None:
            self.say(self.wants)
            return
        order = self.model.order
        rows = order[self.chosen[order]] if self.chosen.any() else order
        QApplication.clipboard().setText(clipboard_text(self.table, rows))
        self.say(f"{len(rows)} rows copied.")

    def python(self) -> str:
        """Return the lines that get the table in the console."""
        return table_recipe(self.chooser.layer())

    def _on_theme(self, event: Any = None) -> None:
        """Draw in the colours of the new theme."""
        super()._on_theme(event)
        self.colours.refresh()
        self._plot_timer.start()

    def release(self) -> None:
        """Take the temporary layers away and let go of the mouse."""
        self._let_go()
        self._plot_timer.stop()
        self.follower.release()
        self.pool_button.release()
        if self._on_mouse in self.viewer.mouse_drag_callbacks:
            self.viewer.mouse_drag_callbacks.remove(self._on_mouse)
        self.state = TableState([])
        super().release()


def tables_of(viewer: Any) -> list[TableWidget]:
    """Return the particle tables that are open in a viewer's window."""
    found = []
    for top in QApplication.topLevelWidgets():
        found += [one for one in top.findChildren(TableWidget) if one.viewer is viewer]
    return found
