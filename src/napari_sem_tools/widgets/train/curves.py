"""Curves of a training: the loss and the scores of the judging images, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from napari_sem_tools.widgets.panel import theme_colour
from napari_sem_tools.widgets.plots.canvas import LateCanvas, style_axes

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
_ROUNDED = 1e-5  # of the numbers in the log
_LEGEND = 0.55  # how opaque


class CurvesView(LateCanvas):
    """Two plots above each other with a common axis of epochs."""

    waiting_text = "Loss and scores appear here after each epoch."
    tip = (
        "Above: mean loss of an epoch; the ring is the epoch that runs. Below: scores of "
        "the images that judge; the dotted line is the best epoch, which is kept."
    )
    inches = (3.6, 2.6)
    margins = (52, 10, 44, 8)
    gaps: ClassVar[dict[str, float]] = {"hspace": 0.09}
    late_ms = 800  # a drawing takes some 80 ms

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, float]] = []
        self.now: tuple[float, float] | None = None  # epoch and loss within an epoch
        self.epochs = 0
        self.best = 0

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

    # --- inside --------------------------------------------------------------------------

    def _draw(self) -> None:
        """Draw everything."""
        if not self.start_drawing(bool(self.rows) or self.now is not None):
            return
        upper, lower = self.figure.subplots(2, 1, sharex=True)
        self._draw_loss(upper)
        self._draw_scores(lower)
        last = max([self.epochs, 2, *(row["epoch"] for row in self.rows)])
        lower.set_xlim(0, last + 0.5)
        lower.set_xlabel("epoch")
        upper.tick_params(labelbottom=False)
        for axes in (upper, lower):
            style_axes(axes)
            axes.xaxis.get_major_locator().set_params(integer=True)
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


def score_words(scores: Mapping[str, float], most: int = 3) -> str:
    """Write the scores that say most.

    Examples
    --------
    >>> score_words({"ap75": 0.5, "pq": 0.712, "ap50": 0.8})
    'PQ 0.712, AP@0.5 0.800'
    """
    known = [f"{SCORES[name]} {scores[name]:.3f}" for name in SCORES if name in scores]
    return ", ".join(known[:most])
