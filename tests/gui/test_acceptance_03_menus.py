"""Checks 3 and 4: the manifest holds, every entry stands in its menu, every widget opens."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from typing import Any

import npe2
import numpy as np
import pytest
from qtpy.QtWidgets import QApplication, QMenu

PLUGIN = "napari-sem-tools"
TITLES = ("Calibrate", "Segment particles", "Measure", "Particle table")
MENUS = {
    "napari/layers/metadata": ("Calibrate",),
    "napari/layers/segment": ("Segment particles",),
    "napari/layers/measure": ("Measure", "Particle table", "Focus"),
    "napari/file/acquire": ("Focus: watch a folder",),
    "napari/layers/classify": ("Classify", "Catalogue"),
    "napari/layers/filter": ("Strip and letters as mask",),
    "napari/layers/data": ("Models", "Train", "Save image and labels as training sample"),
    "napari/file/new_layer": ("Measuring region", "Region to leave out"),
}


@pytest.fixture
def manifest() -> Any:
    return npe2.PluginManager.instance().get_manifest(PLUGIN)


def test_every_command_imports_and_every_menu_is_one_that_napari_shows(manifest: Any) -> None:
    from napari._app_model.constants import MenuId

    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(importlib.import_module(module), name))
    allowed = {str(menu.value) for menu in MenuId.contributables()}
    assert set(MENUS) <= set(manifest.contributions.menus)
    # older than napari 0.9: no such menu; Calibrate then is in the Plugins menu alone
    assert set(manifest.contributions.menus) - allowed <= {"napari/layers/metadata"}
    if "napari/view/canvas_axes" in {str(menu.value) for menu in MenuId}:
        assert set(manifest.contributions.menus) <= allowed
    print(f"{len(manifest.contributions.commands)} commands, {len(MENUS)} menus")


def titles_of(menu: QMenu) -> set[str]:
    """Every title in a menu and its submenus, as built."""
    found = set()
    menu.aboutToShow.emit()
    for action in menu.actions():
        found.add(action.text().replace("&", ""))
        if action.menu() is not None:
            found |= titles_of(action.menu())
    return found


def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.perf_counter() + seconds
    while not condition() and time.perf_counter() < end:
        QApplication.processEvents()
    assert condition()


def test_the_window(make_napari_viewer_proxy: Any, discs: Any) -> None:
    """One viewer for all that needs a real one; the first takes seconds to make."""
    had_torch = "torch" in sys.modules  # of another test in this process
    viewer = make_napari_viewer_proxy().__wrapped__
    window = viewer.window
    built = set()
    for menu in (window.file_menu, window.layers_menu, window.plugins_menu):
        built |= titles_of(menu)
    for titles in MENUS.values():
        for title in titles:
            assert any(text.startswith(title) for text in built), title
    for text in ("Simulated particles", "Simulated agglomerates", "Simulated through-focus stack"):
        assert text in built

    open_and_close(viewer)
    survive_the_wrong_and_the_removed(viewer, discs)
    main_job(viewer, discs)
    assert had_torch or "torch" not in sys.modules, "opening the widgets imported torch"


def open_and_close(viewer: Any) -> None:
    """Open each widget without a layer, quickly, twice."""
    for title in ("Models", "Models", "Train", "Train"):
        dock, _ = viewer.window.add_plugin_dock_widget(PLUGIN, title)
        QApplication.processEvents()
        viewer.window.remove_dock_widget(dock)
    for title in TITLES:
        started = time.perf_counter()
        dock, widget = viewer.window.add_plugin_dock_widget(PLUGIN, title)
        QApplication.processEvents()
        seconds = time.perf_counter() - started
        print(f"{title}: {seconds:.2f} s")
        assert "Select" in widget.calibration_line.text()
        widget.run_button.click()
        widget.copy_button.click()
        viewer.window.remove_dock_widget(dock)
        QApplication.processEvents()
        again, _ = viewer.window.add_plugin_dock_widget(PLUGIN, title)
        QApplication.processEvents()
        viewer.window.remove_dock_widget(again)


def survive_the_wrong_and_the_removed(viewer: Any, discs: Any) -> None:
    """A layer of the wrong kind is said so; a layer may go while a widget is open."""
    from napari_sem_tools.layers import image_arguments

    points = viewer.add_points(np.zeros((1, 2)))
    widgets = [viewer.window.add_plugin_dock_widget(PLUGIN, title)[1] for title in TITLES]
    assert all(widget.chooser.layer() is None for widget in widgets)
    viewer.layers.remove(points)
    image = viewer.add_image(discs.pixels, **image_arguments(discs))
    QApplication.processEvents()
    assert widgets[0].chooser.layer() is image
    widgets[1].live.setChecked(True)
    wait(lambda: widgets[1].preview_layer is not None)
    viewer.layers.remove(image)
    QApplication.processEvents()
    wait(lambda: not widgets[1].preview_work.running)
    assert all(widget.chooser.layer() is None for widget in widgets[:2])
    assert not [layer for layer in viewer.layers if "preview" in layer.name]
    for widget in widgets:
        widget.run_button.click()


def main_job(viewer: Any, discs: Any) -> None:
    """Find, measure, and get the table, which opens by itself."""
    from napari_sem_tools.layers import image_arguments
    from napari_sem_tools.widgets.table.widget import tables_of

    viewer.add_image(discs.pixels, **image_arguments(discs))
    segment = viewer.window.add_plugin_dock_widget(PLUGIN, "Segment particles")[1]
    measure = viewer.window.add_plugin_dock_widget(PLUGIN, "Measure")[1]
    segment.run_button.click()
    wait(lambda: not segment.work.running)
    measure.run_button.click()
    wait(lambda: not measure.work.running)
    labels = viewer.layers["discs particles"]
    assert labels.data.dtype == np.uint16
    assert len(labels.features) == int(labels.data.max()) == 20
    table = tables_of(viewer)[0]
    assert table.model.rowCount() == 20
