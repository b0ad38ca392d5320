"""The particle table at 10,000 and 20,000 particles, beside napari's own features table.

    OMP_NUM_THREADS=1 xvfb-run -a -s "-screen 0 1600x1000x24" python benchmarks/table.py

Prints processor milliseconds of the window's process (median of seven, redrawing of the canvas
apart) with the limits of the measurement issue; 1 is returned when one is missed.  With
``--skip-napari`` napari's own table, which takes a minute, is left out.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

SIDE = 4096
RUNS = 7
PLUGIN = "napari-sem-tools"
LIMITS_MS = {
    "open": 500.0,
    "sort": 100.0,
    "select": 50.0,
    "hover": 5.0,
    "threshold": 100.0,
}


def scene(count: int) -> tuple[Any, Any]:
    """Make an image of ellipses on a grid with noise, and their labels."""
    from napari_sem_tools.micrograph import Calibration, Micrograph

    rng = np.random.default_rng(0)
    cells = int(np.ceil(np.sqrt(count)))
    step = SIDE // cells
    y, x = np.mgrid[:step, :step] - step / 2
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for number in range(count):
        row, column = divmod(number, cells)
        a, b = rng.uniform(0.2, 0.46, 2) * step
        part = labels[row * step : (row + 1) * step, column * step : (column + 1) * step]
        part[(y / a) ** 2 + (x / b) ** 2 <= 1] = number + 1
    pixels = np.where(labels, 150, 60) + rng.integers(-20, 20, labels.shape)
    return Micrograph(pixels.astype(np.uint8), Calibration((2.0, 2.0), "typed", "2 nm")), labels


def cpu(step: Callable[[], object], runs: int = RUNS, between: Callable[[], object] = int) -> float:
    """Return the median of the processor milliseconds of a call; `between` is not counted."""
    times = []
    for _ in range(runs):
        between()
        start = time.process_time()
        step()
        times.append(1e3 * (time.process_time() - start))
    return statistics.median(times)


class Bench:
    """A window with measured particles and their table."""

    def __init__(self, count: int) -> None:
        import napari

        from napari_sem_tools.layers import attach_table, image_arguments
        from napari_sem_tools.measurement import measure

        self.image, self.labels = scene(count)
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1440, 900)
        self.viewer.add_image(self.image.pixels, **image_arguments(self.image, "made"))
        self.layer = self.viewer.add_labels(
            self.labels, name="made particles", scale=(2, 2), units="nm"
        )
        attach_table(self.layer, measure(self.labels, self.image))
        self.count, self.misses = count, 0
        self.rng = np.random.default_rng(2)
        self.features = self.layer.features.set_index("index")
        self.pump()

    def pump(self, times: int = 5) -> None:
        """Let the window draw."""
        from qtpy.QtWidgets import QApplication

        for _ in range(times):
            QApplication.processEvents()

    def line(self, what: str, ms: float, kind: str = "") -> None:
        """Print a figure and whether it is below its limit."""
        limit = LIMITS_MS.get(kind)
        note = "" if limit is None else f"   limit {limit:g}{'' if ms < limit else '  MISSED'}"
        self.misses += limit is not None and ms >= limit
        print(f"  {what:<58}{ms:9.1f} ms{note}", flush=True)

    def open(self) -> Any:
        """Open the table in the window: to the first rows on the screen, then with its plot."""
        start = time.process_time()
        _, widget = self.viewer.window.add_plugin_dock_widget(PLUGIN, "Particle table")
        widget.view.viewport().repaint()
        self.line("open from the menu, rows drawn", 1e3 * (time.process_time() - start), "open")
        while not widget.plot.ready:
            self.pump(1)
        self.line("the same with window and plot drawn", 1e3 * (time.process_time() - start))
        self.widget = widget

        def again() -> None:
            """Load the table into the widget anew and draw its rows."""
            widget.show_layers([self.layer])
            widget.view.viewport().repaint()

        self.line("another layer's table into the open widget", cpu(again), "open")
        self.pump()
        return widget

    def sort(self) -> float:
        """Sort by numbers and by text; the slower one is held."""
        from qtpy.QtCore import Qt

        view, names = self.widget.view, self.widget.model.names
        orders = [Qt.SortOrder.AscendingOrder, Qt.SortOrder.DescendingOrder]
        worst = 0.0
        for name in ("ecd_nm", "circularity", "doubt_reason"):
            column = names.index(name)

            def step(column: int = column) -> None:
                orders.reverse()
                view.sortByColumn(column, orders[0])
                view.viewport().repaint()

            ms = cpu(step)
            worst = max(worst, ms)
            self.line(f"sort by {name}, rows drawn", ms, "sort")
        return worst

    def act(self) -> None:
        """Do what a user does with rows, particles and sliders."""
        widget, model = self.widget, self.widget.model
        rng = np.random.default_rng(1)
        rows = iter(rng.permutation(self.count).tolist())
        select = cpu(lambda: widget.view.selectRow(next(rows)), between=self.pump)
        self.line("select a row: outlined and centred", select, "select")
        click = cpu(lambda: widget.select_particle(next(rows) + 1), between=self.pump)
        self.line("click a particle: its row", click, "select")
        hover = cpu(self.hover, runs=50)
        self.line("hover: text in the status bar", hover, "hover")
        widget.marks.setChecked(True)
        slider = widget.doubt.sliders["min_ecd_px"]
        places = iter(range(40, 140, 7))
        moved = cpu(lambda: slider.setValue(next(places)), between=self.pump)
        self.line("threshold moved: judged, overlay and numbers changed", moved, "threshold")
        widget.marks.setChecked(False)
        slider.setValue(0)
        widget.plot.x.setCurrentIndex(widget.plot.x.findData("ecd_nm"))
        self.pump(20)
        ends = np.quantile(model.column("ecd_nm")[widget.drawn], [0.25, 0.75])
        brushed = cpu(lambda: widget.plot.brush(ends[0], ends[1], 0, 0), between=self.pump)
        self.line(f"brush {int(widget.chosen.sum())} particles in the plot", brushed)
        texts = iter(f"ecd_nm > {place} and circularity < 2" for place in range(20, 40))

        def where() -> None:
            widget.filters.expression.setText(next(texts))
            widget.filters._at_once()

        self.line("filter by an expression", cpu(where, between=self.pump))
        widget.filters.expression.clear()
        quantity = widget.colours.quantity
        columns = iter([quantity.findData(n) for n in ("ecd_nm", "solidity", "extent")] * 3)
        coloured = cpu(lambda: quantity.setCurrentIndex(next(columns)), between=self.pump)
        self.line("colour by a column", coloured)
        quantity.setCurrentIndex(0)
        self.line("copy all rows", cpu(widget.copy, runs=1))

    def hover(self) -> None:
        """Ask for what the status bar says at a particle, and check that it is its row."""
        label = int(self.rng.integers(1, self.count))
        row = self.features.loc[label]
        place = (2 * row["centroid_y_px"], 2 * row["centroid_x_px"])
        status = self.layer.get_status(
            place, view_direction=None, dims_displayed=[0, 1], world=True
        )
        text = str(status["coordinates"])
        if f"label: {label}, " not in text or f"area_px: {row['area_px']:.3g}," not in text:
            raise RuntimeError(f"hover shows another row at particle {label}: {text}")

    def napari_sort(self) -> float:
        """Sort by a number in napari's own features table."""
        _, table = self.viewer.window.add_plugin_dock_widget("napari", "Features table widget")
        self.viewer.layers.selection.active = self.layer
        self.pump()
        from qtpy.QtCore import Qt
        from qtpy.QtWidgets import QTableView

        view = table.findChild(QTableView)
        names = list(self.layer.features.columns)
        column = names.index("ecd_nm") + 1
        start = time.process_time()
        view.sortByColumn(column, Qt.SortOrder.DescendingOrder)
        view.viewport().repaint()
        ms = 1e3 * (time.process_time() - start)
        self.viewer.window.remove_dock_widget(table)
        self.pump()
        return ms

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()


def main() -> int:
    """Print every figure; 1 when a limit is missed."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--skip-napari", action="store_true", help="leave out napari's own table")
    arguments = parser.parse_args()
    os.environ["NAPARI_CONFIG"] = os.path.join(tempfile.mkdtemp(), "settings.yaml")
    misses = 0
    for count in (10_000, 20_000):
        bench = Bench(count)
        columns = bench.layer.features.shape[1]
        print(f"{count} particles in {SIDE} x {SIDE}, {columns} columns")
        bench.open()
        ours = bench.sort()
        bench.act()
        if not arguments.skip_napari:
            theirs = bench.napari_sort()
            bench.line("sort in napari's own features table", theirs)
            print(f"  ours sorts {theirs / ours:.0f} x as fast")
        misses += bench.misses
        bench.close()
    return int(misses > 0)


if __name__ == "__main__":
    sys.exit(main())
