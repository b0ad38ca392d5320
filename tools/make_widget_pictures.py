"""Draw the pictures of the window and the widgets for README and docs.

    xvfb-run -a -s "-screen 0 1600x1000x24" python tools/make_widget_pictures.py [FILE] [FOLDER]
    xvfb-run -a -s "-screen 0 1600x1000x24" python tools/make_widget_pictures.py focus [FOLDER]

Without FILE a simulated image is shown, and the pictures go to ``docs/images``.  The second
line draws those of the Focus widget alone; ``classify`` those of Classify and Catalogue.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PLUGIN = "napari-sem-tools"
TOY = {  # a training that shows curves within a minute
    "start": "none",
    "arguments": '{"widths": [16, 32, 48]}',
    "epochs": 12,
    "steps_per_epoch": 10,
    "crop_px": 96,
    "learning_rate": 1e-2,
    "average": 0.9,
    "augmentation": "flips",
    "threads": 1,
}
EPOCHS_SHOWN = 8
MOST_BLUR_PX = 4.0  # at both sides of the slanting specimen
HERE = Path(__file__).resolve().parents[1] / "docs" / "images"
TITLES = {
    "calibrate": "Calibrate",
    "segment": "Segment particles",
    "measure": "Measure",
    "table": "Particle table",
    "models": "Models",
    "train": "Train",
}


def main(source: str | None = None, folder: Path = HERE) -> None:
    """Do the main job in a window and draw it on the way."""
    os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
    import napari

    folder.mkdir(parents=True, exist_ok=True)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1440, 900)
    if source is None:
        viewer.open_sample(PLUGIN, "data_bar")
    else:
        viewer.open(source, plugin=PLUGIN)
    opened = {
        name: viewer.window.add_plugin_dock_widget(PLUGIN, title) for name, title in TITLES.items()
    }
    pump()
    viewer.reset_view()
    draw_widget(opened, "calibrate", folder)
    segment = opened["segment"][1]
    segment.method.setCurrentText("threshold")  # the one with a live preview
    segment.live.setChecked(True)
    pump(until=lambda: segment.preview_layer is not None)
    draw_widget(opened, "segment", folder)
    segment.run_button.click()
    pump(until=lambda: not segment.work.running)
    measure = opened["measure"][1]
    draw_widget(opened, "measure", folder)
    measure.run_button.click()
    pump(until=lambda: not measure.work.running)
    draw_table(opened, folder)
    viewer.reset_view()
    models = opened["models"][1]
    pump(until=lambda: not (models.listing.running or models.device_work.running))
    draw_widget(opened, "models", folder)
    draw_training(opened, folder)
    opened["table"][0].raise_()
    pump()
    viewer.screenshot(str(folder / "window.png"), canvas_only=False, flash=False)
    shrink(folder / "window.png")
    viewer.close()
    draw_focus(folder)
    draw_classify(folder)


def draw_table(opened: dict[str, Any], folder: Path) -> None:
    """Draw the table with a part of its plot brushed, then its other two tabs."""
    import numpy as np

    table = opened["table"][1]
    opened["table"][0].raise_()
    pump(until=lambda: table.plot.ready)
    table.plot.brush(*np.quantile(table.state.table["ecd_nm"], [0.4, 0.6]), 0, 0)
    draw_widget(opened, "table", folder)
    table.marks.setChecked(True)
    table.tabs.setCurrentIndex(1)
    draw_widget(opened, "table", folder, "-doubt")
    table.tabs.setCurrentIndex(2)
    table.colours.quantity.setCurrentIndex(table.colours.quantity.findData("aspect_ratio"))
    draw_widget(opened, "table", folder, "-colours")
    table.colours.quantity.setCurrentIndex(0)
    table.tabs.setCurrentIndex(0)


def draw_focus(folder: Path) -> None:
    """Draw the pages of Focus: a slice of the through-focus sample, its series, its files."""
    import napari
    from qtpy.QtCore import Qt

    from napari_sem_tools.focus.files import taught
    from napari_sem_tools.layers import from_layer

    place = Path(tempfile.mkdtemp())
    taught.taught_file = lambda: place / "focus-taught.json"  # not that of whoever draws this
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1440, 900)
    layer = viewer.open_sample(PLUGIN, "through_focus")[0]
    write_session(from_layer(layer), place / "session")
    opened = {"focus": viewer.window.add_plugin_dock_widget(PLUGIN, "Focus")}
    focus = opened["focus"][1]
    viewer.dims.set_current_step(0, 2)
    focus.score.measures.choose(["LoG2/var", "SIGM", "SNRP"])
    pump(until=lambda: focus.score.answer is not None and not focus.score.work.running)
    draw_widget(opened, "focus", folder)
    focus.tabs.setCurrentWidget(focus.series)
    focus.series.kind.setCurrentText("typed")
    focus.series.first.setValue(-2)
    focus.series.step.setValue(0.5)
    focus.series.measures.choose(["LAPV"])
    focus.run_button.click()
    pump(until=lambda: not focus.work.running)
    draw_widget(opened, "focus", folder, "-series")
    focus.tabs.setCurrentWidget(focus.folder)
    focus.folder.line.choose(place / "session")
    pump(until=lambda: not focus.work.running)
    focus.folder.box.reject_below()
    focus.folder.box.view.sortByColumn(2, Qt.SortOrder.DescendingOrder)
    focus.folder.box.view.selectRow(0)
    focus.folder.box.do("keep")
    focus.folder.line.edit.setText("session")  # not the temporary folder of whoever draws this
    draw_widget(opened, "focus", folder, "-folder")
    draw_watch(opened, place, folder)
    viewer.close()
    draw_map(folder)


def write_session(stack: Any, folder: Path) -> None:
    """Write each slice of a stack into a file, and one that is torn."""
    from napari_sem_tools.tiff import write_tiff

    for number in range(stack.n_pages):
        path = folder / f"frame_{number + 1}.tif"
        write_tiff(path, stack.plane(number).pixels, calibration=stack.calibration)
    (folder / "torn.tif").write_bytes(path.read_bytes()[:2000])


def draw_map(folder: Path) -> None:
    """Draw a window with the focus map of a specimen that lies aslant."""
    import napari
    import numpy as np
    from scipy.ndimage import gaussian_filter

    from napari_sem_tools.layers import image_arguments
    from napari_sem_tools.simulation.sample import make_sample

    image = make_sample("particles").image
    scene = image.pixels.astype(float)
    steps = np.linspace(0, MOST_BLUR_PX, 9)
    blurred = np.stack([gaussian_filter(scene, step) for step in steps])
    height = np.abs(np.linspace(-1, 1, scene.shape[1])) * (len(steps) - 1)
    below = np.minimum(height.astype(int), len(steps) - 2)
    rows, columns = np.ogrid[: scene.shape[0], : scene.shape[1]]
    share = height - below
    aslant = (1 - share) * blurred[below, rows, columns] + share * blurred[below + 1, rows, columns]
    aslant += np.random.default_rng(0).normal(0, 3, aslant.shape)
    record = image.replace(pixels=aslant.clip(0, 255).astype(np.uint8))
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1440, 900)
    viewer.add_image(record.pixels, **image_arguments(record, "aslant"))
    focus = viewer.window.add_plugin_dock_widget(PLUGIN, "Focus")[1]
    pump(until=lambda: focus.score.answer is not None)
    focus.run_button.click()
    pump(until=lambda: not focus.work.running)
    viewer.screenshot(str(folder / "focus-map.png"), canvas_only=False, flash=False)
    shrink(folder / "focus-map.png")
    viewer.close()


def draw_watch(opened: dict[str, Any], place: Path, folder: Path) -> None:
    """Draw the watched folder after some files came."""
    focus = opened["focus"][1]
    focus.tabs.setCurrentWidget(focus.watching)
    (place / "session" / "torn.tif").unlink()
    focus.watching.line.choose(place / "session")
    focus.run_button.click()
    pump(until=lambda: len(focus.watching.box.files.rows) >= 9)
    focus.watching.line.edit.setText("session")
    draw_widget(opened, "focus", folder, "-watch")
    focus.run_button.click()


def draw_widget(opened: dict[str, Any], name: str, folder: Path, part: str = "") -> None:
    """Draw one dock widget by itself."""
    dock, widget = opened[name]
    dock.raise_()
    pump()
    path = folder / f"widget-{name}{part}.png"
    widget.grab().save(str(path))
    shrink(path)


def draw_training(opened: dict[str, Any], folder: Path) -> None:
    """Draw a training under way, on simulated images and into a registry of its own."""
    import napari_sem_tools as sem
    from napari_sem_tools.models import models
    from napari_sem_tools.models.locations import Place
    from napari_sem_tools.models.store import Store
    from napari_sem_tools.tiff import write_tiff

    place = Path(tempfile.mkdtemp())
    models.__dict__["_store"] = Store([Place(place / "models", "user")])
    scene = sem.SimulationSettings(width_px=256, height_px=192, particles=20, diameter_nm=50)
    for seed in range(3):
        made = sem.simulate(scene, seed)
        write_tiff(place / "my-oxide" / "images" / f"field_{seed}.tif", made.image.pixels)
        write_tiff(place / "my-oxide" / "masks" / f"field_{seed}.tif", made.labels)
    dock, train = opened["train"]
    dock.raise_()
    train.choices.show_settings(train.choices.settings().replace(**TOY))
    train.set.choose(place / "my-oxide")
    pump(until=lambda: not train.set.checking)
    train.run_button.click()
    pump(until=lambda: len(train.course.curves.rows) >= EPOCHS_SHOWN, limit=600)
    train.set.edit.setText("my-oxide")  # not the temporary folder of whoever draws this
    draw_widget(opened, "train", folder)
    train.run_button.click()
    pump(until=lambda: not train.work.running)


def pump(
    seconds: float = 1.0, *, until: Callable[[], bool] = lambda: True, limit: float = 60
) -> None:
    """Let the window work until a condition holds, and a moment longer."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + limit
    while not until() and time.monotonic() < end:
        QApplication.processEvents()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()


def shrink(path: Path) -> None:
    """Keep 256 colours: a third of the bytes, and nobody sees it."""
    from PIL import Image

    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)


def draw_classify(folder: Path) -> None:
    """Draw the pages of Classify and Catalogue over simulated images of three kinds."""
    import classify_pictures

    classify_pictures.draw(folder, pump=pump, draw_widget=draw_widget)


PARTS = {"focus": draw_focus, "classify": draw_classify}

if __name__ == "__main__":
    given = sys.argv[1:]
    place = Path(given[1]) if len(given) > 1 else HERE
    if given and given[0] in PARTS:
        os.environ["NAPARI_CONFIG"] = str(Path(tempfile.mkdtemp()) / "settings.yaml")
        place.mkdir(parents=True, exist_ok=True)
        PARTS[given[0]](place)
    else:
        main(given[0] if given else None, place)
