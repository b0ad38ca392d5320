"""The pictures of Classify and Catalogue; `make_widget_pictures.py` calls `draw`.

Simulated images of three kinds (spheres, rods, agglomerates) stand for a collection.  The variable
SEM_THEME chooses ``light`` instead of ``dark``, SEM_PLACE a folder that keeps the simulated images.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PLUGIN = "napari-sem-tools"
KINDS: dict[str, dict[str, Any]] = {
    "spheres": {"shape": "spheres", "particles": 45, "diameter_nm": 40.0},
    "rods": {"shape": "rods", "particles": 60, "diameter_nm": 50.0},
    "agglomerates": {"shape": "spheres", "particles": 120, "diameter_nm": 30.0,
                     "agglomeration": 0.8},
}  # fmt: skip
TAUGHT, NEW, SHELVED = 6, 4, 12
SIZE = {"width_px": 384, "height_px": 288}


def draw(folder: Path, *, pump: Callable[..., None], draw_widget: Callable[..., None]) -> None:
    """Draw every page of both widgets.

    Parameters
    ----------
    folder : Path
        Where the pictures go.
    pump, draw_widget : callable
        Of `make_widget_pictures`.
    """
    import napari

    place = Path(os.environ.get("SEM_PLACE") or tempfile.mkdtemp())
    keep_out_of_sight(place)
    if not (place / "new").exists():
        write_kinds(place)
    theme = os.environ.get("SEM_THEME", "dark")
    viewer = napari.Viewer(show=True)
    viewer.theme = theme
    napari.settings.get_settings().appearance.theme = theme
    viewer.window.resize(1440, 900)
    opened = {
        name: viewer.window.add_plugin_dock_widget(PLUGIN, title)
        for name, title in (("classify", "Classify"), ("catalogue", "Catalogue"))
    }
    draw_classify(opened, place, folder, pump=pump, draw_widget=draw_widget)
    draw_catalogue(opened, place, folder, pump=pump, draw_widget=draw_widget)
    viewer.close()


def keep_out_of_sight(place: Path) -> None:
    """Neither show nor change what belongs to whoever draws this."""
    from napari_sem_tools.widgets.catalogue import shelf
    from napari_sem_tools.widgets.classify import choice, judges, teach

    for module in (judges, teach):
        module.categories_folder = lambda: place / "kept"
    choice.saved_judges = lambda: []
    choice.registered = lambda: []
    shelf.last_catalogue_file = lambda: place / "last.txt"


def write_kinds(place: Path) -> None:
    """Write simulated images: examples, new ones, and a collection with a torn file."""
    import napari_sem_tools as sem
    from napari_sem_tools.tiff import write_tiff

    seed = 0
    for name, changes in KINDS.items():
        settings = sem.SimulationSettings(**SIZE, **changes)
        for part, count in (("examples", TAUGHT), ("new", NEW), ("session", SHELVED)):
            for number in range(count):
                made = sem.simulate(settings, seed)
                inside = Path(name) if part == "examples" else Path()
                path = place / part / inside / f"{name}_{number + 1:02}.tif"
                write_tiff(path, made.image.pixels, calibration=made.image.calibration)
                seed += 1
    noise = np.random.default_rng(0).integers(0, 255, (288, 384), dtype=np.uint8)
    write_tiff(place / "new" / "noise.tif", noise)
    for part in ("new", "session"):
        (place / part / "torn.tif").write_bytes(b"II*\0 torn")


def draw_classify(
    opened: dict[str, Any],
    place: Path,
    folder: Path,
    *,
    pump: Callable[..., None],
    draw_widget: Callable[..., None],
) -> None:
    """Teach from folders, look at one image, classify a folder."""
    dock, classify = opened["classify"]
    dock.raise_()
    classify.tabs.setCurrentWidget(classify.teach)
    classify.teach.embedding.setCurrentText("texture")  # the same picture with and without PyTorch
    classify.teach.take_paths([place / "examples"])
    pump(until=lambda: not classify.work.running, limit=300)
    classify.run_button.click()
    pump(until=lambda: not classify.work.running, limit=300)
    classify.teach._tops()[1].setExpanded(True)
    draw_widget(opened, "classify", folder, "-teach")
    classify.files.take_paths([place / "new"])
    pump(until=lambda: not classify.work.running, limit=300)
    box = classify.files.box
    box.view.choose_row(1)
    box.correct("agglomerates")
    draw_widget(opened, "classify", folder, "-files")
    box.rank.setCurrentIndex(box.rank.findData("rods"))
    box.gallery.setChecked(True)
    draw_widget(opened, "classify", folder, "-gallery")
    classify.tabs.setCurrentWidget(classify.image)
    classify.open_file(place / "new" / "rods_01.tif")
    pump(until=lambda: classify.image.answer is not None, limit=300)
    classify.viewer.reset_view()
    draw_widget(opened, "classify", folder)


def draw_catalogue(
    opened: dict[str, Any],
    place: Path,
    folder: Path,
    *,
    pump: Callable[..., None],
    draw_widget: Callable[..., None],
) -> None:
    """Add a folder, find by likeness, look at the map."""
    dock, catalogue = opened["catalogue"]
    dock.raise_()
    catalogue.adding.embedding.setCurrentText("alike by texture")
    catalogue.line.choose(place / "lab.index")
    catalogue.adding.add([place / "session"])
    pump(until=lambda: not (catalogue.work.running or catalogue.adding.work.running), limit=600)
    catalogue.line.edit.setText("lab.index")  # not the temporary folder of whoever draws this
    draw_widget(opened, "catalogue", folder, "-add")
    page = catalogue.find
    catalogue.tabs.setCurrentWidget(page)
    pump(until=lambda: not catalogue.work.running, limit=300)
    page.naming.line.take_taught(opened["classify"][1].judge.load())
    page.naming.do("go")
    pump(2.0, until=lambda: not catalogue.work.running, limit=300)
    page.what.setCurrentIndex(page.what.findData("view"))
    catalogue.run_button.click()
    pump(2.0, until=lambda: not catalogue.work.running, limit=300)
    draw_widget(opened, "catalogue", folder)
    page.filters.setChecked(True)
    page.gallery.setChecked(True)
    pump(2.0)
    draw_widget(opened, "catalogue", folder, "-filters")
    catalogue.tabs.setCurrentWidget(catalogue.map)
    catalogue.run_button.click()
    pump(2.0, until=lambda: not catalogue.work.running, limit=300)
    points = catalogue.map.points
    points.at = points.table.index[5]
    points.ring(points.at)
    points.rested.emit(points.at)
    pump(1.0)
    draw_widget(opened, "catalogue", folder, "-map")
