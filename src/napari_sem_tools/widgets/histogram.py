"""The histogram beside the particle table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

__all__ = ["HistogramPanel"]

_HEIGHT = 130  # px, the least that shows bars and their lines
_LEAST, _MOST = 8, 40  # bars
_MEAN, _MEDIAN = "#d1495b", "#00798c"  # as apart in grey as in colour, and of other dashes


class HistogramPanel(QWidget):
    """Histogram of one column over the counted particles, with mean, median and SD."""

    def __init__(self) -> None:
        super().__init__()
        from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
        from matplotlib.figure import Figure

        self.figure = Figure(figsize=(3.6, 1.9), layout="constrained")
        self.canvas: Any = FigureCanvasQTAgg(self.figure)
        self.canvas.setMinimumHeight(_HEIGHT)
        self.canvas.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Expanding)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.canvas)

    def draw(self, values: NDArray[Any], title: str, *, text: str, background: str) -> None:
        """Draw the histogram of some values.

        Parameters
        ----------
        values : float array (n,)
            Of the counted particles; what is missing is left out.
        title : str
            With the unit.
        text, background : str
            Colours of the theme.
        """
        self.figure.clear()
        self.figure.set_facecolor(background)
        axes = self.figure.add_subplot()
        axes.set_facecolor(background)
        values = np.asarray(values, float)
        values = values[np.isfinite(values)]
        if values.size:
            self._bars(axes, values, text)
        else:
            axes.text(0.5, 0.5, "no particle to count", ha="center", color=text)
            axes.set_yticks([])
        axes.set_xlabel(title, color=text, fontsize=9)
        axes.tick_params(colors=text, labelsize=8)
        for name, spine in axes.spines.items():
            spine.set_color(text)
            spine.set_visible(name in ("left", "bottom"))
        self.canvas.draw_idle()

    def _bars(self, axes: Any, values: NDArray[np.float64], text: str) -> None:
        """Draw bars and the lines of mean, median and mean ± SD."""
        count = len(np.histogram_bin_edges(values, "fd")) - 1 if values.size > 1 else 1
        edges = np.histogram_bin_edges(values, int(np.clip(count, _LEAST, _MOST)))
        axes.hist(values, bins=edges, color="#8d99ae", edgecolor="none")
        mean, median = float(values.mean()), float(np.median(values))
        axes.axvline(mean, color=_MEAN, lw=1.6, label=f"mean {mean:.4g}")
        axes.axvline(median, color=_MEDIAN, lw=1.6, ls="--", label=f"median {median:.4g}")
        if values.size > 1:
            spread = float(values.std(ddof=1))
            axes.axvspan(mean - spread, mean + spread, color=_MEAN, alpha=0.15, lw=0,
                         label=f"SD {spread:.3g}")  # fmt: skip
        low, high = edges[0], edges[-1]
        margin = 0.03 * (high - low)
        axes.set_xlim(low - margin, high + margin)
        axes.set_ylabel("particles", color=text, fontsize=9)
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.legend(
            fontsize=8, frameon=False, labelcolor=text, title=f"n = {values.size}", loc="best"
        ).get_title().set(color=text, fontsize=8)
