"""Curves of a training: the loss and the scores of the judging images, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from napari_sem_tools.widgets.panel import theme_colour, wrapped_label
from napari_sem_tools.widgets.plots.margins import fit_margins

__all__ = ["SCORES", "CurvesView", "score_words"]

SCORES = {
    "pq": "PQ",
    "ap50": "AP@0.5",
    "aji": "AJI",
    "mean_iou": "mean IoU",
    "mean_dice": "Dice",
}
_COLOURS = ("#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#0072b2")  # Okabe and Ito
_LOSS = "#d55e00"
_HEIGHT = 210  # px, the least at which both curves can be read
_PAUSE_MS = 800  # between two drawings, which take some 80 ms
_MARGINS = 52, 10, 44, 8  # px left, right, below and above the axes
_GAP = 0.09
_ROUNDED = 1e-5  # of the numbers in the log
_LEGEND = 0.55  # how opaque
_WAITING = "Loss and scores appear here after each epoch."


class CurvesView(QWidget):
    """Two plots above each other with a common axis of epochs."""

    def __init__(self) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self.waiting = wrapped_label(_WAITING)
        column.addWidget(self.waiting)
        self.rows: list[dict[str, float]] = []
        self.now: tuple[float, float] | None = None  # epoch and loss within an epoch
        self.epochs = 0
        self.best = 0
        self.figure: Any = None  # made with the first curve: matplotlib takes a while to load
        self.canvas: Any = None
        self._stale = False
        self._late = QTimer(self)
        self._late.setSingleShot(True)
        self._late.setInterval(_PAUSE_MS)
        self._late.timeout.connect(self._draw)

    # --- for the widget ------------------------------------------------------------------

    def show_course(self, rows: Sequence[Mapping[str, float]], epochs: int) -> None:
        """Show the epochs that are done, of so many.

        Parameters
        ----------
        rows : sequence of dict
            As `read_log` gives them.
        epochs : int
        """
        self.rows = [dict(row) for row in rows]
        self.epochs, self.best, self.now = epochs, 0, None
        self.redraw()

    def begin(self, epochs: int, best: Mapping[str, float]) -> None:
        """Go on with an earlier course, whose best epoch had these scores."""
        self.epochs = epochs
        for row in self.rows if best else ():
            if all(math.isclose(row.get(k, 2), v, rel_tol=_ROUNDED) for k, v in best.items()):
                self.best = int(row["epoch"])
        self.redraw()

    def add_epoch(self, epoch: int, loss: float | None, scores: Mapping[str, float]) -> None:
        """Add an epoch; one that is done again takes the place of the former."""
        self.rows = [row for row in self.rows if row["epoch"] < epoch]
        self.rows.append({"epoch": epoch, **({} if loss is None else {"loss": loss}), **scores})
        self.now = None
        self.redraw()

    def show_now(self, epoch: float, loss: float) -> None:
        """Show the loss within an epoch."""
        self.now = (epoch, loss)
        self.redraw()

    def redraw(self) -> None:
        """Draw soon, and only while it is seen."""
        self._stale = True
        if self.isVisible() and not self._late.isActive():
            self._late.start()

    def release(self) -> None:
        """Draw no more."""
        self._late.stop()

    def showEvent(self, event: Any) -> None:  # noqa: N802  Qt's name
        """Draw what came meanwhile."""
        super().showEvent(event)
        if self._stale:
            self._late.start()

    # --- inside --------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw everything."""
        something = bool(self.rows) or self.now is not None
        self.waiting.setVisible(not something)
        if self.canvas is None and something:
            self._make_canvas()
        if self.canvas is None:
            return
        self._stale = False
        self.canvas.setVisible(something)
        self.figure.clear()
        self.figure.set_facecolor(theme_colour("background"))
        upper, lower = self.figure.subplots(2, 1, sharex=True)
        self._draw_loss(upper)
        self._draw_scores(lower)
        last = max([self.epochs, 2, *(row["epoch"] for row in self.rows)])
        lower.set_xlim(0, last + 0.5)
        lower.set_xlabel("epoch")
        upper.tick_params(labelbottom=False)
        for axes in (upper, lower):
            _restyle(axes)
        self._fit()
        self.canvas.draw_idle()

    def _draw_loss(self, axes: Any) -> None:
        """Draw the loss, and a ring where the epoch that runs stands."""
        epochs = [row["epoch"] for row in self.rows if "loss" in row]
        losses = [row["loss"] for row in self.rows if "loss" in row]
        axes.plot(epochs, losses, "-o", color=_LOSS, markersize=3, linewidth=1.5)
        if self.now is not None:
            axes.plot(*[[value] for value in self.now], "o", color=_LOSS, markerfacecolor="none")
        axes.set_ylabel("loss")

    def _draw_scores(self, axes: Any) -> None:
        """Draw the scores that say most, and where the best epoch was."""
        shown = [name for name in SCORES if any(name in row for row in self.rows)]
        for name, colour in zip(shown, _COLOURS, strict=False):
            points = [(row["epoch"], row[name]) for row in self.rows if name in row]
            axes.plot(
                *zip(*points, strict=True),
                "-o",
                color=colour,
                markersize=3,
                linewidth=1.5,
                label=SCORES[name],
            )
        if self.best:
            axes.axvline(self.best, color=theme_colour("text"), linewidth=0.8, linestyle=":")
        axes.set_ylim(0, 1)
        axes.set_ylabel("score")
        if shown:
            axes.legend(
                loc="lower right",
                fontsize=8,
                ncols=len(shown),
                framealpha=_LEGEND,
                facecolor=theme_colour("background"),
                labelcolor=theme_colour("text"),
                edgecolor="none",
                handlelength=1.2,
                columnspacing=1.0,
            )

    def _make_canvas(self) -> None:
        """Make the figure."""
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(3.6, 2.6))
        self.canvas = FigureCanvasQTAgg(self.figure)
        self.canvas.setMinimumHeight(_HEIGHT)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        self.canvas.setToolTip(
            "Above: mean loss of an epoch; the ring is the epoch that runs. Below: scores of "
            "the images that judge; the dotted line is the best epoch, which is kept."
        )
        self.canvas.mpl_connect("resize_event", self._fit)
        self.layout().addWidget(self.canvas, 1)

    def _fit(self, event: Any = None) -> None:
        """Leave room for the labels."""
        fit_margins(self.canvas, _MARGINS, hspace=_GAP)


def score_words(scores: Mapping[str, float], most: int = 3) -> str:
    """Write the scores that say most.

    Examples
    --------
    >>> score_words({"ap75": 0.5, "pq": 0.712, "ap50": 0.8})
    'PQ 0.712, AP@0.5 0.800'
    """
    known = [f"{SCORES[name]} {scores[name]:.3f}" for name in SCORES if name in scores]
    return ", ".join(known[:most])


def _restyle(axes: Any) -> None:
    """Take the colours of the theme."""
    text = theme_colour("text")
    axes.set_facecolor(theme_colour("background"))
    axes.tick_params(colors=text, labelsize=8)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(text)
        label.set_fontsize(9)
    axes.grid(visible=True, alpha=0.15)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(text)
    axes.xaxis.get_major_locator().set_params(integer=True)
