"""Classify and Catalogue in a real window: nothing there, closed in the middle, the beat of it."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from classify_parts import fill, write_kinds
from engine_parts import Heartbeat, particles, threads_end, wait
from qtpy.QtWidgets import QApplication
from window_parts import drop

from napari_sem_tools.classification import teach
from napari_sem_tools.tiff import write_tiff
from napari_sem_tools.widgets.catalogue import shelf
from napari_sem_tools.widgets.classify import choice
from napari_sem_tools.widgets.classify import teach as teach_module

PLUGIN = "napari-sem-tools"
LARGE = (768, 1024)


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf, "last_catalogue_file", lambda: tmp_path / "last.txt")
    monkeypatch.setattr(teach_module, "categories_folder", lambda: tmp_path / "kept")
    monkeypatch.setattr(choice, "saved_judges", list)
    monkeypatch.setattr(choice, "registered", list)


def opened(viewer: Any, title: str) -> tuple[Any, Any]:
    return viewer.window.add_plugin_dock_widget(PLUGIN, title)


def test_the_window_with_classify_and_catalogue(
    make_napari_viewer_proxy: Any, tmp_path: Path
) -> None:
    """One viewer for all that needs a real one; the first takes seconds to make."""
    had_torch = "torch" in sys.modules
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    for title in ("Classify", "Catalogue", "Classify"):
        dock, widget = opened(viewer, title)
        QApplication.processEvents()
        for number in range(widget.tabs.count()):
            widget.tabs.setCurrentIndex(number)
            QApplication.processEvents()
            assert not (widget.run_button.isEnabled() and widget.can_run())
            widget.copy_button.click()
        viewer.window.remove_dock_widget(dock)
        QApplication.processEvents()
    assert had_torch or "torch" not in sys.modules, "opening the widgets imported torch"
    for theme in ("light", "dark"):
        viewer.theme = theme
        QApplication.processEvents()
    close_while_it_works(viewer, tmp_path)


def close_while_it_works(viewer: Any, folder: Path) -> None:
    """A widget that is closed in the middle leaves no thread, timer, layer or open file behind."""
    images = write_kinds(folder / "images", 3)
    taught = teach(images, model="texture")
    dock, classify = opened(viewer, "Classify")
    classify.line.take_taught(taught)
    drop(classify, images / "lines", images / "blobs")
    QApplication.processEvents()
    assert classify.work.running
    viewer.window.remove_dock_widget(dock)
    QApplication.processEvents()
    threads_end()
    for title in ("Add", "Find", "Map"):
        dock, catalogue = opened(viewer, "Catalogue")
        catalogue.adding.focus.setChecked(False)
        if title == "Add":
            catalogue.line.choose(folder / "index")
            drop(catalogue, images)
        else:
            wait(lambda widget=catalogue: not widget.work.running)
            page = next(one for one in catalogue.pages if one.title == title)
            catalogue.tabs.setCurrentWidget(page)
            catalogue.run_button.click()
        QApplication.processEvents()
        viewer.window.remove_dock_widget(dock)
        QApplication.processEvents()
        threads_end()
        assert not catalogue.shelf.is_open
    assert not len(viewer.layers)


@pytest.mark.slow
def test_the_window_beats_while_files_are_classified_and_catalogued(
    make_napari_viewer_proxy: Any, tmp_path: Path
) -> None:
    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    rng = np.random.default_rng(0)
    scene = particles(LARGE).pixels
    for number in range(12):
        noisy = scene // 2 + rng.integers(0, 40, LARGE, np.uint8)
        write_tiff(tmp_path / "new" / f"{number}.tif", noisy)
    idle = Heartbeat()
    wait(lambda: len(idle.gaps) >= 200)
    idle.timer.stop()
    print(f"idle: {idle}")
    _, classify = opened(viewer, "Classify")
    classify.line.take_taught(teach(write_kinds(tmp_path / "examples", 3), model="texture"))
    _, catalogue = opened(viewer, "Catalogue")
    catalogue.adding.focus.setChecked(False)
    catalogue.line.choose(tmp_path / "index")
    wait(lambda: not catalogue.work.running)
    for widget in (classify, catalogue):
        heart, started = Heartbeat(), time.perf_counter()
        drop(widget, tmp_path / "new")
        wait(lambda widget=widget: not widget.work.running)
        heart.timer.stop()
        seconds = time.perf_counter() - started
        print(f"{type(widget).__name__}, 12 images of 1024 x 768 in {seconds:.1f} s: {heart}")
        assert heart.percentile(99) < max(150, 3 * idle.percentile(99))
    assert len(classify.files.box.files.rows) == 12


@pytest.mark.data
def test_real_micrographs_are_listed_with_their_pictures_and_a_photograph_is_none(
    make_napari_viewer_proxy: Any, tmp_path: Path, shared_data: Path
) -> None:
    """Three NFFA originals between BAM and coatings: taught, dropped, none of them lost."""
    from skimage.data import astronaut
    from skimage.io import imsave

    viewer = make_napari_viewer_proxy(show=True).__wrapped__
    kinds = {
        "agglomerates": sorted((shared_data / "bam" / "images").glob("*.tif"))[:6],
        "coating": sorted((shared_data / "nasa" / "coating" / "images").glob("*.png"))[:6],
    }
    imsave(tmp_path / "astronaut.png", astronaut())
    _, widget = opened(viewer, "Classify")
    widget.line.take_taught(teach({k: v[:5] for k, v in kinds.items()}, model="texture"))
    left_out = [files[5] for files in kinds.values()]
    nffa = sorted((shared_data / "nffa" / "nanowires").glob("L6_*.jpg"))
    drop(widget, *left_out, *nffa, tmp_path / "astronaut.png", *fill(tmp_path / "a", "lines", 1))
    wait(lambda: not widget.work.running)
    files = widget.files.box.files
    assert [files.category(path) for path in left_out] == list(kinds)
    assert files.rows[tmp_path / "astronaut.png"]["answer"] == "no micrograph"
    assert all(files.rows[path]["answer"] for path in nffa)
    assert len(files.pictures) == 4 + len(nffa)
    widget.open_file(nffa[0])
    wait(lambda: widget.image.answer is not None or not widget.image.isVisible())
    assert len(viewer.layers) == 1
